"""What the marking page shows beside an answer: near answers, shared passages, programs and the machine's facts."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gengrade.atomic import write_whole
from gengrade.engine import GradedClass
from gengrade.facts import CheckFact, Facts, Outcome, TestFact
from gengrade.grade import score
from gengrade.marks import Mark
from gengrade.parts import Part as FilesOf
from gengrade.places import Owners
from gengrade.room.answers import DocumentProblem, read_program
from gengrade.room.corrections import Corrected, Corrections
from gengrade.room.documents import Place, Program
from gengrade.room.handing import Plan
from gengrade.room.marking import Room
from gengrade.room.programs import lines_that_matter, listing, of_part
from tests.support import report_examples as examples
from tests.support.room import Server, WrittenDocuments, graded_class, serving
from tests.support.written import (
    ANSWERS,
    CODE,
    COLOURS,
    COPIED,
    PROGRAM,
    STUDENTS,
)

ITEM = "1.1-sampling"


@pytest.fixture
def documents(tmp_path: Path) -> WrittenDocuments:
    return WrittenDocuments(ANSWERS, tmp_path, PROGRAM)


@pytest.fixture
def server(tmp_path: Path, documents: WrittenDocuments) -> Iterator[Server]:
    with serving(graded_class(tmp_path / "results", STUDENTS), documents=documents) as server:
        server.enter()
        server.pages.aids.comparisons.catch_up()
        yield server


def _mark(room: Room, student: str, mark: Mark, by: str = "Tim") -> None:
    room.mark(student, ITEM, mark, [], student, by=by)


def _aid(page: str, title: str) -> str:
    """Return the block of that title."""
    found = re.search(rf'<(section|details) class="aid"(?:(?!</\1>).)*{title}.*?</\1>', page, re.DOTALL)
    return found[0] if found else ""


# --- near answers -----------------------------------------------------------------------------------------------------


def test_near_answers_are_shown_once_they_are_marked(server: Server) -> None:
    assert "Nearest answers" not in server.ask("/answer/1.1/ada")[1]
    _mark(server.room, "cyd", Mark(points=2, criteria=("decoder",), comment="Which <b>prior</b>?"))
    _mark(server.room, "bob", Mark(points=0, comment="Nothing in common with it."))
    block = _aid(server.ask("/answer/1.1/ada")[1], "Nearest answers")
    assert 'href="/answer/1.1/cyd"' in block
    assert "<strong>2</strong> of 3. Met: the decoder <q>Which &lt;b&gt;prior&lt;/b&gt;?</q>" in block
    assert "bob" not in block


def test_nobody_is_shown_marks_that_they_must_not_see(tmp_path: Path, documents: WrittenDocuments) -> None:
    plan = Plan(("Ann", "Bob"), second=1.0, blind=True)
    with serving(graded_class(tmp_path / "results", STUDENTS), plan, documents) as server:
        server.enter()
        server.pages.aids.comparisons.catch_up()
        for student in ("ada", "cyd"):
            _mark(server.room, student, Mark(points=2, comment="the first mark"), by="Ann")
        path = f"/answer/1.1/{server.room.names.shown('ada')}"
        page = server.ask(path, by="Bob")[1]
        assert "You give the second mark" in page
        assert "the first mark" not in page
        page = server.ask(path, by="Ann")[1]
        block = _aid(page, "Nearest answers")
        assert server.room.names.shown("cyd") in block
        assert "the first mark" in block
        assert not re.search(r"\b(cyd|ada)\b", page), "students are shown by their pseudonyms"


# --- the order --------------------------------------------------------------------------------------------------------


def _walk(server: Server) -> list[str]:
    """Return the students in the order in which the pages link them."""
    found = []
    path = server.ask("/question/1.1/next")[2]["location"]
    while match := re.search(r'id="before" href="([^"]+)"', server.ask(path)[1]):
        path = match[1]
    while path:
        found.append(path.rpartition("/")[2])
        match = re.search(r'id="after" href="([^"]+)"', server.ask(path)[1])
        path = match[1] if match else ""
    return found


def test_a_marker_may_choose_similar_answers_one_after_the_other(server: Server) -> None:
    assert _walk(server) == list(server.room.work.order("1.1", "Tim"))
    assert "Similar answers one after the other instead" in server.ask("/")[1]
    assert json.loads(server.ask("/order", {"order": "similar"})[1]) == {"order": "similar"}, "for the script"
    status, _, headers = server.ask("/order", {"order": "similar"}, {"Accept": "text/html"})
    assert (status, headers["location"]) == (303, "/")
    assert {"httponly", "samesite=strict"} <= set(headers["set-cookie"].lower().split("; "))
    server.cookie += f"; {headers['set-cookie'].partition(';')[0]}"
    order = _walk(server)
    assert sorted(order) == sorted(STUDENTS)
    assert abs(order.index("ada") - order.index("cyd")) == 1
    assert order[-1] == "fay", "who has no text comes last"
    for place, student in enumerate(order):
        assert server.ask("/question/1.1/next")[2]["location"] == f"/answer/1.1/{student}"
        server.ask("/mark", {"student": student, "item": ITEM, "seen": "", "request": f"r{place}", "points": "1"})
    assert "An order of my own instead" in server.ask("/")[1]
    assert "own" in server.ask("/order", {"order": "x"})[2]["set-cookie"]


# --- passages ---------------------------------------------------------------------------------------------------------


def test_a_shared_passage_is_a_remark_and_no_report_shows_it(server: Server) -> None:
    page = server.ask("/answer/1.1/bob")[1]
    words = len(COPIED.replace("-", " ").split())
    assert f'Shares a passage of {words} words with <a href="/answer/1.1/dan">dan</a>: “Since the Kullback' in page
    assert "This is a remark for you" in page
    assert "Shared passages" not in server.ask("/answer/1.1/ada")[1]
    _mark(server.room, "bob", Mark(points=1))
    server.room.refresh()
    assert "passage" not in (server.room.graded.out / "bob" / "report.html").read_text()


# --- programs ---------------------------------------------------------------------------------------------------------


def test_no_text_of_a_program_becomes_markup() -> None:
    for colours in ("", COLOURS, "s" * len(CODE)):
        shown = str(listing(replace(PROGRAM, colours=colours), 3, {3, 4}))
        assert "<script" not in shown
        assert "<img" not in shown
        text = re.sub(r"</?span[^<>]*>", "", shown)
        assert "<" not in text
        assert "&lt;/pre&gt;&lt;script&gt;" in text
        assert shown.count('id="line-3-') == CODE.count("\n")
    assert re.findall(r'class="line matters" id="(.*?)" data', shown) == ["line-3-3", "line-3-4"]


def test_every_character_of_a_line_is_shown_once() -> None:
    shown = str(listing(PROGRAM, 0))
    first = '<span class="line" id="line-0-1" data-number="1"><span class="keyword">import torch</span></span>'
    assert shown.startswith(f'<span class="lines">{first}')
    rows = re.findall(r'data-number="\d+">(.*?)</span>(?=<span class="line|</span>$)', shown)
    assert [html.unescape(re.sub(r"<[^<>]*>", "", row)) for row in rows] == CODE.split("\n")[:-1]


def _fact(title: str, message: str = "", traceback: str | None = None) -> CheckFact:
    test = TestFact(name="t", title=title, outcome=Outcome.FAILED, message=message, traceback=traceback)
    return CheckFact(check="vae.kld", tests=(test,))


@pytest.mark.parametrize(
    ("fact", "lines"),
    [
        (_fact("KLD gives the KL divergence"), {3, 4}),
        (_fact("VAE.forward returns the right loss"), {7, 8}),
        (_fact("A sample of the forward pass"), set[int]()),
        (_fact("", "call sample() again"), {10, 11}),
        (_fact("An untrained VAE needs 1 bit"), {6}),
        (_fact("", "", 'File "part1/utils.py", line 13, in f\n  File "part2/utils.py", line 1, in g'), {13}),
        (_fact("", "", 'File "/utils.py", line 2, in f\n  File "utils.py", line 99999999999, in g'), {2}),
    ],
)
def test_lines_that_facts_name_matter(fact: CheckFact, lines: set[int]) -> None:
    assert lines_that_matter(PROGRAM, "part1/utils.py", [fact]) == lines


PARTS = {
    "vae": FilesOf("part1", ("utils.py", "train.py")),
    "gan": FilesOf(None, ("gan.py",), {"gan.py": ("*gan*.py",)}),
}


@pytest.mark.parametrize(
    ("name", "checks", "asked"),
    [
        ("doe/part1/utils.py", ["vae.kld"], True),
        ("part2/utils.py", ["vae.kld"], False),
        ("part1/other.py", ["vae.kld"], False),
        ("part1/utils.py", ["gan.loss"], False),
        ("my_gan.py", ["gan2018.loss"], True),
        ("my_gan.py", [], False),
    ],
)
def test_the_files_that_a_part_asks_for_are_known(name: str, checks: list[str], asked: bool) -> None:
    assert of_part(name, checks, PARTS) is asked


@pytest.mark.parametrize(
    "changed",
    [
        {"colours": "z" * 3},
        {"colours": "k" * 4},
        {"colours": "kk"},
    ],
)
def test_colours_of_another_form_are_left_out(changed: dict[str, object]) -> None:
    answer = {"text": "a\nb", "left_out": 0, "colours": "k k", "definitions": []}
    assert read_program(answer) == Program("a\nb", "k k")
    assert read_program({**answer, **changed}) == Program("a\nb")


def test_a_program_that_was_cut_has_no_colours() -> None:
    answer = {"text": "a\nb", "left_out": 5, "colours": "k k", "definitions": []}
    assert read_program(answer) == Program("a\nb\n… 5 more bytes are left out …\n")


@pytest.mark.parametrize(
    "definition",
    [
        {"name": "f", "first": 0, "last": 1},
        {"name": "f", "first": 2, "last": 1},
        {"name": "f" * 1_000, "first": 1, "last": 1},
        {"name": "f", "first": True, "last": 1},
        {"name": 1, "first": 1, "last": 1},
        "f",
    ],
)
def test_definitions_of_another_form_are_refused(definition: object) -> None:
    with pytest.raises(DocumentProblem):
        read_program({"text": "a", "left_out": 0, "colours": "k", "definitions": [definition]})


def test_colours_stay_with_their_characters_where_a_line_is_cleaned() -> None:
    text = "a\u2764\ufe0f b\nc"  # the selector is removed
    program = read_program({"text": text, "left_out": 0, "colours": "s" * len(text), "definitions": []})
    assert (program.text, program.colours) == ("a\u2764 b\nc", "     s")


# --- what the machine found -------------------------------------------------------------------------------------------


def _with_facts(graded: GradedClass, facts: Facts) -> None:
    """Replace a student's results."""
    folder = graded.out / facts.student
    write_whole(folder / "facts.json", graded.seal.sealed_json("facts", facts.student, facts.model_dump_json()))
    write_whole(folder / "grade.json", score(facts, graded.rubric).to_json())
    write_whole(folder / "figures" / "gan.diversity-0.png", examples.png())


