"""Compare the verdicts on an idle and on a busy machine: `python -m tests.load [FOLDER]`.

Both runs ask the same questions. Every outcome, with its points, message and measures, has to be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_ROOT: Final = Path(__file__).resolve().parents[1]
_BUSY: Final = 8
_SEED: Final = 7
_COMPARED: Final = ("outcome", "points", "message", "measures")
_LONGEST_SECONDS: Final = 7200  # a busy process ends by itself, should nobody end it


def main() -> int:
    """Print a row for each submission; return 1 if a verdict differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=_ROOT / "submissions", help="the class")
    parser.add_argument("--busy", type=int, default=_BUSY, help="how many processes are busy beside it")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="further options of the command")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="gengrade-load-") as folder:
        secret = secrets.token_hex(32)
        idle, idle_seconds = graded(options.folder, Path(folder) / "idle", secret, options.rest)
        with busy(options.busy):
            loaded, loaded_seconds = graded(options.folder, Path(folder) / "loaded", secret, options.rest)
    table = Table("submission", "verdicts", "that differ")
    for student, items in idle.items():
        differing = differences(items, loaded[student])
        for difference in differing:
            console.print(f"{student}: {difference}", markup=False, highlight=False)
        table.add_row(student, str(len(items)), str(len(differing)))
    console.print(table)
    console.print(f"{idle_seconds:.0f} s idle, {loaded_seconds:.0f} s beside {options.busy} busy processes.")
    return int(any(differences(items, loaded[student]) for student, items in idle.items()))


def graded(
    submissions: Path, out: Path, secret: str, arguments: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], float]:
    """Return each student's automatic items, by check, and the seconds that the command took."""
    command = [sys.executable, str(_ROOT / "run_grading.py"), str(submissions), "--out", str(out)]
    command += ["--seed", str(_SEED), *arguments]
    began = time.monotonic()
    subprocess.run(
        command,
        check=True,
        env={**os.environ, "GENGRADE_SECRET": secret},
        stdout=subprocess.DEVNULL,
    )
    grades = [json.loads(path.read_text()) for path in sorted(out.glob("*/grade.json"))]
    return {grade["student"]: _items(grade) for grade in grades}, time.monotonic() - began


def _items(grade: dict[str, Any]) -> dict[str, Any]:
    items = [item for question in grade["questions"] for item in question["items"] if item["outcome"] is not None]
    return {item["check"]: {name: item[name] for name in _COMPARED} for item in items}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the differences between two sets of verdicts in words."""
    return [
        f"{check}: {one.get(check)} and {other.get(check)}"
        for check in sorted({*one, *other})
        if one.get(check) != other.get(check)
    ]


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Run so many processes that keep a processor busy."""
    code = f"import time\nend = time.time() + {_LONGEST_SECONDS}\nwhile time.time() < end: pass"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
