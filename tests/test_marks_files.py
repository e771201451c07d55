"""Marks in YAML and CSV: every mistake is named with its line, and what is written is read as the same marks."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gengrade.marks import EventKind, Mark, table
from gengrade.marks.files import parse, to_yaml
from gengrade.marks.model import Event
from gengrade.rubric import Rubric, Wording
from tests.support import marked
from tests.support import report_examples as examples

FILE = Path("doejane.yaml")
CRITERIA = "criteria: [{id: prior, text: the prior, points: 1}, {id: decoder, text: the decoder, points: 2}]"


def rubric() -> Rubric:
    """The example's rubric, with criteria for its first item."""
    text = examples.RUBRIC.replace('in the right order", points: 3', f'in the right order", points: 3, {CRITERIA}')
    return Rubric.parse(text, Path("rubric.yaml"))


def read(text: str) -> dict[str, Mark]:
    marks, mistakes = parse(text.encode(), FILE, rubric())
    assert mistakes == []
    return marks


def test_marks_are_points_criteria_or_comments() -> None:
    assert read(
        "1.1-sampling: {criteria: [decoder]}\n1.9-description: {points: 0, comment: Nothing here.}\n"
        "vae.kld: 1.5\nvae.loss: {comment: See me.}\n"
    ) == {
        "1.1-sampling": Mark(points=2, criteria=("decoder",)),
        "1.9-description": Mark(points=0, comment="Nothing here."),
        "vae.kld": Mark(points=1.5),
        "vae.loss": Mark(comment="See me."),
    }
    assert read("") == {}
    assert read("1.1-sampling: {criteria: []}\n") == {"1.1-sampling": Mark(points=0, criteria=())}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("1.1-sampling: 3\n1.1-samplings: 1\n", 2, 'no item "1.1-samplings" (did you mean "1.1-sampling"?)'),
        ("1.9-5: 1\n", 1, "an id is no position any more; question 1.9 has vae.kld, vae.loss, vae.train_bpd"),
        ("\n1.1-sampling: {points: 3.5}\n", 2, '3.5 points for "1.1-sampling" exceed its maximum of 3'),
        ("1.1-sampling: -1\n", 1, '"1.1-sampling" is not usable'),
        ("1.1-sampling: 2,5\n", 1, '"2,5" is not a number of points: write 2.5'),
        ("1.1-sampling: {points: '2,5'}\n", 1, "write 2.5"),
        ("1.1-sampling: two\n", 1, "write one, such as 2.5"),
        ("1.1-sampling: 1.234\n", 1, "finer than a hundredth"),
        ("1.1-sampling: {points: .nan}\n", 1, '"points" must be a finite number'),
        ("1.1-sampling: {}\n", 1, "neither points nor a comment"),
        ("1.1-sampling: {points: 1, coment: good}\n", 1, 'the key "coment" is unknown (did you mean "comment"?)'),
        ("1.1-sampling: 1\n1.1-sampling: 2\n", 2, 'the key "1.1-sampling" is repeated'),
        ("1.1-sampling: {criteria: [encoder]}\n", 1, 'no criterion "encoder": it has prior, decoder'),
        ("vae.kld: {criteria: [encoder]}\n", 1, "it has none, so give points"),
        ("1.1-sampling: {criteria: [prior], points: 3}\n", 1, "add up to 1 and not to 3"),
        ("1.1-sampling: true\n", 1, '"1.1-sampling" needs points, such as 2.5'),
        ("1.1-sampling:\n", 1, '"1.1-sampling" needs points, such as 2.5'),
        ("[1, 2]\n", 1, "must be a mapping"),
        ("1.1-sampling: [\n", 2, "not valid YAML"),
    ],
)
def test_wrong_marks_are_refused_where_they_are_wrong(text: str, line: int, reason: str) -> None:
    marks, mistakes = parse(text.encode(), FILE, rubric())
    assert [mistake.line for mistake in mistakes] == [line]
    assert reason in str(mistakes[0])
    assert "\n" not in str(mistakes[0])
    assert len(marks) <= 1


def test_points_other_than_the_criterias_need_a_comment() -> None:
    mark = read("1.1-sampling: {criteria: [prior], points: 2, comment: The decoder is half right.}\n")["1.1-sampling"]
    assert (mark.points, mark.criteria) == (2, ("prior",))


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = "1.1-sampling: 9\nvae.kld: 1\nvae.kld: 1\nvae.los: 2\nvae.loss: 2,5\n1.9-description: 2\n"
    marks, mistakes = parse(text.encode(), FILE, rubric())
    assert [mistake.line for mistake in mistakes] == [1, 3, 4, 5]
    assert set(marks) == {"vae.kld", "1.9-description"}


_ITEMS = st.sampled_from(["1.9-description", "vae.kld", "vae.loss", "theory.kl_examples"])
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_HUNDREDTHS = st.integers(0, 200).map(lambda number: number / 100)


