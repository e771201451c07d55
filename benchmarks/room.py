"""Measure the marking room's server with a class of five hundred, all of whose written answers are marked."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.measure import Row
from gengrade.engine import rescore
from gengrade.marks import Change, Mark, opened
from gengrade.room import Plan
from tests.support.room import Server, graded_class, serving

_STUDENTS = 500
_TIMES = 20
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
    return rows


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
