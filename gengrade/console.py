"""Show progress and results in a terminal: a progress bar, or one line per submission in a log, and a final table."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final, NoReturn, Protocol, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gengrade.course import Course
from gengrade.engine import EventKind, Result
from gengrade.engine import Progress as Event
from gengrade.engine.cluster.machine import Machine
from gengrade.engine.cluster.survey import Surveyed
from gengrade.grade import Grade
from gengrade.paths import from_here
from gengrade.people import Status
from gengrade.report.lines import Line, lines_of
from gengrade.report.text import inert, length, one_line, points
from gengrade.sandbox import Finding, Tier
from gengrade.self_check import show_self_check
from gengrade.submissions.packages import Survey
from gengrade.texts import listed

WRONG_USAGE: Final = 2  # the exit status of a command that cannot be carried out
_LONGEST_NAME = 32


def refuse(error: Exception) -> NoReturn:
    """End the command with one sentence on why it cannot be carried out."""
    typer.echo(f"error: {inert(str(error))}", err=True)
    raise typer.Exit(WRONG_USAGE)


class Watcher(Protocol):
    """Receives events while a class is graded."""

    def see(self, event: Event) -> None: ...
    def stop(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_watcher(console: Console) -> Watcher:
    """Return a watcher with a progress bar for a terminal, or with plain lines for a log."""
    return Live(console) if console.is_terminal else Plain(console)


class Plain:
    """Prints one line for each submission that is finished, for logs."""

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
        if event.event in (EventKind.CHECK, EventKind.VERDICT):
            return
        self._done += 1
        where = f" on {name(event.machine)}" if event.machine else ""
        self._console.print(
            Text(f"[{self._done}/{event.total}] {name(event.submission.name)}: {event.event}{where}"), soft_wrap=True
        )


class Live:
    """Shows a progress bar for the class, the check that runs for each submission, and the time that remains.

    For a single submission, the bar counts its checks.
    """

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
            where = f"{name(event.machine)}, " if event.machine else ""
            self._at[event.submission.id] = f"{where}{name(event.submission.name)}: {event.check}"
        elif event.verdict is not None:
            if event.total == 1:
                self._progress.update(self._task, total=event.verdict.of, completed=event.verdict.done)
        else:
            self._at.pop(event.submission.id, None)
            self._finish_one(self._task, single=event.total == 1)
        self._progress.update(self._task, description=" · ".join(self._at.values()) or "…", left=self._left())

    def _finish_one(self, task: TaskID, *, single: bool) -> None:
        """Count a submission; of a single one, whose checks are counted, the bar is then full."""
        if single:
            self._progress.update(task, completed=self._progress.tasks[task].total)
        else:
            self._progress.advance(task)

    def _left(self) -> str:
        """Return the estimated remaining time in words, or "" before the first submission is finished."""
        assert self._task is not None
        task = self._progress.tasks[self._task]
        if not task.completed or task.total is None or task.completed >= task.total:
            return ""
        seconds = (time.monotonic() - self._began) / task.completed * (task.total - task.completed)
        return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"


def show_result(console: Console, result: Result) -> None:
    """Print the points, the notes, and the path of the report or of the class's index page."""
    if result.single:
        show_self_check(console, result.graded[0].grade)
    else:
        _show_table(console, result)
    _show_notes(console, result)
    if result.tier is Tier.PROCESS:
        console.print("Reduced isolation: student code ran without a sandbox.", style="bold yellow")
    target = from_here(result.graded[0].report if result.single else result.out / "index.html")
    console.print(Text(f"Report{'' if result.single else 's'}: {target}"), soft_wrap=True)


def _show_table(console: Console, result: Result) -> None:
    """Print a line for each person, with what needs a teacher's look."""
    table = Table(box=None, pad_edge=False)
    table.add_column("Student")
    ids = _has_other_ids(result)
    if ids:
        table.add_column("Id", overflow="fold")  # whole, since marks name it
    lines = _lines(result)
    # Where lateness costs nothing, its columns would only make the others narrow.
    late = any(line.grade and (line.grade.penalty or line.grade.undecided) for line in lines)
    for heading in ("Points", "Bonus", "Pending", *(("Late", "Penalty", "Total") if late else ())):
        table.add_column(heading, justify="right")
    table.add_column("Needs a look")
    for line in lines:
        grade = line.grade
        if grade is None:
            continue
        looks = sorted({f"{item.check or item.id}: {item.outcome}" for item in grade.needs_look})
        looks += [f"{item.id}: {item.mark_state}" for item in grade.open_marks]
        looks += ["its code"] if grade.code_flags else []
        looks += ["no program was handed in"] if grade.lacks_programs else []
        looks += [str(line.status)] if line.status not in (Status.GRADED, Status.EXCUSED) else []
        table.add_row(
            Text(name(line.name)),
            *([Text(inert(one_line(grade.student)))] if ids else []),
            f"{grade.points:g} / {grade.possible:g}",
            f"{grade.bonus:g}",
            f"{grade.pending:g}" + (f" + {grade.bonus_pending:g}" if grade.bonus_pending else ""),
            *(_late(grade) if late else ()),
            Text(listed(looks, 3)),
        )
    console.print(table)


