"""Reports on paper and on a phone, as Chromium prints and shows them."""

from __future__ import annotations

import ctypes
import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from gengrade.course import DEFAULT, courses
from gengrade.facts import CheckFact, Facts, Figure, Outcome, TestFact
from gengrade.grade import score
from gengrade.people import Handed, Person, people_of
from gengrade.report.index import index_page
from gengrade.report.student import student_page
from gengrade.rubric import Rubric
from tests.support import report_examples as examples
from tests.support.browser import asked, needs_browser, printed

pytestmark = needs_browser

PHONE = 390
RED = (255, 0, 0)
# Whatever announces what comes below it; the colour changes no line break.
HEADINGS = "h1, h2, h3, h4, .question-head *, .verdict *, summary, thead th, thead th *, tr.part *"
RUBRIC = Rubric.load(courses()[DEFAULT].rubric)


@dataclass(frozen=True)
class Sheet:
    """A printed page: its text, whether its lowest text is a heading, and how far down it is filled, 0 to 1."""

    text: str
    ends_with_heading: bool
    filled: float


def _sheets(page: str, folder: Path, shift: int = 0) -> list[Sheet]:
    """Print a page whose headings are red; `shift` pixels at its top move all page breaks."""
    page, found = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    assert found == 1, "it would forbid the colour"
    style = f"<style>body {{ padding-top: {shift}px !important; }} {HEADINGS} {{ color: rgb{RED} !important; }}</style>"
    paper = printed(page.replace("</head>", f"{style}</head>"), folder)
    with pypdfium2.PdfDocument(paper) as document:
        return [_sheet(sheet) for sheet in document]


def _sheet(sheet: pypdfium2.PdfPage) -> Sheet:
    lowest = min(_texts(sheet), default=(0.0, False))
    ink = np.asarray(sheet.render(scale=1).to_pil().convert("L")) < 250
    rows = np.flatnonzero(ink.any(axis=1))
    margin = 16 / 25.4 * 72  # of style.css, in points
    height = sheet.get_height() - 2 * margin
    return Sheet(sheet.get_textpage().get_text_range(), lowest[1], float(rows[-1] - margin) / height)


def _texts(sheet: pypdfium2.PdfPage) -> Iterator[tuple[float, bool]]:
    """Yield the lower edge of each piece of text, and whether it is part of a heading."""
    for text in sheet.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT], max_depth=10):
        colours = [ctypes.c_uint() for _ in range(4)]
        pdfium.FPDFPageObj_GetFillColor(text.raw, *map(ctypes.byref, colours))
        yield text.get_bounds()[1], tuple(each.value for each in colours[:3]) == RED


def _long(seed: int, *, pictures: bool) -> Facts:
    """Return facts with items of every length: some with several tests, tracebacks, or pictures."""
    rng = random.Random(seed)

    def words(most: int) -> str:
        return " ".join(
            rng.choice(("the", "loss", "differs", "z", "log_std", "decoder")) for _ in range(rng.randint(3, most))
        )

    def test(check: str, number: int) -> TestFact:
        outcome = rng.choice((Outcome.PASSED, Outcome.PASSED, Outcome.FAILED, Outcome.ERROR))
        wrong = outcome is not Outcome.PASSED
        return TestFact(
            name=f"test_{number}",
            title=f"Test {number} of {check}: {words(12)}",
            outcome=outcome,
            message=words(60) if wrong else "",
            expected=words(8) if wrong else None,
            got=words(8) if wrong else None,
            traceback="\n".join(words(9) for _ in range(rng.randint(4, 30))) if outcome is Outcome.ERROR else "",
            seconds=0.1,
        )

    checks = {
        check: CheckFact(check=check, tests=tuple(test(check, number) for number in range(rng.randint(1, 6))))
        for check in RUBRIC.checks()
    }
    figures = tuple(
        Figure(check=check, caption=words(20), alt="A picture.", file="figure.png", sha256=_digest())
        for check in sorted(checks)[:: 4 if pictures else len(checks)]
    )
    base = examples.facts(figures=figures, student="vandenberg_4711815")
    return base.model_copy(update={"checks": checks, "measures": {}})


def _digest() -> str:
    return hashlib.sha256(_picture()).hexdigest()


def _picture() -> bytes:
    return examples.png(640, 480)


def _report(folder: Path, seed: int, *, pictures: bool = False) -> str:
    (folder / "figure.png").write_bytes(_picture())
    facts = _long(seed, pictures=pictures)
    return student_page(score(facts, RUBRIC), facts, folder)