def test_facts_are_shown_beside_the_program_as_in_the_report(tmp_path: Path, documents: WrittenDocuments) -> None:
    graded = graded_class(tmp_path / "results", STUDENTS)
    facts = examples.struggling()
    kld = _fact("KLD gives the divergence, summed").model_copy(update={"misconception": examples.LOG_VARIANCE})
    facts = facts.model_copy(update={"student": "ada", "checks": {**facts.checks, "vae.kld": kld}})
    _with_facts(graded, facts)
    with serving(graded, documents=documents) as server:
        server.enter()
        page = server.ask("/answer/1.9/ada")[1]
        block = page[page.index("What the machine found") :]
        assert "You treated log_std as a log variance" in block
        assert "The loss differs from its parts." in block
        assert "the secret message" not in page, "as the report shows them"
        assert "1.9-description" not in block.partition("Keys")[0], "what a person judges is above"
        assert 'class="line matters" id="line-1-3"' in page, "the function that the check names"
        assert "data:image" not in page
        assert server.ask("/answer/1.1/ada")[1].count("What the machine found") == 0
        assert server.ask("/figure/1.9/ada/0")[0] == 404, "this picture is gone"
        for path in ("/figure/1.9/eve2/0", "/figure/1.9/ada/7", "/figure/9.9/ada/0", "/figure/1.9/..%2fada/0"):
            assert server.ask(path)[0] == 404, path