@settings(deadline=None)
@given(st.dictionaries(_ITEMS, st.builds(Mark, points=_HUNDREDTHS, comment=_TEXT)))
def test_yaml_is_read_as_it_was_written(marks: dict[str, Mark]) -> None:
    assert parse(to_yaml(marks).encode(), FILE, rubric()) == (marks, [])


@settings(deadline=None)
@given(st.lists(st.builds(Mark, points=st.none() | _HUNDREDTHS, comment=_TEXT), max_size=4))
def test_csv_is_read_as_it_was_written(marks: list[Mark]) -> None:
    events = [marked.event("vae.kld", mark, _wording(), number) for number, mark in enumerate(marks) if mark != Mark()]
    rows, mistakes = table.parse(table.to_csv(events).encode(), Path("m.csv"), rubric(), {"doejane": "Jane Doe"})
    assert mistakes == []
    assert [(row.mark, row.event) for row in rows] == [(event.mark, event.id) for event in events]


def _wording() -> Wording:
    return next(entry.wording for entry in rubric().entries() if entry.id == "vae.kld")


def test_criteria_survive_a_table() -> None:
    marks = [Mark(points=1, criteria=("prior",)), Mark(points=0, criteria=())]
    events = [
        Event(number, marked.NOW, "Tim", "test", EventKind.MARK, "doejane", "1.1-sampling", mark, None, ())
        for number, mark in enumerate(marks)
    ]
    rows, _ = table.parse(table.to_csv(events).encode(), Path("m.csv"), rubric(), {"doejane": "Jane Doe"})
    assert [row.mark for row in rows] == marks


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_spreadsheets_table_is_read(separator: str) -> None:
    """Some write semicolons, all put a byte order mark in front of UTF-8."""
    text = "student,item,points,comment\r\ndoejane,vae.kld,1.5,Gut\r\n".replace(",", separator)
    rows, mistakes = table.parse(b"\xef\xbb\xbf" + text.encode(), Path("m.csv"), rubric(), {"doejane": "Jane Doe"})
    assert mistakes == []
    assert [(row.student, row.mark) for row in rows] == [("doejane", Mark(points=1.5, comment="Gut"))]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["doe", "vae.kld", "1", "", "", ""], 'no student has the id "doe"'),
        (["doejane", "vae.kl", "1", "", "", ""], '(did you mean "vae.kld"?)'),
        (["doejane", "vae.kld", "1,5", "", "", ""], "write 1.5"),
        (["doejane", "vae.kld", "-1", "", "", ""], "not a number of points"),
        (["doejane", "vae.kld", "9", "", "", ""], "exceed its maximum of 2"),
        (["doejane", "vae.kld", "1.005", "", "", ""], "finer than a hundredth"),
        (["doejane", "vae.kld", "1", "a", "", ""], "it has none"),
        (["doejane", "vae.kld", "1", "", "", "x"], "not a number of an event"),
        (["doejane", "vae.kld", "1", "", "", "", "more"], "more cells than the first line"),
    ],
)
def test_wrong_rows_are_refused_with_their_line(row: list[str], reason: str) -> None:
    text = io.StringIO()
    header = ["student", "item", "points", "criteria", "comment", "event"]
    csv.writer(text).writerows([header, ["doejane", "vae.loss", "1", "", "", ""], row])
    rows, mistakes = table.parse(text.getvalue().encode(), Path("m.csv"), rubric(), {"doejane": "Jane Doe"})
    assert [mistake.line for mistake in mistakes] == [3]
    assert reason in str(mistakes[0])
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Student, Item ,points,comments\n", 'no column "comments" (did you mean "comment"?)'),
        (b"a,b\n", 'the column "student" is missing'),
        (b"\xff\n", "not UTF-8"),
        (b"", 'the column "student" is missing'),
    ],
)
def test_what_is_no_table_of_marks_is_refused(content: bytes, reason: str) -> None:
    rows, (mistake,) = table.parse(content, Path("m.csv"), rubric(), {})
    assert rows == []
    assert reason in str(mistake)


def test_empty_rows_of_a_spreadsheet_are_no_mistake() -> None:
    content = b"Student,Item,Points\ndoejane,vae.kld,1\n,,\n"
    rows, mistakes = table.parse(content, Path("m.csv"), rubric(), {"doejane": "Jane Doe"})
    assert (len(rows), mistakes) == (1, [])


def test_a_name_in_the_place_of_an_id_gets_its_id() -> None:
    content = b"student,item,points\nDoe Jane,vae.kld,1\n"
    _, (mistake,) = table.parse(content, Path("m.csv"), rubric(), {"doejane": "Jane Doe", "roe": "Jim Roe"})
    assert '"Doe Jane" (did you mean "doejane"?)' in str(mistake)
