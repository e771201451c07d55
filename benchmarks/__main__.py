"""Run the benchmarks that the command line names (by default all), and print one table."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import classes, marking, probes, room, self_check, smoke, trainings
from benchmarks.measure import Row

BENCHMARKS: dict[str, Callable[[Path], list[Row]]] = {
    "probes": probes.measure,
    "self_check": self_check.measure,
    "classes": classes.measure,
    "smoke": smoke.measure,
    "trainings": trainings.measure,
    "room": room.measure,
    "marking": marking.measure,
}


def main() -> None:
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"error: no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    table = Table("What", "Measured", "Goal", "")
    for name in names:
        with tempfile.TemporaryDirectory(prefix="gengrade-bench-") as folder:
            for row in BENCHMARKS[name](Path(folder)):
                table.add_row(row.what, row.measured, row.goal, {True: "met", False: "missed", None: ""}[row.met])
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
