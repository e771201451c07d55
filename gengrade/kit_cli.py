"""The command `gengrade kit`: make what a course hands out to its students."""

from __future__ import annotations

import os
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from gengrade import tryouts
from gengrade.atomic import write_whole
from gengrade.choices import Isolation, Profile
from gengrade.commands import USER_ERRORS
from gengrade.console import refuse
from gengrade.course import chosen
from gengrade.engine import UsageError
from gengrade.grading.checks import known
from gengrade.grading.misconceptions import LibraryError
from gengrade.grading.recorded import MANIFEST, Manifest
from gengrade.kit.packing import packed
from gengrade.kit.recording import record
from gengrade.kit.trying import require_usable
from gengrade.paths import from_here
from gengrade.texts import counted

_SEEDS: Final = 3


def kit(
    out: Annotated[Path, typer.Option(help="The folder to write the kit to.")],
    course: Annotated[str | None, typer.Option(help="The course: a name, or a course's folder.")] = None,
    rubric: Annotated[Path | None, typer.Option(help="The rubric file; by default the course's own.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=50, help="The number of public seeds to record.")] = _SEEDS,
    profile: Annotated[
        Profile,
        typer.Option(help="unit: without the reference's trainings, whose checks then wait for you; smoke: with them."),
    ] = Profile.SMOKE,
    jobs: Annotated[int, typer.Option(min=0, help="How many processes record side by side; 0: one per CPU core.")] = 0,
    isolation: Annotated[
        Isolation, typer.Option(help="How the reference's code is isolated while it is recorded.")
    ] = Isolation.AUTO,
) -> None:
    """Make a self-check for students: a zip and a wheel that hold no solution, no criterion and no hidden check.

    What the reference and the misconceptions of the course answer is recorded for a few public seeds, which takes
    some minutes for each. First let `gengrade course check` say whether the course is right.
    """
    console = Console()
    try:
        found, scheme = chosen(course, rubric)
        scheme.verify(known())
        if found.is_kit:
            raise UsageError(f"{found.folder}: this is a kit already, and holds no reference to make one from")
        tryouts.read(found)  # a mistake in them is told now, not after minutes
        with console.status("Recording …") as status:

            def say(done: int, all_: int) -> None:
                said = f"Recording: {done} of {all_}"
                status.update(said) if console.is_terminal else console.print(said)

            recorded = record(
                found,
                scheme,
                seeds=seeds,
                profile=profile,
                jobs=jobs or os.cpu_count() or 1,
                isolation=isolation,
                say=say,
            )
        with zipfile.ZipFile(BytesIO(recorded)) as archive:
            manifest = Manifest.model_validate_json(archive.read(MANIFEST))
        made = packed(found, scheme, recorded, manifest.made)
        require_usable(made)
        for name, content in ((f"{made.name}.zip", made.archive), (made.wheel_name, made.wheel)):
            write_whole(out / name, content)
            typer.echo(f"{from_here(out / name)} ({len(content) / (1 << 20):.1f} MiB)")
    except (*USER_ERRORS, LibraryError) as error:
        refuse(error)
    except OSError as error:
        refuse(UsageError(f"--out {out}: it cannot be written ({error.strerror}): name a folder of yours"))
    typer.echo(
        f"Recorded {counted(len(manifest.mistakes), 'misconception')} for {counted(seeds, 'seed')} "
        f"({len(recorded) / (1 << 20):.1f} MiB)"
    )
    typer.echo("Students unpack the zip and run: python check.py PATH_OF_THEIR_SOLUTION")
