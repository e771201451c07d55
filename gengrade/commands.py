"""Carry out a run for a command: what went wrong becomes one sentence, and the result becomes files and a status."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import typer
from rich.console import Console

from gengrade.console import WRONG_USAGE, make_watcher, refuse
from gengrade.course import NoSuchCourse
from gengrade.documents import DocumentError
from gengrade.engine import Crew, Interrupted, Options, Progress, Result, UsageError, run
from gengrade.facts import Outcome
from gengrade.paths import InputError
from gengrade.report import github_annotations, github_summary, write_junit
from gengrade.sandbox import Exposed, NoSuchTier

USER_ERRORS = (UsageError, InputError, DocumentError, NoSuchCourse, NoSuchTier, Exposed)


def carried_out(
    options: Options,
    console: Console,
    crew: Crew | None = None,
    see: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """Grade, show the progress, and return the result. What cannot be carried out ends the command.

    crew: the workers of several runs over the same folder; None: this run's end with it.
    see: is called with what happens, too.
    """
    with make_watcher(console) as watcher:

        def watch(progress: Progress) -> None:
            watcher.see(progress)
            see(progress)

        try:
            return run(options, watch, crew)
        except USER_ERRORS as error:
            watcher.stop()
            refuse(error)
        except Interrupted as stopped:
            watcher.stop()
            finished = f"Finished results are in {stopped.out}; run the same command again to continue."
            typer.echo(f"Stopped. {finished}", err=True)
            raise typer.Exit(130) from None
        except KeyboardInterrupt:
            watcher.stop()
            typer.echo("Stopped before anything was graded.", err=True)
            raise typer.Exit(130) from None


def export(result: Result, junit: Path | None, *, github: bool, said: tuple[str, str] | None = None) -> None:
    """Write what other programs read.

    junit: the file for JUnit XML; None: none.
    github: whether to print GitHub Actions annotations, and to write the step's summary.
    said: title and text of the annotation that sums up; None: the grades.
    """
    grades = [one.grade for one in result.graded]
    if junit is not None:
        try:
            write_junit(grades, junit.parent.resolve() / junit.name)  # the operator's own links are followed
        except OSError as error:
            refuse(UsageError(f"--junit {junit}: it cannot be written ({error.strerror}); the results are complete"))
    if github:
        typer.echo(github_annotations(grades, said))
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(github_summary(grades))


def status(result: Result) -> int:
    """Return the exit status of a run: see the command `gengrade grade`."""
    if result.problems:
        return WRONG_USAGE
    outcomes = [item.outcome for one in result.graded for item in one.grade.items if item.outcome is not None]
    if Outcome.INFRA in outcomes:
        return 1
    looked_at = [
        item
        for one in result.graded
        for item in one.grade.items
        if not item.hidden and item.id not in one.grade.left_out
    ]
    return int(result.single and any(item.outcome not in (None, Outcome.PASSED) for item in looked_at))
