"""The marking room's documents: what is laid out, how it is shown, what hostile files do, and where answers are."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
import struct
import textwrap
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from PIL import Image

from gengrade.choices import Isolation
from gengrade.course import find as find_course
from gengrade.facts import Outcome
from gengrade.places import WORK, require_ours
from gengrade.room import answers
from gengrade.room import documents as module
from gengrade.room.comparing import Comparisons
from gengrade.room.documents import DocumentProblem, Documents, HandedIn, Line, Output, Place, tidy
from gengrade.room.finding import find
from gengrade.rubric import Rubric
from gengrade.sandbox import Limits, NoSuchTier, Run, Tier, choose, examine
from gengrade.sandbox.closure import closure_of
from gengrade.sandbox.library import preloaded
from gengrade.submissions import Submission, SubmissionError, lay_out_documents
from tests.support.handed_in import submitted, tree_of, write, zipped
from tests.support.pdfs import Words, page_of, pdf, written
from tests.support.report_examples import RUBRIC

# --- trees ------------------------------------------------------------------------------------------------------------


def test_all_files_are_laid_out_and_no_link_is_followed(tmp_path: Path) -> None:
    names = ["report.pdf", "part1/utils.py", "part1/plot.png", "notes/a.ipynb", "notes/a.txt", ".git/config", "w.pt"]
    work = write(tmp_path / "work", names)
    (work / "secret.pdf").symlink_to("/etc/passwd")
    (work / "folder").symlink_to("/etc")
    laid_out = lay_out_documents(submitted(work), tmp_path / "tree")
    assert set(tree_of(tmp_path / "tree")) == {f"documents/{name}" for name in names[:5]}
    assert any("secret.pdf is left out, since it is a link" in note for note in laid_out.notes)
    assert any("w.pt is left out: weights" in note for note in laid_out.notes)
    for path in (tmp_path / "tree", *(tmp_path / "tree").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o555 if path.is_dir() else 0o444)


def test_inner_archives_are_laid_out_beside_programs(tmp_path: Path) -> None:
    innermost = zipped(tmp_path / "a", "b", {"scan.pdf": b"%PDF"}).read_bytes()
    inner = zipped(tmp_path / "c", "d", {"more.zip": innermost, "text.txt": b"x"}).read_bytes()
    outer = zipped(tmp_path, "doe", {"a.py": b"", "answers.zip": inner, "broken.zip": b"PK\x03\x04"})
    laid_out = lay_out_documents(submitted(outer), tmp_path / "tree")
    assert set(tree_of(tmp_path / "tree")) == {
        *("documents/a.py", "documents/answers/text.txt", "documents/answers/more/scan.pdf")
    }
    assert any("broken.zip" in note and "damaged" in note for note in laid_out.notes)


def test_attachments_of_a_class_export_are_laid_out(tmp_path: Path) -> None:
    source, other = write(tmp_path, {"doe_123_501_report.pdf": b"%PDF", "doe_123_502_code.py": b""}), tmp_path / "tree"
    submission = Submission("doe", "doe", None, source / "doe_123_501_report.pdf", (source / "doe_123_502_code.py",))
    lay_out_documents(submission, other)
    assert {Path(name).name for name in tree_of(other)} == {"report.pdf", "code.py"}


def test_sizes_are_limited_and_notebooks_keep_their_outputs(tmp_path: Path) -> None:
    work = write(tmp_path / "work", {})
    for name, size in (("a.pdf", 60 << 20), ("b.pdf", 65 << 20), ("c.ipynb", 20 << 20), ("d.txt", 17 << 20)):
        work.mkdir(exist_ok=True)
        with (work / name).open("wb") as file:
            file.truncate(size)
    content = json.dumps({"cells": [{"cell_type": "code", "source": "", "outputs": [{"data": "A" * (17 << 20)}]}]})
    (work / "e.ipynb").write_text(content)
    laid_out = lay_out_documents(submitted(work), tmp_path / "tree")
    tree = tree_of(tmp_path / "tree")
    assert set(tree) == {"documents/a.pdf", "documents/c.ipynb", "documents/e.ipynb"}
    assert tree["documents/e.ipynb"] == content.encode()
    assert {note.partition(" ")[0] for note in laid_out.notes} == {"b.pdf", "d.txt"}


def test_a_submission_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError):
        lay_out_documents(submitted(tmp_path / "nowhere"), tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


# --- where answers are ------------------------------------------------------------------------------------------------


def lines(*texts: str, heading: str = "\0", x: float = 0.12) -> tuple[Line, ...]:
    """Return the lines of a page, evenly spaced; those that begin with `heading` are larger."""
    return tuple(
        Line(text, x, 0.08 + 0.8 * place / len(texts), 0.5, 0.024 if text.startswith(heading) else 0.015)
        for place, text in enumerate(texts)
    )


FILL = ("We maximise the bound with respect to both networks.", "The second term is a divergence.")


@pytest.mark.parametrize(
    "heading",
    [
        *("1.4", "1.4)", "1.4.", "(1.4)", "1.4:", "Question 1.4", "Exercise 1.4:", "Q1.4", "Q 1.4", "1.4 a", "1.4a)"),
        *("1.4 The bound", "question 1.4 - the bound", "Answer to question 1.4", "Problem 1.4.", "Vraag 1.4", "§1.4"),
        *("• 1.4 Bound", "Task 1.4 (3 points)", "Solution 1.4", "Answer 1.4:", "Sub-question 1.4", "1.4 – Bound"),
        *("Part 1, Question 4", "1 Question 4", "Section 1.4 The bound"),
    ],
)
def test_a_question_is_found_at_the_start_of_a_line(heading: str) -> None:
    before = lines(
        "Deep learning, practical 3", "1.3 Sampling", *FILL, "see equation 1.4 for it", "1.40 is another number"
    )
    found = find("1.4", [before, lines(*FILL, heading, *FILL, "1.5", *FILL, "1.4 of them are zero")])
    assert found is not None
    assert (found.page, round(found.y, 3)) == (1, round(0.08 + 0.8 * 2 / 9, 3))


CONTENTS = (
    "Contents",
    "1 VAE 1",
    "1.1 Sampling . . . . . . . . 1",
    "1.4 Bound . . . . . . . 2",
    "1.5 Prior . . . . . . . . 3",
)
PLAIN_CONTENTS = ("Contents", "1.1 Sampling 1", "1.3 Reparameterisation 1", "1.4 Bound 2", "1.5 Prior 3")
LINKS = ("Questions", "1.1 Sampling", "1.3 Reparameterisation", "1.4 Bound", "1.5 Prior")


@pytest.mark.parametrize("contents", [CONTENTS, PLAIN_CONTENTS, LINKS])
@pytest.mark.parametrize("heading", ["1.4", "\0"])
def test_contents_are_no_answers(contents: tuple[str, ...], heading: str) -> None:
    answer = (*FILL, "1.4 Bound", *FILL, *FILL, "1.5 Prior", *FILL)
    for pages in ([lines(*contents), lines(*answer, heading=heading)], [lines(*contents, *answer, heading=heading)]):
        found = find("1.4", pages)
        assert found is not None
        place = pages[found.page][len(pages[0]) - len(answer) + 2] if len(pages) == 1 else pages[1][2]
        assert (found.page, found.y) == (len(pages) - 1, place.y)


def test_numbers_of_other_things_are_no_answers() -> None:
    table = lines("Epoch Loss", "1.4 2.3 0.9", "1.4% of all", "1.4 × 10", "1.4, and more", "1.4 bits per dimension")
    assert find("1.4", [table]) is None
    equation = (Line("(1.4)", 0.85, 0.5, 0.05, 0.015),)
    foot = (Line("1.4", 0.5, 0.97, 0.05, 0.015),)
    assert find("1.4", [equation, foot]) is None
    assert find("2", [lines("2 apples and pears", *FILL), (Line("2", 0.5, 0.97, 0.02, 0.015),)]) is None


def test_an_answer_before_the_references_is_preferred() -> None:
    end = lines(*FILL, "References", "1.4) Kingma and Welling", "1.4) Rezende")
    found = find("1.4", [lines(*FILL, "1.4 we see that", "1.4) It is a bound", *FILL), end])
    assert found is not None
    assert (found.page, found.y) == (0, 0.08 + 0.8 * 3 / 6)


def test_short_answers_in_a_list_are_found() -> None:
    page = lines("1.3) B", "1.4) A", "1.5) C")
    found = find("1.4", [page])
    assert found is not None
    assert found.y == page[1].y


def test_parts_of_questions_and_whole_numbers() -> None:
    page = lines("Question 2", *FILL, "2.1 a", *FILL, "2.1 b", *FILL, "Question 3", *FILL, "2 apples")
    assert [find(asked, [page]).y for asked in ("2", "2.1", "2.1b", "2.1 (a)", "Q3", "2.1c")] == [  # type: ignore[union-attr]
        page[place].y for place in (0, 3, 6, 3, 9, 3)
    ]
    assert find("4", [page]) is None
    assert find("", [page]) is None


def test_a_question_below_the_heading_of_its_part() -> None:
    page = lines("Part 1: VAE", "Question 3", *FILL, "Question 4", *FILL, "Part 2: GAN", "Question 4", *FILL)
    assert [find(asked, [page]).y for asked in ("1.4", "2.4")] == [page[4].y, page[8].y]  # type: ignore[union-attr]


def test_a_question_without_a_number_is_found_by_its_words() -> None:
    page = lines("Contents", "Bonus . . . . . . 3", "5 Bonus question", *FILL)
    found = find("Bonus", [page])
    assert found is not None
    assert found.y == page[2].y


# --- answers of the guest ---------------------------------------------------------------------------------------------


def image(height: int = 2, width: int = 3) -> np.ndarray:
    return np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)


GOOD_CELL = {"kind": "code", "source": "1", "outputs": []}


def contents(answer: object) -> object:
    return answers.read_contents(answer, {"a": 1})


def one_page(answer: object) -> object:
    return answers.read_lines(answer, 1)


WRONG: list[tuple[Callable[[Any], object], list[object]]] = [
    (answers.read_picture, [None, image().astype(np.float32), image()[0], image()[:, :, :2]]),
    (answers.read_picture, [np.zeros((0, 5, 3), np.uint8), np.zeros((1, 3_001, 3), np.uint8)]),
    (answers.read_pages, [True, 0, -1, 1 << 40, "3", 2.0]),
    (answers.read_text, ["x", {"text": 1, "left_out": 0}, {"text": "x" * 400_001, "left_out": 0}]),
    (answers.read_text, [{"text": "x", "left_out": True}]),
    (
        contents,
        [[{"name": "b", "kind": "pdf"}], [1], [{"name": "a", "kind": "<b>"}], [{"name": "a", "kind": "pdf"}] * 2],
    ),
    (
        one_page,
        [[], [{}], [{"texts": ["a"], "boxes": image()}], [{"texts": ["a"], "boxes": np.zeros((2, 4), np.float32)}]],
    ),
    (one_page, [[{"texts": [], "boxes": np.zeros((0, 4), np.float32)}] * 2]),
    (answers.read_notebook, [{"cells": [{**GOOD_CELL, "kind": "x"}], "pictures": [], "left_out": []}]),
    (answers.read_notebook, [{"cells": [{**GOOD_CELL, "outputs": [{"picture": 0}]}], "pictures": [], "left_out": []}]),
    (answers.read_notebook, [{"cells": [{**GOOD_CELL, "outputs": [{}]}], "pictures": [], "left_out": []}]),
    (answers.read_notebook, [{"cells": [], "pictures": [np.zeros(3, np.uint8)], "left_out": []}]),
]


@pytest.mark.parametrize(("read", "answer"), [(read, answer) for read, wrong in WRONG for answer in wrong])
def test_answers_of_another_form_are_refused(read: Callable[[Any], object], answer: object) -> None:
    with pytest.raises(DocumentProblem, match="file"):
        read(answer)


def test_what_a_guest_says_is_never_a_sentence_of_ours() -> None:
    wrong: list[object] = [{"problem": "<script>"}, {"problem": 1}, [], None]
    for evidence in wrong:
        with pytest.raises(DocumentProblem, match="breaks the program that reads it"):
            answers.answer_of(Run(Outcome.PASSED, evidence=evidence), 15)
    for outcome, words in ((Outcome.TIMEOUT, "more than 15 s"), (Outcome.MEMORY, "memory"), (Outcome.ERROR, "breaks")):
        with pytest.raises(DocumentProblem, match=words):
            answers.answer_of(Run(outcome, message="<script>"), 15)


def test_boxes_and_texts_are_made_harmless() -> None:
    boxes = np.asarray([[np.nan, -5, np.inf, 0.5]], np.float32)
    ((line,),) = answers.read_lines([{"texts": ["a\u202eb\x00c\r\nd"], "boxes": boxes}], 1)
    assert line == Line("a\ufffdb\ufffdc\nd", 0.0, 0.0, 1.0, 0.5)


def test_pictures_are_encoded_without_loss() -> None:
    for array in (image(5, 7), np.repeat(np.arange(12, dtype=np.uint8).reshape(3, 4, 1), 3, axis=2)):
        found = answers.read_picture(array)
        assert (found.width, found.height) == (array.shape[1], array.shape[0])
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found.png)).convert("RGB")), array)
        assert answers.picture_from(found.png) == found
    with pytest.raises(ValueError, match="not a PNG"):
        answers.picture_from(b"GIF89a")


def test_a_run_gets_nothing_but_what_reads_documents() -> None:
    """What is compared with the interface by mypy is whole, and no course's code comes along."""
    for probe in module._PROBES:
        found = closure_of(module.COURSE, f"documents:{probe}").definitions
        assert ("graders.adapting.documents", f"DocumentsContract.{probe}") in found
        assert {name.rpartition(".")[0] for name, _ in found} == {"graders.documents", "graders.adapting"}
    libraries = set(preloaded(module.COURSE))
    assert {"pypdfium2", "PIL.Image"} <= libraries
    assert not {"pypdfium2", "PIL.Image"} & set(preloaded(find_course("mila2023")))


