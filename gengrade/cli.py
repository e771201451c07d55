"""The command line: `run_grading.py PATH …`, `gengrade grade PATH …`, `gengrade doctor`, `gengrade rubric check FILE`.

Exit status: 0 when every submission was graded (a self-check: when all public checks passed), 1 when one could not be
for a fault of ours (a self-check: when a check did not pass), 2 for wrong usage, a wrong rubric or unusable input.
"""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from gengrade import __version__
from gengrade.authoring import create, verify
from gengrade.choices import Device, Isolation, Profile
from gengrade.console import Watcher, make_watcher, show_courses, show_findings, show_hidden, show_result
from gengrade.course import NoSuchCourse, courses, find
from gengrade.documents import DocumentError
from gengrade.engine import Interrupted, Options, Result, UsageError, kept_here, run
from gengrade.facts import Outcome
from gengrade.grading.checks import known
from gengrade.grading.misconceptions import LibraryError
from gengrade.paths import InputError, from_here
from gengrade.report import github_annotations, github_summary, write_junit
from gengrade.report.text import inert
from gengrade.rubric import Rubric
from gengrade.sandbox import Exposed, NoSuchTier, describe, examine

_WRONG_USAGE = 2
_USERS = (UsageError, InputError, DocumentError, NoSuchCourse, NoSuchTier, Exposed)  # theirs to mend

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
rubric_app = typer.Typer(no_args_is_help=True, help="Work with rubrics.")
app.add_typer(rubric_app, name="rubric")
course_app = typer.Typer(no_args_is_help=True, help="Write and prove a course of your own.")
app.add_typer(course_app, name="course")
_single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gengrade {__version__}")
        raise typer.Exit


@app.callback()
def common(
    shown: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version, and end.")
    ] = False,
) -> None:
    """The options that stand before a command."""


