"""What a person sees in the terminal: a live bar while a class is graded, a table at the end; plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gengrade.course import Course
from gengrade.engine import EventKind, Result
from gengrade.engine import Progress as Event
from gengrade.facts import Named
from gengrade.grade import Grade
from gengrade.paths import from_here
from gengrade.report.text import SEEMS, inert, mistake, one_line, public
from gengrade.sandbox import Finding, Tier
from gengrade.texts import listed

_LONGEST_NAME = 32


class Watcher(Protocol):
    """Is told what happens while a class is graded."""

    def see(self, event: Event) -> None: ...
    def stop(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_watcher(console: Console) -> Watcher:
    return Live(console) if console.is_terminal else Plain(console)


class Plain:
    """A line for each submission that is done: for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        return

    def see(self, event: Event) -> None:
        if event.event is EventKind.CHECK:
            return
        self._done += 1
        self._console.print(
            Text(f"[{self._done}/{event.total}] {name(event.submission.name)}: {event.event}"), soft_wrap=True
        )


class Live:
    """A bar over the class, with who is at which check and how long it will take."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._at: dict[str, str] = {}
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._progress.stop()

    def see(self, event: Event) -> None:
        if self._task is None:
            self._task = self._progress.add_task("", total=event.total, left="")
        if event.event is EventKind.CHECK:
            self._at[event.submission.id] = f"{name(event.submission.name)}: {event.check}"
        else:
            self._at.pop(event.submission.id, None)
            self._progress.advance(self._task)
        self._progress.update(self._task, description=" · ".join(self._at.values()) or "…", left=self._left())

    def _left(self) -> str:
        """How long the rest will take, when it goes on as it has gone."""
        assert self._task is not None
        task = self._progress.tasks[self._task]
        if not task.completed or task.total is None:
            return ""
        seconds = (time.monotonic() - self._began) / task.completed * (task.total - task.completed)
        return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"


def show_result(console: Console, result: Result) -> None:
    """The table at the end, and where the reports are."""
    table = Table(box=None, pad_edge=False)
    table.add_column("Student")
    for heading in ("Points", "Bonus", "Pending"):
        table.add_column(heading, justify="right")
    table.add_column("Needs a look")
    for one in result.graded:
        grade = one.grade
        looks = sorted({f"{item.check or item.id}: {item.outcome}" for item in grade.needs_look})
        looks += ["its code"] if grade.code_flags else []
        table.add_row(
            Text(name(one.submission.name)),
            f"{grade.points:g} / {grade.possible:g}",
            f"{grade.bonus:g}",
            f"{grade.pending + grade.bonus_pending:g}",
            Text(listed(looks, 3)),
        )
    console.print(table)
    for note in result.notes:
        console.print(Text(f"note: {inert(one_line(note))}"), soft_wrap=True)
    if result.single:
        _show_mistakes(console, result.graded[0].grade)
    if result.tier is Tier.PROCESS:
        console.print("Reduced isolation: student code ran without a wall around it.", style="bold yellow")
    target = from_here(result.graded[0].report if result.single else result.out / "index.html")
    console.print(Text(f"Report{'' if result.single else 's'}: {target}"), soft_wrap=True)


def _show_mistakes(console: Console, grade: Grade) -> None:
    """What a student should know before anything else, each thing once, with the checks that it explains."""
    found: dict[Named, list[str]] = {}
    for item in map(public, grade.items):
        named = mistake(item)
        if named is not None and item.check is not None:
            found.setdefault(named, []).append(item.check)
    if found:
        console.print(SEEMS, style="bold")
    for named, checks in found.items():
        console.print(Text(f"  {', '.join(dict.fromkeys(checks))}: {inert(one_line(named.sentence))}"), soft_wrap=True)


def show_findings(console: Console, findings: list[Finding]) -> None:
    """Which tiers this machine gives, and how it could give more."""
    for finding in findings:
        mark = "yes" if finding.available else "no "
        console.print(Text(f"{mark} {finding.tier:9} {finding.reason}"), soft_wrap=True)
        if finding.remedy:
            console.print(Text(f"              {finding.remedy}"), soft_wrap=True)
    best = next(finding.tier for finding in findings if finding.available)
    if best is Tier.PROCESS:
        console.print("A class cannot be graded here safely; a student's own folder can.", soft_wrap=True)
    else:
        console.print(f"A class is graded in the tier {best.value!r} here.", soft_wrap=True)


def show_courses(console: Console, courses: Iterable[Course]) -> None:
    """Each course's name and title, its rubric, and the files that each part asks for."""
    for course in courses:
        console.print(Text.assemble((course.name, "bold"), f"  {course.title}"), soft_wrap=True)
        console.print(Text(f"    rubric: {from_here(course.rubric)}"), soft_wrap=True)
        for key, part in course.parts.items():
            folder = f"{part.folder}/" if part.folder else ""
            console.print(Text(f"    {key}: {', '.join(f'{folder}{file}' for file in part.files)}"), soft_wrap=True)


def show_hidden(console: Console, hidden: list[str], exposed: list[str]) -> None:
    """What lies where student code reads: how it is kept from it, or why nothing can be graded."""
    for sentence in (*hidden, *exposed):
        console.print(Text(inert(f"{sentence[0].upper()}{sentence[1:]}.")), soft_wrap=True)
    if exposed:
        console.print("Nothing is graded here with a wall until that is mended.", soft_wrap=True)


def name(text: str) -> str:
    """A name that is safe to print, and short."""
    line = inert(one_line(text))
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"
