"""The command of a kit: a student checks their own folder. There is one course, and nobody's grade is written."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from gengrade.choices import Profile, Tier
from gengrade.commands import USER_ERRORS, carried_out, export, status
from gengrade.console import WRONG_USAGE, refuse
from gengrade.course import Course, courses
from gengrade.engine import Crew, Options, Progress, Result, UsageError
from gengrade.explaining import explanation
from gengrade.facts import Outcome
from gengrade.grading.checks import known
from gengrade.grading.recorded import load
from gengrade.home import HOME
from gengrade.lasting import outlast_readers
from gengrade.paths import from_here
from gengrade.report.text import inert, one_line
from gengrade.rubric import Rubric
from gengrade.self_check import show_self_check, sums
from gengrade.submissions import opened
from gengrade.texts import listed
from gengrade.watching import families_of, saved

_OUT = "selfcheck-results"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def check(
    path: Annotated[Path | None, typer.Argument(help="The folder, or the archive, that you want to hand in.")] = None,
    part: Annotated[str | None, typer.Option(help="Check only this part of the assignment, e.g. 'vae'.")] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Also run the checks that train your models; these take minutes.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help=f"The folder for the report; by default {_OUT}/ here, or beside your solution.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: whenever you save a file, check the part that it belongs to again.")
    ] = False,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="CHECK", help="Say what a check tests, and check nothing.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write the results to this file, as JUnit XML.")] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print GitHub Actions annotations and write a step summary.")
    ] = False,
) -> None:
    """Check your own solution before you hand it in.

    Exit status 0: all checks passed. 1: some did not pass. 2: the command cannot be carried out.
    """
    console = Console()
    try:
        course = _only_course()
        if explain is not None:
            for line in explanation(explain, Rubric.load(course.rubric), course):
                console.print(Text(line), soft_wrap=True)
            return
        if path is None:
            raise UsageError("name the folder of your solution; --help lists the options")
        if watch and (train or github or junit is not None):
            raise UsageError(
                "--watch is for your terminal and runs no trainings: leave --train, --github and --junit out"
            )
        _require_one(path, course)
    except USER_ERRORS as error:
        refuse(error)
    manifest = load(course.recorded).manifest if course.is_kit else None
    made = f", of {manifest.made}" if manifest else ""
    console.print(Text(f"Self-check: {course.title}{made}"), soft_wrap=True)
    options = Options(
        path,
        out if out is not None else _place(path),
        course=course.name,
        part=part,
        profile=Profile.SMOKE if train else Profile.UNIT,
        data=manifest.data if manifest else None,  # nothing is recorded for another one
        public=True,
    )
    if watch:
        _watch(console, course, options)
    result = carried_out(options, console)
    _show(console, result)
    said = " ".join(sums(result.graded[0].grade))
    export(result, junit, github=github, said=("Self-check", said))
    raise typer.Exit(status(result))


def _only_course() -> Course:
    """Return the course of this kit. Raises UsageError if kits of several are mixed, and CourseError."""
    found = courses()
    if len(found) != 1:
        raise UsageError(
            f"{HOME} holds the self-checks of several courses ({', '.join(found)}), which overwrite each other: "
            "install each into an environment of its own (python -m venv)"
        )
    (course,) = found.values()
    return course


def _watch(console: Console, course: Course, options: Options) -> NoReturn:
    """Check a solution, and after that what saved files touch, until Ctrl-C."""
    assert options.out is not None
    all_ = {check.partition(".")[0] for check in Rubric.load(course.rubric).checks()}
    families = all_ if options.part is None else {options.part}
    changes = saved(options.path, options.out)
    open_: set[str] = set()  # checks that did not pass when they were last run
    with Crew() as crew:
        result = carried_out(options, console, crew)
        _show(console, result)
        while True:
            _follow(result, open_)
            where = from_here(options.path)
            console.print(Text(f"Waiting for a file to be saved in {where}; Ctrl-C ends."), soft_wrap=True)
            try:
                names = next(changes)
            except KeyboardInterrupt:
                raise typer.Exit from None
            console.print(Text(f"\n{_changed(options.path, names)}"), soft_wrap=True)
            touched = families_of(names, families, course.parts)
            if not touched:
                continue
            part = next(iter(touched)) if len(touched) == 1 else options.part
            again = replace(options, part=part, first=tuple(sorted(open_)))
            try:
                result = carried_out(again, console, crew, partial(_tell, console, frozenset(open_)))
            except typer.Exit as ended:
                if ended.exit_code != WRONG_USAGE:
                    raise
            else:
                _show(console, result)


def _changed(root: Path, names: Sequence[str]) -> str:
    """Return which files of a folder, or which archive (""), were saved, and which were removed."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault("Saved" if (root / name).exists() else "Removed", []).append(name)
    return "; ".join(
        f"{word}: {listed([inert(one_line(name, 80)) or str(from_here(root)) for name in some], 3)}"
        for word, some in groups.items()
    )


