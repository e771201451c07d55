"""Kill processes of the grader while it grades a class, and print the results: `python -m tests.attacks.faults`."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.attacks import faults
from tests.attacks.faults.classroom import Classroom
from tests.attacks.faults.disturber import KINDS, Disturber, Tally
from tests.attacks.faults.processes import adopt_orphans


def show(tally: Tally, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("Killed")
    for heading in ("times", "the run went on", "the run ended, and was gone on with", "all processes gone within"):
        table.add_column(heading, justify="right")
    for kind in KINDS:
        gone = tally.longest.get(kind.name)
        cells = [str(counter[kind.name]) for counter in (tally.kills, tally.went_on, tally.ended)]
        table.add_row(kind.name, *cells, "" if gone is None else f"{gone:.2f} s")
    console.print(table)
    console.print(
        f"{tally.kills.total()} kills in {tally.commands} runs of the command over {tally.classes} results folders;"
        f" {tally.ours} verdicts were “our fault” on the way."
    )
    for problem in tally.problems:
        console.print(f"WRONG: {problem}", markup=False, soft_wrap=True)
    if not tally.problems:
        console.print(
            "All results as without kills: no zero, nothing lost or doubled, no process and no scratch folder left."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.faults", description=faults.__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--students", type=int, default=20)
    parser.add_argument("--per-class", type=int, default=25, help="kills before a class is left to be completed")
    parser.add_argument("--pause", type=float, default=2.5, help="seconds between kills, on the average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tier", default="auto")
    parser.add_argument("--folder", type=Path, help="where to work, kept afterwards; it must not exist")
    options = parser.parse_args(arguments)
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and all they start
    console = Console(width=120)
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        classroom = Classroom(folder / "work", options.students, options.tier)
        disturber = Disturber(classroom, options.seed, options.per_class, options.pause)
        tally = disturber.run(options.kills, lambda line: console.print(line, markup=False, soft_wrap=True))
    show(tally, console)
    return int(bool(tally.problems))


if __name__ == "__main__":
    sys.exit(main())