# --- through the sandbox ----------------------------------------------------------------------------------------------


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def figure_pdf(path: Path) -> None:
    """Write a report as matplotlib makes it: two pages with headings, text and a curve."""
    with PdfPages(path) as file:
        for number in (3, 4):
            figure = Figure(figsize=(8.27, 11.69))
            figure.text(0.1, 0.9, f"Question 1.{number}", fontsize=16)
            for row in range(20):
                figure.text(0.1, 0.85 - 0.02 * row, "The words of an answer, in which 1.4 stands as well", fontsize=9)
            figure.add_axes((0.1, 0.1, 0.8, 0.3)).plot([0, 1, 4])
            file.savefig(figure)


def bomb() -> bytes:
    """Return a PNG of 40,000 times 40,000 pixels that takes few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def cell(kind: str, source: object, *outputs: object, **more: object) -> dict[str, object]:
    return {"cell_type": kind, "source": source, "metadata": {}, "outputs": list(outputs), **more}


def shown(kind: str, content: bytes) -> dict[str, object]:
    return {"output_type": "display_data", "data": {kind: base64.b64encode(content).decode(), "text/plain": "<Figure>"}}


RED = encoded(Image.new("RGB", (1_800, 900), (255, 0, 0)))
NOTEBOOK = {
    "nbformat": 4,
    "cells": [
        cell(
            "markdown", ["# 1.4\n", "Words <b>"], attachments={"a.png": {"image/png": base64.b64encode(RED).decode()}}
        ),
        cell(
            "code",
            "print(1)",
            {"output_type": "stream", "name": "stdout", "text": ["1\n", "2\n"]},
            shown("image/png", RED),
            shown("image/jpeg", encoded(Image.new("RGB", (40, 30), (0, 255, 0)), "JPEG")),
            shown("image/png", b"no picture"),
            {"output_type": "execute_result", "data": {"text/plain": "3", "text/html": "<script>alert(1)</script>"}},
            {
                "output_type": "error",
                "ename": "E",
                "evalue": "v",
                "traceback": ["\x1b[0;31mE\x1b[0m: v", "\x1b[1mline\x1b[0m"],
            },
        ),
        cell("raw", "raw"),
        "no cell",
        cell("code", 5, 7, {"output_type": "stream", "text": None}),
    ],
}
OLD_NOTEBOOK = {
    "nbformat": 3,
    "worksheets": [
        {"cells": [{"cell_type": "code", "input": ["x = 1"], "outputs": [{"output_type": "pyout", "text": ["1"]}]}]}
    ],
}
PHOTO = Image.new("RGB", (400, 200), (0, 0, 255))
CLEAR = Image.new("RGBA", (20, 10), (255, 0, 0, 0))
TURNED = Image.Exif()
TURNED[0x0112] = 6
ANIMATED = encoded(
    Image.new("RGB", (8, 4), (255, 0, 0)),
    "GIF",
    save_all=True,
    append_images=[Image.new("RGB", (8, 4), (0, 0, 255))],
)
IDS = f"/ID [<{'00' * 16}> <{'00' * 16}>]"
ENCRYPTED = f"{IDS} /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'11' * 32}> /U <{'22' * 32}> >>"
ITSELF = b"/Resources << /XObject << /A 5 0 R >> >>"
LOOP = {
    1: b"<< /Type /Catalog /Pages 2 0 R >>",
    2: b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 >>",
    3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R %b >>" % ITSELF,
    4: b"<< /Length 5 >>\nstream\n/A Do\nendstream",
    5: b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] %b /Length 5 >>\nstream\n/A Do\nendstream" % ITSELF,
}
A_PAGE = page_of("1.1 Text", "of a page")

HONEST: dict[str, bytes] = {
    "report.pdf": b"",  # of matplotlib, written by the fixture
    "scan 10.pdf": pdf(page_of("Question 2.1", "a")),
    "scan 9.pdf": pdf(page_of("Question 2.2", "b"), extra="/Rotate 90 /CropBox [0 421 595 842]"),
    "photo.jpg": encoded(PHOTO, "JPEG"),
    "turned.jpg": encoded(PHOTO, "JPEG", exif=TURNED),
    "clear.png": encoded(CLEAR),
    "animated.gif": ANIMATED,
    "deep.tiff": encoded(Image.fromarray(np.asarray([[0, 65535]], np.uint16)), "TIFF"),
    "work.ipynb": json.dumps(NOTEBOOK).encode(),
    "old.ipynb": json.dumps(OLD_NOTEBOOK).encode(),
    "code/a.py": "print('é\u202e')\r\n".encode(),
    "latin.txt": b"caf\xe9 \x80",
    "long.txt": b"\xc3\xa9" * 300_000,
    "utf16.txt": "ü".encode("utf-16"),
    "no_suffix": pdf(page_of("x")),
    "answers.docx": b"PK\x03\x04",
}
HOSTILE: dict[str, bytes] = {
    "a broken.pdf": b"%PDF-1.7\n" + os.urandom(500),
    "b locked.pdf": pdf(A_PAGE, trailer=ENCRYPTED),
    "c huge.pdf": pdf(A_PAGE, box="0 0 1000000 1000000"),
    "d thin.pdf": pdf(A_PAGE, box="0 0 1 14400"),
    "e wide.pdf": pdf(A_PAGE, box="0 0 14400 1"),
    "f empty.pdf": pdf(A_PAGE, box="0 0 0 0"),
    "g loop.pdf": written(LOOP),
    "h many.pdf": pdf(*[A_PAGE] * 10_000),
    "i claims.pdf": pdf(A_PAGE, count=2_000_000_000),
    "j none.pdf": pdf(),
    "k nan.pdf": pdf([Words(1e30, -1e30, 1e12, "far away"), *A_PAGE]),
    "bomb.png": bomb(),
    "cut.png": RED[:200],
    "fake.png": b"<svg onload=alert(1)>",
    "phone.heic": b"\x00\x00\x00\x18ftypheic",
    "deep.ipynb": b"[" * 200_000,
    "list.ipynb": b"[1, 2]",
    "cells.ipynb": b'{"cells": 5}',
    "many.ipynb": json.dumps({"cells": [cell("code", "x", *[shown("image/png", RED)] * 100)] * 2}).encode(),
    "large.ipynb": json.dumps({"cells": [cell("code", "é" * 50_000)] * 40 + [cell("raw", "")] * 3_000}).encode(),
    "zeros.txt": bytes(300_000),
}


class Room:
    """Documents of some students, with the number of runs so far."""

    def __init__(self, folder: Path, students: Mapping[str, Path], tier: Tier) -> None:
        self.out = folder / "results"
        self.submissions = {name: Submission(name, name, None, path) for name, path in students.items()}
        self.tier = tier
        self.documents = Documents(self.out, self.submissions, tier)

    def named(self, student: str) -> dict[str, HandedIn]:
        return {file.name: file for file in self.documents.files(student)}

    def index(self, name: str, student: str = "honest") -> int:
        return self.named(student)[name].index


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("room")
    students = {"honest": write(folder / "honest", HONEST), "hostile": write(folder / "hostile", HOSTILE)}
    students["empty"] = folder / "empty"
    students["empty"].mkdir()
    figure_pdf(students["honest"] / "report.pdf")
    try:
        tier = choose(Isolation.AUTO, single=False)
    except NoSuchTier as reason:
        pytest.skip(f"this machine offers no isolation: {reason}")
    room = Room(folder, students, tier)
    yield room
    room.documents.close()


def pixels(picture: answers.Picture) -> np.ndarray:
    found = np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"))
    assert found.shape[:2] == (picture.height, picture.width)
    return found


def test_files_are_listed_with_their_kinds(room: Room) -> None:
    files = room.documents.files("honest")
    assert [file.index for file in files] == list(range(len(HONEST)))
    assert [(file.name, file.kind, file.pages) for file in files] == [
        *(("no_suffix", "pdf", 1), ("report.pdf", "pdf", 2), ("scan 9.pdf", "pdf", 1), ("scan 10.pdf", "pdf", 1)),
        *((name, "picture", None) for name in ("animated.gif", "clear.png", "deep.tiff", "photo.jpg", "turned.jpg")),
        *((name, "notebook", None) for name in ("old.ipynb", "work.ipynb")),
        ("code/a.py", "program", None),
        *((name, "text", None) for name in ("latin.txt", "long.txt", "utf16.txt")),
        ("answers.docx", "other", None),
    ]
    assert [file.name for file in files if file.note] == ["answers.docx"]
    assert room.documents.files("empty") == ()


def test_a_page_is_a_picture_of_the_width_that_was_asked_for(room: Room) -> None:
    page = room.documents.page("honest", room.index("report.pdf"), 0, 1_100)
    assert (page.width, page.height) == (1_100, 1_555)
    array = pixels(page)
    assert array[0, 0].tolist() == [255, 255, 255]
    assert (np.abs(array.astype(int) - (31, 119, 180)).max(axis=2) < 8).any(), "the curve's blue"
    narrow = room.documents.page("honest", room.index("report.pdf"), 0, 1)
    assert narrow.width == 50


def test_lines_lie_where_the_ink_is(room: Room) -> None:
    for name, words in (("report.pdf", "Question 1.3"), ("scan 9.pdf", "Question 2.2")):
        index = room.index(name)
        first = next(line for line in room.documents.lines("honest", index, 0) if line.text == words)
        array = pixels(room.documents.page("honest", index, 0, 600))
        height, width = array.shape[:2]
        top, bottom = int(first.y * height), int((first.y + first.height) * height) + 1
        left, right = int(first.x * width), int((first.x + first.width) * width) + 1
        inside = (array[top:bottom, left:right] < 128).any(axis=2)
        assert inside.sum() > 50
        around = (array[max(0, top - 8) : bottom + 8, max(0, left - 8) : right + 8] < 128).any(axis=2)
        assert around.sum() < 1.5 * inside.sum()


def test_places_of_questions_in_reports(room: Room) -> None:
    index = room.index("report.pdf")
    place = room.documents.place("honest", "1.4")
    assert place is not None
    assert (place.index, place.page) == (index, 1)
    assert 0.05 < place.y < 0.12
    assert room.documents.place("honest", "2.1") == Place(
        room.index("scan 10.pdf"), 0, room.documents.lines("honest", room.index("scan 10.pdf"), 0)[0].y
    )
    assert room.documents.place("honest", "9.9") is None
    assert room.documents.place("empty", "1.4") is None


def test_a_corrected_place_wins_until_the_submission_changes(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    work = write(tmp_path / "work", {"a.pdf": pdf(page_of("Question 1.1", "x"), page_of("y")), "b.txt": b"1.1"})
    submissions = {"doe": submitted(work)}
    with Documents(tmp_path / "out", submissions, room.tier) as documents:
        found = documents.place("doe", "1.1")
        assert found is not None
        assert (found.index, found.page) == (0, 0)
        documents.correct("doe", "1.1", Place(0, 1, 0.25))
        documents.correct("doe", "1.2", Place(1, 0, 0.5))
        for wrong in (
            Place(2, 0, 0.0),
            Place(-1, 0, 0.0),
            Place(0, 2, 0.0),
            Place(1, 1, 0.0),
            Place(0, 0, float("nan")),
        ):
            with pytest.raises(DocumentProblem):
                documents.correct("doe", "1.1", wrong)
        assert [line.text for page in documents.pages("doe", 0) for line in page] == ["Question 1.1", "x", "y"]
    with Documents(tmp_path / "out", submissions, room.tier) as documents:
        corrected = {"1.1": Place(0, 1, 0.25), "1.2": Place(1, 0, 0.5), "1.3": None}
        assert documents.places("doe", ["1.1", "1.2", "1.3"]) == corrected
        before = documents.sha256("doe")
        (work / "b.txt").write_bytes(b"1.2")
        documents.files("doe")
        assert documents.sha256("doe") != before
        assert documents.places("doe", ["1.1", "1.2"]) == {"1.1": found, "1.2": None}


def test_answers_in_pdfs_are_compared(room: Room, tmp_path: Path) -> None:
    words = (
        "Dropping a divergence that is never negative leaves a bound below the logarithm of the evidence, which we "
        "can raise by following its gradient although nobody can solve the integral over every latent code by hand."
    )
    lines = textwrap.wrap(words, 60)
    works = {}
    for name, first in (("ada", "Mine begins."), ("bob", "Another beginning.")):
        report = pdf(page_of("Question 1.1", first, *lines), page_of("Question 1.3", f"Only {name} says that."))
        works[name] = submitted(write(tmp_path / name, {"a.pdf": report}))
    rubric = Rubric.parse(RUBRIC, tmp_path / "rubric.yaml")
    with Documents(tmp_path / "out", works, room.tier) as documents:
        comparisons = Comparisons(documents, ("ada", "bob"), rubric, ["1.1", "1.3"])
        comparisons.catch_up()
    (passage,) = comparisons.passages("1.1", "ada")
    assert (passage.other, passage.words) == ("bob", len(words.split()))
    assert passage.quoted.startswith("Dropping a divergence")
    assert [near.student for near in comparisons.near("1.1", "bob")] == ["ada"]
    assert comparisons.passages("1.3", "ada") == ()


def test_pictures_are_upright_small_and_on_white(room: Room) -> None:
    sizes = {"photo.jpg": (100, 50), "turned.jpg": (100, 200), "clear.png": (20, 10), "animated.gif": (8, 4)}
    for name, size in sizes.items():
        picture = room.documents.picture("honest", room.index(name), 100)
        assert (picture.width, picture.height) == size, name
    assert pixels(room.documents.picture("honest", room.index("clear.png"), 100)).min() == 255
    assert pixels(room.documents.picture("honest", room.index("animated.gif"), 100))[0, 0, 0] > 200
    assert pixels(room.documents.picture("honest", room.index("deep.tiff"), 100))[0, :, 0].tolist() == [0, 255]


def test_a_notebook_is_shown_with_what_its_cells_showed(room: Room) -> None:
    index = room.index("work.ipynb")
    first, second, third, fourth = room.documents.cells("honest", index)
    assert (first.kind, first.source, first.outputs) == ("markdown", "# 1.4\nWords <b>", (Output(picture=0),))
    assert (second.kind, second.source) == ("code", "print(1)")
    assert second.outputs[:3] == (Output("1\n2\n"), Output(picture=1), Output(picture=2))
    assert "no picture in a format" in second.outputs[3].note
    assert second.outputs[4:] == (Output("3"), Output("E: v\nline"))
    assert (third.kind, fourth.source, fourth.outputs) == ("raw", "5", ())
    picture = room.documents.cell_picture("honest", index, 1)
    assert (picture.width, picture.height) == (900, 450)
    assert pixels(picture)[0, 0].tolist() == [255, 0, 0]
    with pytest.raises(DocumentProblem, match="no such picture"):
        room.documents.cell_picture("honest", index, 3)
    (old,) = room.documents.cells("honest", room.index("old.ipynb"))
    assert (old.source, old.outputs) == ("x = 1", (Output("1"),))


def test_texts_are_read_in_any_encoding(room: Room) -> None:
    assert room.documents.text("honest", room.index("code/a.py")) == "print('é\ufffd')\n"
    assert room.documents.text("honest", room.index("latin.txt")) == "café €"
    assert room.documents.text("honest", room.index("utf16.txt")) == "ü"
    long = room.documents.text("honest", room.index("long.txt"))
    assert long == "é" * 200_000 + "\n… 200,000 more bytes are left out …\n"


@pytest.mark.parametrize("method", ["page", "lines", "picture", "text", "cells"])
def test_files_of_another_kind_are_a_sentence(room: Room, method: str) -> None:
    arguments = {"page": (0, 100), "lines": (0,), "picture": (100,)}.get(method, ())
    with pytest.raises(DocumentProblem, match="cannot be shown here"):
        getattr(room.documents, method)("honest", room.index("answers.docx"), *arguments)
    for student, index in (("honest", 99), ("honest", -1), ("nobody", 0)):
        with pytest.raises(DocumentProblem, match="no such"):
            getattr(room.documents, method)(student, index, *arguments)


def test_pages_beyond_the_last_are_a_sentence(room: Room) -> None:
    for page in (-1, 2):
        with pytest.raises(DocumentProblem, match="has 2 pages"):
            room.documents.page("honest", room.index("report.pdf"), page, 100)


# --- hostile files ----------------------------------------------------------------------------------------------------


def test_hostile_files_are_listed_with_a_note(room: Room) -> None:
    files = room.named("hostile")
    assert set(files) == set(HOSTILE)
    assert "password" in files["b locked.pdf"].note
    for name in ("a broken.pdf", "j none.pdf"):
        assert files[name].note == "This file is damaged, or it is no PDF."
    assert files["h many.pdf"].pages == 10_000


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.endswith(".pdf")])
def test_a_hostile_pdf_is_shown_or_is_one_sentence(room: Room, name: str) -> None:
    file = room.named("hostile")[name]
    for page in (0, (file.pages or 1) - 1):
        try:
            picture = room.documents.page("hostile", file.index, page, 800)
            found = room.documents.lines("hostile", file.index, page)
        except DocumentProblem:
            continue
        assert picture.width <= 800
        assert picture.height <= 12_000
        assert all(0 <= value <= 1 for line in found for value in (line.x, line.y, line.width, line.height))


def doubling(levels: int) -> bytes:
    """Return a PDF whose page draws a drawing twice, which draws another one twice, and so on."""
    form = b"<< /Type /XObject /Subtype /Form /BBox [0 0 99 99] /Resources << /XObject << /A %d 0 R >> >> /Length 11 >>"
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R %b >>" % ITSELF,
        4: b"<< /Length 11 >>\nstream\n/A Do /A Do\nendstream",
    }
    for number in range(5, 5 + levels):
        objects[number] = form % (number + 1) + b"\nstream\n/A Do /A Do\nendstream"
    objects[5 + levels] = (
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 9 >>\nstream\n0 0 9 9 re f\nendstream"
    )
    return written(objects)


def test_a_page_that_takes_too_long_is_one_sentence(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMITS", Limits(seconds=1.0))
    work = write(tmp_path / "work", {"slow.pdf": doubling(27)})
    with Documents(tmp_path / "out", {"doe": submitted(work)}, room.tier) as documents:
        assert documents.files("doe")[0].pages == 1
        for _ in range(2):  # the second time without a run
            with pytest.raises(DocumentProblem, match="takes more than 1 s"):
                documents.page("doe", 0, 0, 500)


def test_of_ten_thousand_pages_any_is_shown(room: Room) -> None:
    index = room.index("h many.pdf", "hostile")
    assert room.documents.lines("hostile", index, 9_999)[0].text == "1.1 Text"
    assert room.documents.page("hostile", index, 9_999, 100).width == 100


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bomb.png", "100 million pixels"),
        ("cut.png", "damaged"),
        ("fake.png", "no picture"),
        ("phone.heic", "no picture"),
    ],
)
def test_a_hostile_picture_is_one_sentence(room: Room, name: str, words: str) -> None:
    with pytest.raises(DocumentProblem, match=words):
        room.documents.picture("hostile", room.index(name, "hostile"), 500)


@pytest.mark.parametrize("name", ["deep.ipynb", "list.ipynb", "cells.ipynb"])
def test_a_hostile_notebook_is_one_sentence(room: Room, name: str) -> None:
    with pytest.raises(DocumentProblem, match="it is no notebook"):
        room.documents.cells("hostile", room.index(name, "hostile"))


def test_what_is_too_much_of_a_notebook_is_left_out_and_said(room: Room) -> None:
    many = room.documents.notebook("hostile", room.index("many.ipynb", "hostile"))
    assert 20 < many.pictures <= 80
    assert "pictures" in " ".join(many.notes)
    large = room.documents.notebook("hostile", room.index("large.ipynb", "hostile"))
    assert len(large.cells) == 2_000
    assert large.cells[0].source == "é" * 50_000
    assert {note.split()[2] for note in large.notes} == {"first", "texts"}


def test_a_program_has_colours_and_definitions(room: Room) -> None:
    program = room.documents.program("honest", room.index("code/a.py"))
    assert program.text == "print('é\ufffd')\n"
    assert program.colours == "bbbbb ssss  "
    assert program.definitions == ()
    with pytest.raises(DocumentProblem, match="not a program"):
        room.documents.program("honest", room.index("latin.txt"))


NESTED = """class VAE:
    @property
    def size(self):
        if True:
            async def inner():
                pass