@cache
def _class(number: int = 24) -> str:
    """Return the page of a class whose names and ids are as long as they get."""
    rng = random.Random(1)
    names = ("van_den_berg_jansen_", "vandenbergjansen")
    handed = {f"{names[place % 2]}{4711000 + place * 37}": Handed(name="") for place in range(number)}
    roster = [
        Person(line=place, id=f"u{900000 + place}", name=f"Maximiliane van den Berg {place}", submission=id_)
        for place, id_ in enumerate(handed)
    ]
    people = people_of(handed, roster[: number // 2], None).people
    grades = []
    for id_ in handed:
        facts = _long(rng.randint(0, 9), pictures=False).model_copy(update={"student": id_})
        grades.append(score(facts, RUBRIC, standing=people.standing(id_)))
    return index_page(grades, {}, people)


@pytest.mark.parametrize("shift", [0, *(pytest.param(each, marks=pytest.mark.slow) for each in (300, 700))])
def test_no_heading_is_the_last_thing_on_a_page_and_none_is_half_empty(tmp_path: Path, shift: int) -> None:
    sheets = _sheets(_report(tmp_path, seed=shift), tmp_path, shift)
    assert len(sheets) > 10
    assert [place for place, sheet in enumerate(sheets[:-1], 1) if sheet.ends_with_heading] == []
    assert {place: sheet.filled for place, sheet in enumerate(sheets[:-1], 1) if sheet.filled < 0.5} == {}


def test_pictures_leave_no_page_half_empty(tmp_path: Path) -> None:
    sheets = _sheets(_report(tmp_path, seed=1, pictures=True), tmp_path)
    assert {place: sheet.filled for place, sheet in enumerate(sheets[:-1], 1) if sheet.filled < 0.5} == {}
    assert [place for place, sheet in enumerate(sheets, 1) if sheet.ends_with_heading] == []


@pytest.mark.parametrize("shift", [0, pytest.param(400, marks=pytest.mark.slow)])
def test_the_class_on_paper(tmp_path: Path, shift: int) -> None:
    sheets = _sheets(_class(), tmp_path, shift)
    assert [place for place, sheet in enumerate(sheets[:-1], 1) if sheet.ends_with_heading] == []
    assert {place: sheet.filled for place, sheet in enumerate(sheets[:-1], 1) if sheet.filled < 0.5} == {}


@pytest.mark.slow
def test_no_id_breaks_within_its_number(tmp_path: Path) -> None:
    pages = {"report": _report(tmp_path, seed=1), "index": _class()}
    for name, page in pages.items():
        numbers = set(re.findall(r'<span class="id[^>]*>([^<]*)</span>', page))
        assert len(numbers) > 15, name
        paper = "\n".join(sheet.text for sheet in _sheets(page, tmp_path))
        for number in (each for each in numbers if len(each) > 3):
            whole, in_pieces = re.escape(number), r"(?:\r?\n)?".join(map(re.escape, number))
            found = [len(re.findall(rf"(?<![^\W_.]){each}(?![^\W_])", paper)) for each in (whole, in_pieces)]
            assert found[0] == found[1] > 0, (name, number)
        for width in (PHONE, 700, 1200):
            lines = asked(
                page, tmp_path, width, '[...page.querySelectorAll(".id")].map((id) => id.getClientRects().length)'
            )
            assert set(lines) <= {0, 1}, (name, width)  # 0: folded


def test_the_heading_of_a_table_is_repeated_on_each_of_its_pages(tmp_path: Path) -> None:
    sheets = _sheets(_class(), tmp_path)
    held = [sheet.text for sheet in sheets if sheet.text.count("unknown") > 3]
    assert len(held) > 1
    assert all(re.search(r"Student\s", text) and "Penalty" in text for text in held)


CELLS = """[...page.querySelectorAll("table.cards tbody td")].map((cell) => {
    const box = cell.getBoundingClientRect();
    const headings = [...cell.closest("table").tHead.rows[0].cells].map((heading) => heading.textContent.trim());
    return {
        shown: box.left >= 0 && box.right <= page.documentElement.clientWidth + 0.5 && box.height > 0 && box.width > 0,
        folded: cell.closest("details:not([open])") !== null,
        label: page.defaultView.getComputedStyle(cell, "::before").content,
        heading: headings[cell.cellIndex], spans: cell.colSpan > 1, text: cell.textContent,
    };
})"""


def test_each_column_of_the_class_is_reached_on_a_phone(tmp_path: Path) -> None:
    page = _class(12)
    cells = [cell for cell in asked(page, tmp_path, PHONE, CELLS) if not cell["folded"]]
    assert len(cells) > 12 * 8
    assert [cell for cell in cells if not cell["shown"] and cell["text"]] == []
    assert [cell for cell in cells if not cell["spans"] and cell["label"] != f'"{cell["heading"]}"'] == []
    wide = asked(page, tmp_path, 1200, CELLS)
    assert {cell["label"] for cell in wide} == {"none"}, "there, the table has its headings"


def test_the_class_is_sorted_on_a_phone(tmp_path: Path) -> None:
    buttons = asked(
        _class(12),
        tmp_path,
        PHONE,
        '[...page.querySelectorAll(".sortable thead button")].map((button) => button.getBoundingClientRect())',
    )
    assert len(buttons) > 8
    assert all(button["left"] >= 0 and button["right"] <= PHONE and button["height"] > 0 for button in buttons)
