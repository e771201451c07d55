"""The command of a kit: a student checks their own folder. There is one course, and nobody's grade is written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from gengrade.choices import Profile, Tier
from gengrade.commands import USER_ERRORS, carried_out, export, status
from gengrade.console import refuse
from gengrade.course import Course, courses
from gengrade.engine import Options, Result, UsageError
from gengrade.explaining import explanation
from gengrade.grading.recorded import load
from gengrade.home import HOME
from gengrade.paths import from_here
from gengrade.report.text import inert, one_line
from gengrade.rubric import Rubric
from gengrade.self_check import show_self_check, sums
from gengrade.submissions import opened
from gengrade.texts import listed

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
    (course,) = courses().values()
    try:
        if explain is not None:
            for line in explanation(explain, Rubric.load(course.rubric), course):
                console.print(Text(line), soft_wrap=True)
            return
        if path is None:
            raise UsageError("name the folder of your solution; --help lists the options")
        _require_one(path, course)
    except USER_ERRORS as error:
        refuse(error)
    result = _checked(console, course, path, part, out, train=train)
    _show(console, result)
    said = " ".join(sums(result.graded[0].grade))
    export(result, junit, github=github, said=("Self-check", said))
    raise typer.Exit(status(result))


def _checked(
    console: Console, course: Course, path: Path, part: str | None, out: Path | None, *, train: bool
) -> Result:
    """Check a solution, and say before it which course this is."""
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
    return carried_out(options, console)


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


def main() -> None:
    """Run the command."""
    sys.exit(app())