def test_a_figure_is_a_picture_of_the_servers_own(tmp_path: Path, documents: WrittenDocuments) -> None:
    text = examples.RUBRIC.replace("{check: gan.generator, points: 3}", '{id: look, manual: "Look at it", points: 3}')
    graded = graded_class(tmp_path / "results", STUDENTS)
    graded = replace(graded, rubric=type(graded.rubric).parse(text, Path("rubric.yaml")))
    for student in STUDENTS:
        _with_facts(graded, examples.struggling().model_copy(update={"student": student}))
    with serving(graded, documents=documents) as server:
        server.enter()
        page = server.ask("/answer/2.3/ada")[1]
        assert 'src="/figure/2.3/ada/0"' in page
        status, _, headers = server.ask("/figure/2.3/ada/0")
        assert (status, headers["content-type"]) == (200, "image/png")


# --- corrected places -------------------------------------------------------------------------------------------------


def _place(server: Server, **fields: object) -> tuple[int, dict[str, object]]:
    sent = {"student": "ada", "question": "1.1", "file": 0, "page": 0, "y": 0.5, **fields}
    status, text, _ = server.ask("/place", sent)
    return status, json.loads(text)


def test_a_corrected_place_is_remembered_until_the_submission_changes(
    tmp_path: Path, server: Server, documents: WrittenDocuments
) -> None:
    assert 'data-page="page-0-0" data-at="0.1"' in server.ask("/answer/1.1/ada")[1]
    assert _place(server, y="0.25")[0] == 200
    assert 'data-page="page-0-0" data-at="0.25"' in server.ask("/answer/1.1/ada")[1]
    assert _place(server, file=1)[0] == 200
    assert 'data-page="file-1" data-at="0.5"' in server.ask("/answer/1.1/ada")[1]
    again = WrittenDocuments(ANSWERS, tmp_path, PROGRAM)
    assert again.place("ada", "1.1") == Place(1, 0, 0.5), "also after a restart"
    documents.hash = "another"
    assert 'data-page="page-0-0" data-at="0.1"' in server.ask("/answer/1.1/ada")[1]


