"""The commands about what students were given: `gengrade release`, `compare`, `replay` and `reveal`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gengrade.atomic import write_whole
from gengrade.choices import Profile
from gengrade.console import make_watcher, refuse
from gengrade.course import courses, load
from gengrade.documents import DocumentError
from gengrade.engine import (
    GradedClass,
    Interrupted,
    UsageError,
    by_its_marks,
    graded_class,
    locked,
    operator,
    seeds,
)
from gengrade.engine.folder import output_errors
from gengrade.paths import InputError, from_here, printable
from gengrade.places import WORK
from gengrade.publish.comparing import Change, Comparison, compare, comparison_page
from gengrade.publish.entries import Entry
from gengrade.publish.releases import Release, Snapshot, make, newest, releases, snapshot_now, undecided
from gengrade.publish.releases import release as release_numbered
from gengrade.publish.replaying import Replay, entry_of, replay
from gengrade.report.text import inert, one_line
from gengrade.sandbox import Exposed, NoSuchTier
from gengrade.texts import listed

NOW: Final = "now"
_DEFAULT: Final = Path("results")
_NAMED: Final = 5

app = typer.Typer()

_Results = Annotated[Path, typer.Argument(help="The folder of results of a class that was graded.")]
_Out = Annotated[Path, typer.Option("--out", help="The folder of results of the class.")]


@app.command("release")
def release(
    out: _Results = _DEFAULT,
    partial: Annotated[
        bool, typer.Option("--partial", help="Make the release although some points are not decided yet.")
    ] = False,
    by: Annotated[str, typer.Option("--by", help="Who releases; by default the user of this machine.")] = "",
) -> None:
    """Freeze what students are given now: a numbered folder with reports, gradebook, and what they were made from."""
    with _refused(out):
        graded = by_its_marks(graded_class(out))
        with locked(graded.out, "releases.lock", "a release is being made there"):
            snapshot = snapshot_now(graded)
            earlier = releases(graded)
            comparison = compare(earlier[-1].snapshot(), snapshot) if earlier else None
            if comparison is not None and not comparison.changes:
                typer.echo(f"Nothing has changed since release {earlier[-1].number}, so no release was made.")
                return
            waiting = undecided(snapshot)
            if waiting and not partial:
                raise UsageError(
                    f"{_people(waiting)} not decided yet: {_named(waiting)}; decide them, or give --partial, which "
                    "releases their reports as they are"
                )
            made = make(graded, snapshot, by=by or operator())
        typer.echo(f"Release {made.number}: {printable(str(from_here(made.folder)))}")
        if waiting:
            typer.echo(f"{_people(waiting)} not decided yet: {_named(waiting)}")
        if comparison is not None:
            _show(Console(), comparison)


@app.command("compare")
def compare_command(
    before: Annotated[str, typer.Argument(help="The number of a release.")],
    after: Annotated[
        str, typer.Argument(help="The number of another release; by default the results as they are.")
    ] = NOW,
    out: _Out = _DEFAULT,
    html: Annotated[Path | None, typer.Option(help="Also write the comparison to this file, as an HTML page.")] = None,
) -> None:
    """Show whose points differ between two releases, or between a release and now: by which item, and why."""
    with _refused(out):
        graded = by_its_marks(graded_class(out)) if NOW in (before, after) else graded_class(out, changed=True)
        comparison = compare(_snapshot(graded, before), _snapshot(graded, after))
        _show(Console(), comparison)
        if html is not None:
            with _writing(html):
                write_whole(html.parent.resolve() / html.name, comparison_page(comparison, graded.rubric.assignment))
            typer.echo(f"Written to {printable(str(html))}")


@app.command("replay")
def replay_command(
    student: Annotated[str, typer.Argument(help="The student's id, submission or name.")],
    number: Annotated[int | None, typer.Option("--release", help="The release; by default the newest.")] = None,
    out: _Out = _DEFAULT,
    present_code: Annotated[
        bool, typer.Option("--present-code", help="Go on although the release was graded by other code.")
    ] = False,
) -> None:
    """Repeat the grading of a student with the seed, secret and options of a release, and say whether it is the same.

    The exit status is 1 if it is not.
    """
    with _refused(out):
        graded = graded_class(out, changed=True)
        found = newest(graded) if number is None else release_numbered(graded, number)
        entry = entry_of(found, student)
        console = Console()
        with make_watcher(console) as watcher:
            try:
                repeated = replay(graded, found, entry, watcher.see, present_code=present_code)
            except Interrupted:
                raise UsageError("stopped before the repetition had ended") from None
        _show_replay(console, repeated, found)
    raise typer.Exit(int(not repeated.same))


@app.command("reveal")
def reveal(out: _Results = _DEFAULT) -> None:
    """Publish the secret that inputs were drawn with, so that students can repeat their own grading exactly.

    What is handed in after that can be written against it: grade it into another folder of results.
    """
    with _refused(out):
        graded = graded_class(out, changed=True)
        drawn = seeds.kept(graded.out / WORK, graded.seal)
        if drawn is None:
            raise UsageError(f"{out}: there is no secret of yours in these results")
        try:
            secret = drawn.secret.decode("ascii")
        except UnicodeDecodeError:
            raise UsageError(
                f"{out}: an earlier version of gengrade drew this secret, which is no text: grade with --no-cache into "
                "another folder"
            ) from None
        seeds.reveal(graded.out / WORK, drawn, graded.seal)
        committed = [
            each.number for each in releases(graded) if each.manifest.circumstances.commitment == drawn.commitment
        ]
        typer.echo(f"Secret: {secret}")
        typer.echo(f"Seed: {drawn.seed}")
        typer.echo(f"Its hash: {drawn.commitment}")
        said = listed([str(each) for each in committed], _NAMED)
        typer.echo(f"Releases that show this hash: {said or 'none, so that nobody can tell when the secret was drawn'}")
        words = " ".join(_repeating(graded))
        typer.echo(f"To repeat a grading: {seeds.VARIABLE}={secret} gengrade grade FOLDER {words} --seed {drawn.seed}")


def _repeating(graded: GradedClass) -> Iterator[str]:
    """Yield the options with which a student repeats a grading of the class."""
    run = graded.run
    if run is None:
        return
    course = load(run.course)
    yield f"--course {course.name if course.name in courses() else run.course.name}"
    if graded.rubric.path.resolve() != course.rubric:
        yield f"--rubric {graded.rubric.path.name}"
    if run.profile is not Profile.SMOKE:
        yield f"--profile {run.profile}"
    yield from (f"--part {run.part}" for _ in range(run.part is not None))
    yield from (f"--data {run.data}" for _ in range(run.data is not None))
    yield from ("--public" for _ in range(run.public))


@contextmanager
def _refused(out: Path) -> Iterator[None]:
    try:
        with output_errors(out):
            yield
    except (UsageError, InputError, DocumentError, NoSuchTier, Exposed) as error:
        refuse(error)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn an error of the disk into one sentence."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path}: it cannot be written ({error.strerror}): name a file in a folder that is yours"
        ) from None


def _snapshot(graded: GradedClass, given: str) -> Snapshot:
    if given == NOW:
        return snapshot_now(graded)
    if not given.isdecimal():
        raise UsageError(f'{given}: give the number of a release, or "{NOW}"')
    return release_numbered(graded, int(given)).snapshot()


def _people(entries: list[Entry]) -> str:
    return f"the points of {len(entries)} {'person are' if len(entries) == 1 else 'people are'}"


def _named(entries: list[Entry]) -> str:
    return listed([f"{inert(one_line(entry.name, 40))} ({entry.open})" for entry in entries], _NAMED, "; ")


def _show(console: Console, comparison: Comparison) -> None:
    count = len(comparison.changes)
    console.print(Text(f"From {comparison.before} to {comparison.after}: {count} of {comparison.people} differ."))
    for sentence in comparison.surroundings:
        console.print(Text(f"  {sentence}"))
    table = Table(box=None, pad_edge=False)
    for heading in ("Student", "Before", "After", "", "Because of"):
        table.add_column(heading, justify="right" if heading in ("Before", "After", "") else "left")
    for change in comparison.changes:
        table.add_row(*map(Text, (_who(change), change.was, change.becomes, change.by, ", ".join(change.causes))))
        for item in change.items:
            row = (f"  {inert(one_line(item.item, 60))}", item.before, item.after, "", inert(item.why))
            table.add_row(*map(Text, row))
        if change.detail:
            table.add_row(Text(f"  {inert(one_line(change.detail, 120))}"))
    if comparison.changes:
        console.print(table)


def _who(change: Change) -> str:
    return inert(one_line(change.entry.name, 40))


def _show_replay(console: Console, repeated: Replay, found: Release) -> None:
    for sentence in repeated.differences:
        console.print(Text(inert(sentence)))
    table = Table(box=None, pad_edge=False)
    for heading in ("Item", "Then", "Now", ""):
        table.add_column(heading)
    for item in repeated.items:
        now = "not in the rubric" if item.now is None else _result(item.now.outcome, item.now.measures)
        then = _result(item.then.outcome, item.then.measures)
        table.add_row(*map(Text, (inert(item.then.id), then, now, "same" if item.same else "DIFFERENT")))
    console.print(table)
    differing = sum(not item.same for item in repeated.items)
    verdict = f"{differing} of {len(repeated.items)} items differ" if differing else "every automatic item is the same"
    console.print(Text(f"{inert(one_line(repeated.entry.name, 40))}, release {found.number}: {verdict}."))


def _result(outcome: object, measures: dict[str, float | None]) -> str:
    numbers = ", ".join("not finite" if value is None else f"{value:.4g}" for value in measures.values())
    return f"{outcome} ({numbers})" if numbers else str(outcome)