def _show_notes(console: Console, result: Result) -> None:
    """Print what marks replace, and all notes and errors."""
    replaced = [
        f"{one.submission.id} {item.check}: {item.points:g} of {item.possible:g}"
        for one in result.graded
        for item in one.grade.items
        if item.overridden
    ]
    if replaced:
        said = inert(one_line(listed(replaced, 5)))
        console.print(Text(f"note: marks replace automatic results: {said}"), soft_wrap=True)
    for note in result.notes:
        console.print(Text(f"note: {inert(one_line(note))}"), soft_wrap=True)
    for problem in result.problems:
        console.print(Text(f"error: {inert(one_line(problem))}", style="bold red"), soft_wrap=True)


def _lines(result: Result) -> list[Line]:
    """Return a line for each person behind what was graded now, or for each submission without a person."""
    names = {one.submission.id: one.submission.name for one in result.graded}
    return lines_of([one.grade for one in result.graded], result.people.only(names), names)


def _late(grade: Grade) -> tuple[str, str, str]:
    """Return by how much a submission is late, what that costs, and the total."""
    known = grade.lateness
    late = "excused" if known.excused else "unknown" if grade.late is None else "yes" if grade.late else "no"
    penalty = "open" if grade.undecided else points(grade.penalty)
    return length(known.seconds) if known.seconds else late, penalty, points(grade.total)


def _has_other_ids(result: Result) -> bool:
    """Return whether the ids, by which marks name students, differ from the names that are shown."""
    return any(one.submission.id != name(one.submission.name) for one in result.graded)


def show_findings(console: Console, findings: list[Finding]) -> None:
    """Print which isolation tiers work on this machine, and how to enable the others."""
    for finding in findings:
        mark = "yes" if finding.available else "no "
        console.print(Text(f"{mark} {finding.tier:9} {finding.reason}"), soft_wrap=True)
        if finding.remedy:
            console.print(Text(f"              {finding.remedy}"), soft_wrap=True)
    best = next(finding.tier for finding in findings if finding.available)
    if best is Tier.PROCESS:
        console.print(
            "A class cannot be graded safely on this machine; a single submission, by its author, can.", soft_wrap=True
        )
    else:
        console.print(f"On this machine a class is graded with the isolation {best.value!r}.", soft_wrap=True)


def show_machines(console: Console, here: Machine, nodes: Sequence[Surveyed]) -> None:
    """Print for each node which isolation it gives, and why it would be refused if a class were graded from here."""
    for node in nodes:
        if node.machine is None:
            console.print(Text(f"?         {name(node.name)}: {inert(one_line(node.problem))}"), soft_wrap=True)
            continue
        lacks = [f"no {tier}: {reason}" for tier, reason in node.machine.lacks.items()]
        said = "; ".join([*lacks, *node.machine.differences(here)])
        console.print(Text(f"{node.machine.best:9} {name(node.name)}{': ' if said else ''}{said}"), soft_wrap=True)
    best = {node.machine.best for node in nodes if node.machine is not None}
    if best:
        weakest = max(best, key=list(Tier).index)
        console.print(f"All nodes that answered give at least the isolation {weakest.value!r}.", soft_wrap=True)


def show_courses(console: Console, courses: Iterable[Course]) -> None:
    """Print each course's name and title, its rubric, and the files that each part asks for."""
    for course in courses:
        console.print(Text.assemble((course.name, "bold"), f"  {course.title}"), soft_wrap=True)
        console.print(Text(f"    rubric: {from_here(course.rubric)}"), soft_wrap=True)
        for key, part in course.parts.items():
            folder = f"{part.folder}/" if part.folder else ""
            console.print(Text(f"    {key}: {', '.join(f'{folder}{file}' for file in part.files)}"), soft_wrap=True)


def show_packages(console: Console, survey: Survey) -> None:
    """Print the packages that submissions import, with what to do about those that are missing."""
    table = Table(box=None, pad_edge=False)
    for heading in ("Package", "Here", "Imported by"):
        table.add_column(heading)
    for package in survey.packages:
        here = "installed" if package.installed else "not needed" if package.replaced else "MISSING"
        table.add_row(name(package.name), here, Text(listed([name(student) for student in package.students], 6)))
    console.print(table if survey.packages else "These submissions import no packages.")
    for student, reason in survey.unread.items():
        console.print(Text(f"{name(student)} could not be read: {inert(one_line(reason))}"), soft_wrap=True)
    missing = [each.distribution for each in survey.packages if not each.installed and not each.replaced]
    if missing:
        safe = [inert(one_line(each)) for each in missing]
        console.print(
            Text(
                "What uses a missing package stays undecided. If it is a package that you trust, install it and grade "
                f"again: {sys.executable} -m pip install {' '.join(safe)}"
            ),
            soft_wrap=True,
        )


def show_hidden(console: Console, hidden: list[str], exposed: list[str]) -> None:
    """Print which secret files lie where student code reads: those that are hidden, and those that cannot be."""
    for sentence in (*hidden, *exposed):
        console.print(Text(inert(f"{sentence[0].upper()}{sentence[1:]}.")), soft_wrap=True)
    if exposed:
        console.print("Nothing is graded in a sandbox here until this is fixed.", soft_wrap=True)


def name(text: str) -> str:
    """Return the text as one line of at most 32 characters that is safe to print."""
    line = inert(one_line(text))
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"
