"""Measure the marking room's server with a class of five hundred, all of whose written answers are marked."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.measure import Row
from gengrade.engine import rescore
from gengrade.marks import Change, Mark, opened
from gengrade.room import Plan
from gengrade.room.passages import shared
from gengrade.room.similarity import compare
from tests.support.room import Server, graded_class, serving

_STUDENTS = 500
_TIMES = 20
_WORDS = 400  # of an answer
_ITEM = "1.1-sampling"


def measure(folder: Path) -> list[Row]:
    graded = graded_class(folder / "results", [f"student-{number:03}" for number in range(_STUDENTS)])
    manual = [entry for entry in graded.rubric.entries() if not entry.checks]
    with opened(graded.marks, graded.rubric.assignment) as store, store.transaction():
        mark = Mark(points=1, comment="A comment of the usual length about what is missing.")
        changes = [Change(student, entry.id, mark, entry.wording) for student in graded.names for entry in manual]
        store.add(changes, by="Tim", source="benchmark")
    with serving(graded, Plan(("Ann", "Bob", "Cyd"), second=0.1)) as server:
        server.enter()
        before = psutil.Process().memory_info().rss
        rows = [
            _row("the class page", 0.3, lambda number: _get(server, "/")),
            _row("an answer's page", 0.05, lambda number: _get(server, f"/answer/1.1/student-{number:03}")),
            _row("the next open answer", 0.05, lambda number: _get(server, "/question/1.1/next")),
            _row("a mark, on the disk", 0.03, lambda number: _mark(server, number)),
        ]
        rows.append(_row("one student's points and report", 0.05, lambda number: _rescore(server, number)))
        rows.append(
            Row("  memory beyond that of the class itself", f"{(psutil.Process().memory_info().rss - before) >> 20} MB")
        )
    return [*rows, *_compared()]


def _compared() -> list[Row]:
    """Measure the comparison of five hundred answers of a page each, to one question."""
    draw = random.Random(0)
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(3_000)]
    frequencies = [1 / (1 + place) for place in range(len(vocabulary))]  # Zipf's law
    texts = {
        f"student-{number:03}": " ".join(draw.choices(vocabulary, frequencies, k=_WORDS)) for number in range(_STUDENTS)
    }
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    compare(texts)
    between = time.perf_counter()
    shared(texts, _STUDENTS)
    ended = time.perf_counter()
    title = f"room, {_STUDENTS} answers of {_WORDS} words, in the background"
    return [
        Row(f"{title}: similarity", f"{between - began:.1f} s", "10 s", between - began <= 10),
        Row(f"{title}: shared passages", f"{ended - between:.1f} s", "10 s", ended - between <= 10),
        Row("  memory that stays after both", f"{max(0, psutil.Process().memory_info().rss - before) >> 20} MB"),
    ]


def _row(what: str, goal: float, act: Callable[[int], object]) -> Row:
    """Measure the median of some repetitions, in seconds."""
    seconds = []
    for number in range(_TIMES):
        began = time.perf_counter()
        act(number)
        seconds.append(time.perf_counter() - began)
    middle = statistics.median(seconds)
    title = f"room, {_STUDENTS} students: {what}"
    return Row(
        title, f"{1000 * middle:.0f} ms, at most {1000 * max(seconds):.0f}", f"{1000 * goal:.0f} ms", middle <= goal
    )


def _get(server: Server, path: str) -> None:
    assert server.ask(path)[0] in (200, 303)


def _mark(server: Server, number: int) -> None:
    student = f"student-{100 + number:03}"
    seen = " ".join(str(event.id) for event in server.room.current(student)[_ITEM])
    fields = {"student": student, "item": _ITEM, "seen": seen, "request": str(number), "points": "2"}
    assert server.ask("/mark", fields)[0] == 200


def _rescore(server: Server, number: int) -> None:
    student = f"student-{200 + number:03}"
    with opened(server.room.graded.marks, server.room.graded.rubric.assignment) as store:
        assert rescore(server.room.graded, student, store.current(student)) is not None