def _follow(result: Result, open_: set[str]) -> None:
    """Note which checks passed in a run, and which did not. Those that it left out stay as they were."""
    for item in result.graded[0].grade.items:
        if item.check is not None and item.outcome is not None:
            (open_.discard if item.outcome is Outcome.PASSED else open_.add)(item.check)


def _tell(console: Console, before: frozenset[str], progress: Progress) -> None:
    """Say at once how a check ended that did not pass before, or that does not pass now."""
    verdict = progress.verdict
    if verdict is not None and (verdict.check in before or verdict.outcome is not Outcome.PASSED):
        now = "passes now" if verdict.outcome is Outcome.PASSED else f"{verdict.outcome}"
        console.print(Text(f"  {verdict.check}: {now}"), soft_wrap=True)


def _require_one(path: Path, course: Course) -> None:
    """Raise UsageError, or InputError, unless there is one submission, and not the kit itself."""
    if path.resolve() == HOME:
        raise UsageError(f"{path}: this is the self-check itself; name the folder of your solution")
    if path.is_dir() and not any(path.iterdir()):
        raise UsageError(f"{path}: the folder is empty; name the one that holds your solution")
    with opened(path, course.parts) as discovery:
        if not discovery.single:
            names = listed([one_line(each.name, 40) for each in discovery.submissions], 3)
            raise UsageError(f"{path}: there are several submissions in it ({names}); name the folder of yours")


def _place(path: Path) -> Path:
    """Return where the report goes by default: here or, if that is inside the solution, beside it."""
    inside = Path.cwd().resolve().is_relative_to(path.resolve())
    return path.resolve().parent / _OUT if inside else Path.cwd() / _OUT


def _show(console: Console, result: Result) -> None:
    if result.tier is Tier.PROCESS:
        console.print("This is your own code, and runs as you would run it: there is no wall around it.")
    (one,) = result.graded
    show_self_check(console, one.grade)
    for note in result.notes:
        console.print(Text(f"note: {inert(one_line(note))}"), soft_wrap=True)
    console.print(Text(f"Report: {from_here(one.report)}"), soft_wrap=True)


def require_whole() -> None:
    """Load everything that this kit holds, and raise what the first thing raises that cannot be used."""
    course = _only_course()
    rubric = Rubric.load(course.rubric)
    rubric.verify(known())
    load(course.recorded)
    for check in rubric.checks():
        list(explanation(check, rubric, course))
    for adapter in course.adapters.values():
        module, _, name = adapter.partition(":")
        getattr(importlib.import_module(module), name)
    for probes in sorted((HOME / "graders").rglob("*probes.py")):
        importlib.import_module(".".join(probes.relative_to(HOME).with_suffix("").parts))


def main() -> None:
    """Run the command."""
    outlast_readers()
    sys.exit(app())
