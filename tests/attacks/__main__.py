"""Run attacks and print a table of the results: `python -m tests.attacks [ROW …] --tier sandbox --tier landlock`."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

import tests.attacks
from gengrade.sandbox import Tier, examine
from tests.attacks.attack import Attack
from tests.attacks.course import Course, Row

_WALLED = (Tier.SANDBOX.value, Tier.LANDLOCK.value)
_ORDINARY = 1000  # a user id that is nobody's in particular


def attacks(rows: Sequence[int] = ()) -> list[Attack]:
    """Return all attacks, or those of the given rows."""
    found = [attack for some in attacks_by_module().values() for attack in some]
    return sorted((attack for attack in found if not rows or attack.row in rows), key=lambda attack: attack.id)


def attacks_by_module() -> dict[str, Sequence[Attack]]:
    """Return all attacks, by the name of the module in this package that defines them."""
    names = [info.name for info in pkgutil.iter_modules(tests.attacks.__path__)]
    modules = {
        name: importlib.import_module(f"tests.attacks.{name}") for name in names if not name.startswith(("_", "test_"))
    }
    return {name: module.ATTACKS for name, module in modules.items() if hasattr(module, "ATTACKS")}


def survey(chosen: Sequence[Attack], tier: str, uid: int | None, arguments: Sequence[str]) -> list[Row]:
    """Grade the classes of these attacks, one class for each profile and choice of checks."""

    def kind(attack: Attack) -> tuple[str, tuple[str, ...]]:
        return attack.profile, attack.asked

    rows: list[Row] = []
    for (profile, _), some in groupby(sorted(chosen, key=kind), kind):
        with tempfile.TemporaryDirectory(prefix="gengrade-attacks-") as folder:
            Path(folder).chmod(0o755)
            rows += Course(Path(folder) / profile, tier, uid, arguments).judge(list(some))
    return rows


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    command.add_argument("rows", nargs="*", type=int, help="rows of docs/attacks.md; all, if none is named")
    command.add_argument("--tier", action="append", choices=list(Tier), help="sandbox and landlock, if none is named")
    command.add_argument("--user", action="append", type=int, help="run the command as that user; root may")
    command.add_argument("--part", help="grade that part only")
    return command


def main() -> int:
    """Print the table; return 1 if an attack is not stopped and its tier is not declared to leave it open."""
    options = parser().parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    available = {finding.tier.value for finding in examine() if finding.available}
    users: list[int | None] = options.user or [None, *([_ORDINARY] if os.getuid() == 0 else [])]
    rows: dict[str, list[Row]] = {}
    users = [uid for uid in users if _may_run(uid, console)]
    for tier in options.tier or _WALLED:
        if tier not in available:
            console.print(f"The tier {tier} is not available on this machine: gengrade doctor says why.")
            continue
        for uid in users:
            who = f"{tier}, user {os.getuid() if uid is None else uid}"
            arguments = ("--part", options.part) if options.part else ()
            rows[who] = survey(attacks(options.rows), tier, uid, arguments)
    return _report(rows, console)


def _may_run(uid: int | None, console: Console) -> bool:
    """Return whether a user can run this interpreter, which others cannot if it lies in root's home."""
    if uid is None or uid == os.getuid():
        return True
    # The first program that setpriv starts may still pass over permissions; what that starts, as workers are, may not.
    once_more = f"import subprocess; subprocess.run([{sys.executable!r}, '-c', 'import torch'], check=True)"
    words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", sys.executable, "-c", once_more]
    trial = subprocess.run(words, capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        problem = (trial.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        console.print(f"Nothing is tried as user {uid}, who cannot run {sys.executable}: {problem}", markup=False)
    return trial.returncode == 0


def _report(rows: dict[str, list[Row]], console: Console) -> int:
    table = Table("attack", "tier", "gained", "spilled", "control")
    for who, some in rows.items():
        for row in some:
            for what, problems in (("gained", row.gained), ("spilled", row.spilled), ("control", row.control)):
                for problem in problems[:6]:
                    console.print(f"{row.attack.id}, {who}, {what}: {problem}", markup=False, highlight=False)
            cells = ("points" if row.gained else "nothing", str(len(row.spilled) or "nothing"))
            table.add_row(row.attack.id, who, *cells, "lost points" if row.control else "full points")
            if row.declared:
                console.print(f"{row.attack.id}, {who}: open, {row.declared}", markup=False, highlight=False)
    console.print(table)
    every = [row for some in rows.values() for row in some]
    short = [row for row in every if not row.stopped and not row.declared]
    console.print(f"{len(every) - len(short)} of {len(every)} rows hold.")
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