@pytest.mark.parametrize(
    "fields",
    [
        *({"student": "nobody"}, {"student": "../ada"}, {"question": "9.9"}, {"file": 9}, {"file": "x"}, {"y": "high"}),
        *({"file": ""}, {"student": ""}, {"question": "x" * 20_000}),
    ],
)
def test_a_place_that_there_is_not_is_refused(fields: dict[str, object], server: Server, tmp_path: Path) -> None:
    status, told = _place(server, **fields)
    assert status == 422
    assert told["problem"]
    assert not (tmp_path / "places").exists()


def test_other_pages_cannot_change_a_place_or_the_order(server: Server) -> None:
    for path in ("/place", "/order"):
        assert server.ask(path, {"order": "similar"}, {"Origin": "http://evil.example"})[0] == 403
        assert server.ask(path)[0] == 405


def test_records_of_others_and_damaged_ones_are_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "places"
    owners = Owners.of(tmp_path)
    Corrections(folder, owners).add("ada", "a", "1.1", Corrected("a.pdf", 1, 0.5))
    assert Corrections(folder, owners).of("ada", "a") == {"1.1": Corrected("a.pdf", 1, 0.5)}
    assert Corrections(folder, owners).of("ada", "b") == {}
    (folder / "ada.json").write_text('{"sha256": "a", "places": {"1.1": {"file": "a.pdf", "page": "1", "y": 0.5}}}')
    assert Corrections(folder, owners).of("ada", "a") == {}
    (folder / "ada.json").unlink()
    (folder / "ada.json").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="symbolic link"):
        Corrections(folder, owners).of("ada", "a")