def KLD(mean): return mean
"""
PROGRAMS: dict[str, bytes] = {
    "a.py": NESTED.replace("\n", "\r\n").encode(),
    "b cut.py": b"def f():\n    return 1\n" * 20_000,
    "c deep.py": b"(" * 90_000,
    "d deep.py": b"-" * 90_000 + b"1",
    "e quotes.py": b'"\\' * 40_000,
    "f braces.py": b"f'" + b"{" * 40_000,
    "g words.m": b"% a comment\nx = 1;\n",
    "h zero.py": b"x = 1\0\n",
}


def test_hostile_programs_are_shown_as_text(room: Room, tmp_path: Path) -> None:
    work = write(tmp_path / "work", PROGRAMS)
    with Documents(tmp_path / "out", {"doe": submitted(work)}, room.tier) as documents:
        programs = {file.name: documents.program("doe", file.index) for file in documents.files("doe")}
    named = [(each.name, each.first, each.last) for each in programs["a.py"].definitions]
    assert named == [("VAE", 1, 6), ("VAE.size", 3, 6), ("VAE.size.inner", 5, 6), ("KLD", 9, 9)]
    assert programs["a.py"].text == NESTED
    for name, program in programs.items():
        assert program.text.startswith(PROGRAMS[name].decode()[:5].replace("\r\n", "\n")), name
        assert len(program.colours) in (0, len(program.text)), name
    for name in ("b cut.py", "g words.m"):
        assert programs[name].colours == ""


def test_zeros_are_shown_as_marks(room: Room) -> None:
    assert room.documents.text("hostile", room.index("zeros.txt", "hostile")) == "\ufffd" * 300_000


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_what_was_shown_once_needs_no_run(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    report, bomb_, work = room.index("report.pdf"), room.index("bomb.png", "hostile"), room.index("work.ipynb")
    room.documents.render_ahead("honest", report, range(5), 640)
    before = [room.documents.page("honest", report, page, 640) for page in (0, 1)]
    text, place = room.documents.lines("honest", report, 1), room.documents.place("honest", "1.4")
    cells, picture = room.documents.cells("honest", work), room.documents.cell_picture("honest", work, 1)
    with pytest.raises(DocumentProblem):
        room.documents.picture("hostile", bomb_, 500)

    def refused(*arguments: object, **inputs: object) -> None:
        raise AssertionError("a run was made")

    monkeypatch.setattr(Documents, "_ask", refused)
    with Documents(room.out, room.submissions, room.tier) as again:
        assert [again.page("honest", report, page, 640) for page in (0, 1)] == before
        assert again.lines("honest", report, 1) == text
        assert again.cells("honest", work) == cells
        assert again.cell_picture("honest", work, 1) == picture
        assert again.place("honest", "1.4") == place
        with pytest.raises(DocumentProblem, match="100 million"):
            again.picture("hostile", bomb_, 500)
        with pytest.raises(AssertionError, match="a run was made"):
            again.page("honest", report, 0, 641)


def test_many_threads_may_ask_at_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = Documents._ask

    def counted(self: Documents, shown: Any, probe: str, **inputs: Any) -> Any:
        asked.append(probe)
        return ask(self, shown, probe, **inputs)

    monkeypatch.setattr(Documents, "_ask", counted)
    index, found = room.index("report.pdf"), list[answers.Picture]()
    threads = [
        threading.Thread(target=lambda: found.append(room.documents.page("honest", index, 1, 333))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {found[0]}
    assert asked == ["pdf_page"]


def test_a_run_sees_no_other_file(room: Room) -> None:
    """Nor does it know the name of its own."""
    room.documents.text("honest", room.index("latin.txt"))
    room.documents.page("honest", room.index("report.pdf"), 0, 99)
    assert set(tree_of(room.out / WORK / "room" / "trees" / ".alone")) == {"documents/.alone"}


def test_links_in_what_is_kept_are_not_followed(room: Room, tmp_path: Path) -> None:
    index = room.index("report.pdf")
    room.documents.page("honest", index, 0, 222)
    (kept,) = (room.out / WORK).glob("room/shown/honest/*/*/page-0-222.png")
    other = tmp_path / "other.png"
    other.write_bytes(kept.read_bytes())
    kept.unlink()
    kept.symlink_to(other)
    try:
        with pytest.raises(ValueError, match="symbolic link"):
            room.documents.page("honest", index, 0, 222)
    finally:
        kept.unlink()


def test_grading_into_the_same_results_goes_on(room: Room) -> None:
    """Scratch folders of a room that runs, or was killed, are none of the results that are checked."""
    left = room.out / WORK / "room" / "sandbox-killed"
    left.mkdir()
    (left / "link").symlink_to("/etc/passwd")
    require_ours(room.out, [])
    if room.documents._sandbox is not None:
        room.documents._thread.submit(room.documents._end).result()
    tidy(room.out)
    assert not left.exists()
    assert room.documents.page("honest", room.index("report.pdf"), 0, 111).width == 111


def test_a_changed_submission_is_laid_out_again(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    work = write(tmp_path / "work", {"a.pdf": pdf(page_of("1.1", "old"))})
    with Documents(tmp_path / "out", {"doe": submitted(work)}, room.tier) as documents:
        assert [line.text for line in documents.lines("doe", 0, 0)] == ["1.1", "old"]
        (work / "a.pdf").write_bytes(pdf(page_of("1.1", "new")))
        (work / "link.pdf").symlink_to("/etc/passwd")
        assert [file.name for file in documents.files("doe")] == ["a.pdf"]
        assert [line.text for line in documents.lines("doe", 0, 0)] == ["1.1", "new"]
        assert any("link.pdf" in note for note in documents.notes("doe"))
        assert len(list((tmp_path / "out" / WORK).glob("room/shown/doe/*"))) == 1
    documents.close()
    with pytest.raises(RuntimeError):
        documents.files("doe")


def test_a_submission_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    archive = zipped(tmp_path, "doe", ["a.pdf"])
    archive.write_bytes(archive.read_bytes()[:40])
    with Documents(tmp_path / "out", {"doe": submitted(archive)}, Tier.PROCESS) as documents:
        for _ in range(2):
            with pytest.raises(DocumentProblem, match=r"cannot be read\. doe\.zip: it is damaged"):
                documents.files("doe")


def test_documents_are_shown_under_landlock(room: Room, tmp_path: Path) -> None:
    finding = next(finding for finding in examine() if finding.tier is Tier.LANDLOCK)
    if not finding.available or room.tier is Tier.LANDLOCK:
        pytest.skip("this machine does not offer it, or all other tests have used it")
    work = write(tmp_path / "work", {"a.pdf": pdf(page_of("1.1", "x")), "b.png": RED, "c.ipynb": HONEST["work.ipynb"]})
    with Documents(tmp_path / "out", {"doe": submitted(work)}, Tier.LANDLOCK) as documents:
        assert [file.pages for file in documents.files("doe")] == [1, None, None]
        assert documents.page("doe", 0, 0, 300).width == 300
        assert documents.lines("doe", 0, 0)[0].text == "1.1"
        assert documents.picture("doe", 1, 300).height == 150
        assert len(documents.cells("doe", 2)) == 4
