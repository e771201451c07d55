"""The pages in headless Chromium: no console messages, nothing too wide, and the right numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengrade.facts import Facts, Named, Outcome
from gengrade.grade import score
from gengrade.people import Handed, Person, people_of
from gengrade.report.github import github_annotations
from gengrade.report.index import index_page
from gengrade.report.student import student_page
from gengrade.report.text import SEEMS
from gengrade.rubric import Rubric
from tests.attacks import shown
from tests.support import report_examples as examples
from tests.support.browser import Seen, look, needs_browser

pytestmark = needs_browser

LONG = "x" * 300


def _student(facts: Facts, folder: Path, page: str | None = None) -> tuple[dict[int, Seen], str]:
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures" / "gan.diversity-0.png").write_bytes(examples.png())
    late = examples.standing(facts.student == "roejohn")
    return look(page or student_page(score(facts, examples.rubric(), standing=late), facts, folder), folder)


def _assert_sound(seen: dict[int, Seen], console: str) -> None:
    assert console == ""
    for page in seen.values():
        assert page.scroll <= page.width
        assert page.overflowing == []
        assert page.broken == []
        assert len(page.ids) == len(set(page.ids))
        assert page.headings[0] == 1
        assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))


def test_report_of_a_struggling_student(tmp_path: Path) -> None:
    facts = examples.struggling()
    seen, console = _student(facts, tmp_path)
    _assert_sound(seen, console)
    for page in seen.values():
        assert page.total == "3.75"  # 4.17 less a tenth for lateness
        assert page.images == [64]
        assert page.scripts == 0
        assert "Reduced isolation" in page.text
        assert "secret" not in page.text
        assert f"{SEEMS} {examples.LOG_VARIANCE.sentence}" in page.text
        assert "This comes from the same mistake as vae.kld, above." in page.text


def test_report_of_a_complete_student(tmp_path: Path) -> None:
    seen, console = _student(examples.facts(), tmp_path)
    _assert_sound(seen, console)
    assert {page.total for page in seen.values()} == {"24"}
    assert all("Reduced isolation" not in page.text for page in seen.values())


def test_the_attacks_know_each_element_of_an_honest_report(tmp_path: Path) -> None:
    """Otherwise each attack on a page would seem to have added one."""
    facts, page = examples.struggling(), tmp_path / "page.html"
    grade = score(facts, examples.rubric())
    for text in (student_page(grade, facts, tmp_path), index_page([grade])):
        page.write_text(text)
        assert shown.page_faults(page) == []
    assert shown.workflow_faults(github_annotations([grade])) == []


def test_report_with_text_of_a_hostile_student(tmp_path: Path) -> None:
    attack = "</pre><script>console.error('ran')</script><img src=x onerror=console.error('ran')>\x1b[31m"
    facts = examples.facts(
        examples.fact(
            "vae.kld",
            Outcome.ERROR,
            attack + LONG,
            expected=attack + LONG,
            got=attack + LONG,
            traceback=attack + LONG,
            output=attack + LONG,
        ),
        student=f"<b>{LONG}",
    )
    seen, console = _student(facts, tmp_path)
    _assert_sound(seen, console)
    assert all(page.images == [] and page.scripts == 0 for page in seen.values())
    assert all("<script>console.error" in page.text for page in seen.values())


def test_policy_stops_what_escaping_would_miss(tmp_path: Path) -> None:
    facts = examples.facts()
    page = student_page(score(facts, examples.rubric()), facts, tmp_path)
    page = page.replace("</main>", "<script>document.getElementById('total').textContent = '100'</script></main>")
    seen, console = _student(facts, tmp_path, page)
    assert {each.total for each in seen.values()} == {"24"}
    assert "Content Security Policy" in console


@pytest.mark.parametrize(("click", "rows"), [("", ["a", "b", "roejohn"]), ("Total", ["roejohn", "b", "a"])])
def test_index_sorts_and_fits(tmp_path: Path, click: str, rows: list[str]) -> None:
    best, middle = examples.facts(student="a"), examples.facts(examples.fact("vae.kld", Outcome.FAILED), student="b")
    grades = [score(facts, examples.rubric()) for facts in (examples.struggling(), best, middle)]
    seen, console = look(index_page(grades), tmp_path, click=click)
    _assert_sound(seen, console)
    for page in seen.values():
        assert page.rows == rows
        assert "the sandbox did not start" in page.text


def test_index_of_a_class_with_a_roster_fits(tmp_path: Path) -> None:
    """Names of hostile people, who handed in nothing, alone, in a group, or what two of them may have handed in."""
    name = f"<script>console.error('ran')</script>{LONG}"
    rows = ((LONG, LONG, ""), ("2", "Blue", "a"), ("3", "Blue", ""), ("4", "", "b"))
    roster = [Person(line=2, id=id_, name=f"{name}{id_}", group=group, submission=sent) for id_, group, sent in rows]
    twice = [Person(line=line, id=f"{LONG}{line}", name=LONG) for line in (7, 8)]
    handed = {
        "a": Handed(name="a"),
        "b": Handed(name="b"),
        LONG: Handed(name=LONG, late=True),
        "stray": Handed(name=""),
    }
    people = people_of(handed, [*roster, *twice], None).people
    rubric = Rubric.parse(examples.RUBRIC.replace("penalty: 0.1", "penalty: 0.1, per: day"), Path("rubric.yaml"))
    grades = [score(examples.facts(student=id_), rubric, standing=people.standing(id_)) for id_ in handed]
    seen, console = look(index_page(grades, {}, people), tmp_path)
    _assert_sound(seen, console)
    for page in seen.values():
        assert len(page.rows) == 5
        for words in ("may belong to", "In no row of the roster", "Nothing handed in", "not known by how much"):
            assert words in " ".join(page.text.split())
    seen, console = look(student_page(grades[0], examples.facts(student="a"), tmp_path), tmp_path)
    _assert_sound(seen, console)


def test_index_shows_what_a_class_shares_and_fits(tmp_path: Path) -> None:
    wrong = examples.fact("vae.kld", Outcome.FAILED, "It differs.", expected=LONG, got=LONG)
    loss = examples.explained(
        examples.fact("vae.loss", Outcome.FAILED, LONG), Named(name=f"loss.{LONG}", sentence=f"You {LONG}.")
    )
    students = [
        examples.facts(examples.unexplained(wrong, mean=1.0), *([loss] if number else []), student=f"student{number}")
        for number in range(3)
    ]
    grades = [score(facts, examples.rubric()) for facts in (examples.struggling(), *students)]
    seen, console = look(index_page(grades), tmp_path)
    _assert_sound(seen, console)
    for page in seen.values():
        assert "vae.kld 3 of 4" in page.text
        assert f"You {LONG}." in page.text
        assert examples.LOG_VARIANCE.sentence in page.text
