"""What students ask about their marks: entered, answered, and shown in their reports."""

from __future__ import annotations

import html
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gengrade.grade import AskedQuestion, score
from gengrade.marks import Marks, Store, opened
from gengrade.marks import questions as asking
from gengrade.report.student import student_page
from tests.support import report_examples as examples
from tests.support.room import Server, graded_class, serving

ITEM = "1.1-sampling"
HOSTILE = '"><script>alert(1)</script>{{ 7 * 7 }}\u202e'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "results" / "marks", "An assignment") as store:
        yield store


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(graded_class(tmp_path / "results")) as server:
        server.enter()
        yield server


def _ask(store: Store, text: str = "Why 2?", points: float | None = 2, request: str | None = None) -> int:
    return asking.ask(store, "ada", ITEM, text, points, by="Ann", source="t", request=request)


def test_a_question_is_open_until_it_is_answered_and_the_newest_answer_counts(store: Store) -> None:
    number = _ask(store, " Why 2?\r\nReally? ")
    ((asked,),) = store.current("ada").asked.values()
    assert (asked.text, asked.points, asked.by, asked.answer) == ("Why 2?\nReally?", 2, "Ann", None)
    before = store.current("ada").sha256
    asking.answer(store, number, "Since …", 2, by="Bob", source="t")
    asking.answer(store, number, "Right you are.", 3, by="Cyd", source="t")
    ((asked,),) = store.all_current()["ada"].asked.values()
    assert asked.answer is not None
    assert (asked.answer.text, asked.answer.points, asked.answer.by) == ("Right you are.", 3, "Cyd")
    assert len({None, before, store.current("ada").sha256}) == 3
    asking.withdraw(store, number, by="Ann", source="t")
    assert store.current("ada") == Marks()
    for act in (lambda: asking.answer(store, number, "x", 1, by="Ann", source="t"), lambda: _ask(store, " ")):
        with pytest.raises(asking.QuestionError):
            act()


def test_a_repeated_request_asks_and_answers_once(store: Store) -> None:
    assert _ask(store, request="r") == _ask(store, request="r") != _ask(store, request="s")
    for _ in range(2):
        asking.answer(store, 1, "So.", None, by="Ann", source="t", request="a")
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (1,)
        for table in ("questions", "answers"):
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET text = ''"):
                with pytest.raises(sqlite3.IntegrityError, match="never"):
                    connection.execute(statement)


def test_questions_follow_a_student_who_was_renamed(store: Store) -> None:
    first, _ = _ask(store), _ask(store, "And now?")
    asking.answer(store, first, "So.", 3, by="Bob", source="t")
    asking.move(store, store.questions("ada"), "ada_1", source="t")
    assert store.questions("ada") == []
    assert [(each.text, each.by, each.answer and each.answer.by) for each in store.questions("ada_1")] == [
        ("Why 2?", "Ann", "Bob"),
        ("And now?", "Ann", None),
    ]


def test_a_report_shows_question_answer_and_points_before_and_after(store: Store, tmp_path: Path) -> None:
    number = _ask(store, f"Why? {HOSTILE}")
    grade = score(examples.facts(), examples.rubric(), store.current("ada"))
    page = student_page(grade, examples.facts(), tmp_path)
    assert "None yet" in page
    asking.answer(store, number, f"Look. {HOSTILE}", 2.5, by="Bob", source="t")
    grade = score(examples.facts(), examples.rubric(), store.current("ada"))
    item = next(item for item in grade.items if item.id == ITEM)
    assert item.questions == (
        AskedQuestion(question=f"Why? {HOSTILE}", points=2, answer=f"Look. {HOSTILE}", points_after=2.5),
    )
    page = student_page(grade, examples.facts(), tmp_path)
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "2 before, 2.5 after the answer" in page
    assert "{{ 7 * 7 }}" in html.unescape(page)


def test_a_question_is_entered_and_answered_on_the_marking_page(server: Server) -> None:
    sent = {"student": "ada", "item": ITEM, "question": f"Why? {HOSTILE}", "request": "q"}
    mark = {"student": "ada", "item": ITEM, "seen": "", "request": "m", "judged": 1, "criteria": "decoder"}
    server.ask("/mark", mark)
    for _ in range(2):
        status, _, headers = server.ask("/questions/ask", sent)
        assert (status, headers["location"]) == (303, "/answer/1.1/ada")
    assert "1 question of students is open" in server.ask("/")[1]
    page = server.ask("/answer/1.1/ada")[1]
    assert "The student asks" in page
    assert "The student asks" not in server.ask("/answer/1.1/bob")[1]
    assert '<a href="/answer/1.1/ada">' in server.ask("/questions")[1]
    (head,) = server.room.current("ada")[ITEM]
    server.ask("/mark", {**mark, "seen": str(head.id), "request": "n", "criteria": ["prior", "decoder"]})
    (number,) = set(re.findall(r'name="number" value="(\d+)"', page))
    status, _, headers = server.ask("/questions/answer", {"number": number, "answer": HOSTILE, "request": "a"})
    assert (status, headers["location"]) == (303, "/answer/1.1/ada")
    (asked,) = server.room.questions()
    assert asked.answer is not None
    assert (asked.points, asked.answer.points, asked.answer.by) == (2, 3, "Tim")
    server.room.refresh()
    report = (server.room.graded.out / "ada" / "report.html").read_text()
    assert "2 before, 3 after the answer" in report
    for page in (report, *(server.ask(path)[1] for path in ("/", "/questions", "/answer/1.1/ada"))):
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "is open" not in page
    server.ask("/questions/withdraw", {"number": number})
    server.room.refresh()
    assert "Your question" not in (server.room.graded.out / "ada" / "report.html").read_text()


@pytest.mark.parametrize(
    ("path", "fields", "problem"),
    [
        ("ask", {"student": "ada", "item": ITEM, "question": " ", "request": "r"}, "has no text"),
        ("ask", {"student": "ada", "item": ITEM, "question": "x" * 10_001, "request": "r"}, "more than 10000"),
        ("ask", {"student": "eve", "item": ITEM, "question": "Why?", "request": "r"}, "no such student"),
        ("ask", {"student": "ada", "item": "nothing", "question": "Why?", "request": "r"}, "no such student or item"),
        ("answer", {"number": "7", "answer": "So.", "request": "r"}, "no question 7"),
        ("answer", {"number": "x", "answer": "So.", "request": "r"}, "cannot be understood"),
        ("withdraw", {"number": "7"}, "no question 7"),
    ],
)
def test_what_cannot_be_asked_is_said_on_a_page(
    path: str, fields: dict[str, str], problem: str, server: Server
) -> None:
    status, page, _ = server.ask(f"/questions/{path}", fields)
    assert status == 422
    assert problem in page
    assert server.room.questions() == []
