"""Carry out a run for a command: what went wrong becomes one sentence, and the result becomes files and a status."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer
from rich.console import Console

from gengrade.authenticity import authority
from gengrade.console import WRONG_USAGE, make_watcher, refuse
from gengrade.course import NoSuchCourse
from gengrade.documents import DocumentError
from gengrade.engine import Carrier, Crew, Interrupted, Options, Progress, Result, UsageError, run
from gengrade.engine.carriers import Nobody
from gengrade.engine.cluster.collecting import tell_status
from gengrade.engine.cluster.dask import Dask
from gengrade.engine.cluster.files import folder_of
from gengrade.engine.cluster.node import grade_slice
from gengrade.engine.cluster.script import Batch
from gengrade.engine.cluster.slices import Slice
from gengrade.engine.cluster.slurm import OnSlurm, follow, plan_for, printed_by_last, scoring, submit
from gengrade.facts import Outcome
from gengrade.paths import InputError, from_here, printable
from gengrade.report import github_annotations, github_summary, write_junit
from gengrade.sandbox import Exposed, NoSuchTier

LAST: Final = "last"  # for --slice: the run that scores what the slices left
USER_ERRORS = (UsageError, InputError, DocumentError, NoSuchCourse, NoSuchTier, Exposed)


def carried_out(
    options: Options,
    console: Console,
    crew: Crew | None = None,
    see: Callable[[Progress], None] = lambda progress: None,
    carrier: Carrier | None = None,
) -> Result:
    """Grade, show the progress, and return the result. What cannot be carried out ends the command.

    crew: the workers of several runs over the same folder; None: this run's end with it.
    see: is called with what happens, too.
    carrier: who grades; None: this machine.
    """
    with _shown(console) as shown:

        def watch(progress: Progress) -> None:
            shown(progress)
            see(progress)

        return run(options, watch, crew, carrier)


@contextmanager
def _shown(console: Console) -> Iterator[Callable[[Progress], None]]:
    """Show progress. What cannot be carried out, or is stopped, becomes one sentence and ends the command."""
    with make_watcher(console) as watcher:
        try:
            yield watcher.see
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


def refuse_together(*groups: Mapping[str, object]) -> None:
    """End the command if it has the first option of a group and another one of it."""
    for options in groups:
        given = [option for option, value in options.items() if value]
        if len(given) > 1 and given[0] == next(iter(options)):
            refuse(UsageError(f"{given[0]}: it cannot be given together with {given[1]}; leave one of them out"))


def require_slurm(options: Mapping[str, object]) -> None:
    """End the command if one of these options is there, which mean something with --slurm alone."""
    for option, value in options.items():
        if value:
            refuse(UsageError(f"{option}: it is an option of --slurm, which is not there; add --slurm"))


def carrier_at(scheduler: str | None) -> Carrier | None:
    """Return who grades by the workers of a Dask scheduler, or None without one. A wrong address ends the command."""
    try:
        return None if scheduler is None else Dask(scheduler)
    except UsageError as error:
        refuse(error)


def parsed_slice(text: str) -> Slice:
    """Return the slice that a text such as "3/16" names. Any other text ends the command."""
    try:
        return Slice.parse(text)
    except UsageError as error:
        refuse(error)


def slice_carried_out(options: Options, part: Slice, console: Console) -> None:
    """Grade a slice of a class on this machine, one of several."""
    with _shown(console) as watch:
        done = grade_slice(options, part, watch)
    typer.echo(f"{done.machine}: slice {part} has {done.submissions} submissions, of which {done.graded} were graded.")


def carried_out_on_slurm(options: Options, batch: Batch, console: Console, *, dry: bool) -> int | Result:
    """Submit a class to Slurm, show what the nodes do, and return the last job's exit status.

    dry: only print the scripts.

    If nothing is left for nodes to grade, score here, and return the result.
    """
    with _shown(console) as watch:
        planned = plan_for(options, batch, dry=dry)
        if planned is None:
            return run(scoring(options, batch), watch, carrier=Nobody())
        if dry:
            typer.echo(planned.scripts.array)
            typer.echo("# To be submitted with --dependency=afterany: and the number of the job above:")
            typer.echo(planned.scripts.last)
            return 0
        running = submit(planned)
        typer.echo(
            f"Slurm: {planned.slices} jobs ({running.jobs[0]}), and one that scores ({running.jobs[1]}). Ctrl-C stops "
            f"watching, not the jobs; `scancel {' '.join(running.jobs)}` stops them."
        )
        try:
            status = follow(running, watch)
        except KeyboardInterrupt:
            return _left_alone(running)
    typer.echo(printed_by_last(running), nl=False)
    if status is None:
        where = printable(str(from_here(folder_of(running.out))))
        typer.echo(f"error: the last job scored nothing; see what the jobs printed in {where}", err=True)
    return 1 if status is None else status


def _left_alone(running: OnSlurm) -> int:
    typer.echo(f"The jobs go on, and the last one writes {running.out}.", err=True)
    return 130


def told(result: Result, status: int) -> int:
    """Return the exit status of the last job of a run on several machines, after telling it where the run began."""
    tell_status(result.out, status, authority([]).seal)
    return status


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
    if not result.single:
        return 0
    grade = result.graded[0].grade
    left_out = grade.left_out
    looked_at = [item for item in grade.items if not item.hidden and item.id not in left_out]
    return int(any(item.outcome not in (None, Outcome.PASSED) for item in looked_at))