@app.command("grade")
@_single.command()
def grade(
    path: Annotated[Path, typer.Argument(help="A folder of submissions (folders, .zip, .tar.gz), or one submission.")],
    out: Annotated[
        Path | None, typer.Option(help="Where results go; by default results/ here, or beside a single submission.")
    ] = None,
    rubric: Annotated[Path | None, typer.Option(help="The marking scheme; by default the course's.")] = None,
    course: Annotated[
        str | None, typer.Option(help="A course: a name that `gengrade courses` lists, or a folder.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Grade the submissions whose id matches, e.g. 'doe*'.")] = None,
    part: Annotated[str | None, typer.Option(help="Check one part only, e.g. 'vae'.")] = None,
    profile: Annotated[Profile, typer.Option(help="unit: no training; smoke: everything.")] = Profile.SMOKE,
    jobs: Annotated[int, typer.Option(min=0, help="Submissions side by side; 0: as many as there are cores.")] = 0,
    device: Annotated[Device, typer.Option(help="Where models run.")] = Device.AUTO,
    data: Annotated[str | None, typer.Option(help="digits, mnist, or a folder that holds MNIST.")] = None,
    isolation: Annotated[Isolation, typer.Option(help="The wall around student code.")] = Isolation.AUTO,
    public: Annotated[bool, typer.Option("--public", help="Leave out hidden checks.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run everything again.")] = False,
    seed: Annotated[int | None, typer.Option(help="Repeat the run with this seed.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML (xunit2) there.")] = None,
    github: Annotated[bool, typer.Option("--github", help="Print annotations; write a step summary.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> None:
    """Grade submissions, and leave an HTML report for each."""
    options = Options(
        path=path,
        out=out,
        rubric=rubric,
        course=course,
        only=only,
        part=part,
        profile=profile,
        jobs=jobs,
        device=device,
        data=data,
        isolation=isolation,
        public=public,
        cache=not no_cache,
        seed=seed,
    )
    console = Console()
    with make_watcher(console) as watcher:
        result = _run(options, watcher)
    show_result(console, result)
    _export(result, junit, github=github)
    if open_:
        webbrowser.open((result.graded[0].report if result.single else result.out / "index.html").resolve().as_uri())
    raise typer.Exit(_status(result))


@app.command("courses")
def list_courses() -> None:
    """List the courses that can be graded: name, title, rubric, and what each part asks for."""
    show_courses(Console(), courses().values())


@app.command()
def doctor() -> None:
    """Say which isolation this machine gives, what is missing, and how to mend it.

    Also says what of the project, of the data set and of this folder's results lies where student code reads.
    """
    console = Console()
    show_findings(console, examine())
    show_hidden(console, *describe(kept_here()))


@rubric_app.command("check")
def rubric_check(file: Annotated[Path, typer.Argument(help="The rubric to check.")]) -> None:
    """Refuse a wrong rubric, with the line and the reason."""
    try:
        checked = Rubric.load(file)
        checked.verify(known())
    except DocumentError as error:
        _refuse(error)
    questions = list(checked.questions())
    points = sum(question.points for question in questions if not question.bonus)
    bonus = sum(question.points for question in questions if question.bonus)
    typer.echo(
        f"{file}: {len(questions)} questions, {points:g} points and {bonus:g} bonus, {len(checked.checks())} checks"
    )


@course_app.command("new")
def course_new(folder: Annotated[Path, typer.Argument(help="A new folder; its name is the course's.")]) -> None:
    """Write the smallest course that grades: one part, one function, one check."""
    try:
        course = create(folder)
    except (NoSuchCourse, DocumentError) as error:
        _refuse(error)
    typer.echo(f"{from_here(course.folder)} is a course that grades. Prove it: gengrade course check {folder}")


@course_app.command("check")
def course_check(
    course: Annotated[str, typer.Argument(help="The folder of a course, or the name of one that comes with us.")],
    profile: Annotated[Profile, typer.Option(help="smoke: the reference's trainings as well.")] = Profile.UNIT,
    isolation: Annotated[Isolation, typer.Option(help="The wall around student code.")] = Isolation.AUTO,
) -> None:
    """Prove a course: its reference, its examples, its misconceptions. Exit status 1 when something is not so."""
    wrong = False
    try:
        for finding in verify(find(course), profile, isolation=isolation):
            wrong |= bool(finding.problems)
            typer.echo(f"{'no ' if finding.problems else 'yes'} {finding.what}")
            for problem in finding.problems:
                typer.echo(f"      {inert(problem)}")
    except (*_USERS, LibraryError) as error:
        _refuse(error)
    raise typer.Exit(int(wrong))


def main() -> None:
    """The `gengrade` command."""
    app()


def grade_command() -> None:
    """The `run_grading.py` script: the command `grade` alone."""
    _single()


def _run(options: Options, watcher: Watcher) -> Result:
    try:
        return run(options, watcher.see)
    except _USERS as error:
        watcher.stop()
        _refuse(error)
    except Interrupted as stopped:
        watcher.stop()
        typer.echo(f"Stopped. What was finished is in {stopped.out}; the same command goes on from there.", err=True)
        raise typer.Exit(130) from None
    except KeyboardInterrupt:
        watcher.stop()
        typer.echo("Stopped before anything was graded.", err=True)
        raise typer.Exit(130) from None


def _refuse(error: Exception) -> NoReturn:
    typer.echo(f"error: {inert(str(error))}", err=True)
    raise typer.Exit(_WRONG_USAGE)


def _export(result: Result, junit: Path | None, *, github: bool) -> None:
    grades = [one.grade for one in result.graded]
    if junit is not None:
        write_junit(grades, junit.parent.resolve() / junit.name)  # the operator's own links are followed
    if github:
        typer.echo(github_annotations(grades))
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(github_summary(grades))


def _status(result: Result) -> int:
    outcomes = [item.outcome for one in result.graded for item in one.grade.items if item.outcome is not None]
    if Outcome.INFRA in outcomes:
        return 1
    hidden = {item.id for one in result.graded for item in one.grade.items if item.hidden}
    public = [item for one in result.graded for item in one.grade.items if item.id not in hidden]
    if result.single and any(item.outcome not in (None, Outcome.PASSED) for item in public):
        return 1
    return 0
