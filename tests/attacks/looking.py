"""Helpers of attacks that search for secrets: read files, and tell afterwards whether a secret was seen."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Final

# Shows what a path holds, but for the submission's own files: they are a copy of the reference.
READ: Final = """
import glob, os, sys
own = os.path.dirname(os.path.abspath(__file__))
def show(path):
    try:
        if os.path.realpath(path).startswith(own):
            return
        with open(path, "rb") as file:
            data = file.read(1 << 20)
        lines = data.splitlines()
        telling = [line for line in lines if b"canary" in line or b"small is no" in line or b"optimum" in line]
        print("READ", path, data.hex() if len(data) == 32 else [line[-200:] for line in telling or lines[-3:]])
    except (OSError, ValueError):
        pass
"""


def piece(*parts: str) -> str:
    return "\n".join(textwrap.dedent(part).strip("\n") for part in parts)


def unless_said(words: str) -> Callable[[Path], str]:
    """Return a look that finds a problem if a results file contains these words, which the code does not."""

    def look(results: Path) -> str:
        files = [path for path in results.rglob("*") if path.is_file()]
        return next((f"{words!r} stands in {path.name}" for path in files if words.encode() in path.read_bytes()), "")

    return look


def unless_changed(*names: str) -> Callable[[Path], str]:
    """Return a look that finds a problem if the last submission's files changed their mode or time."""

    def look(results: Path) -> str:
        folder = results.parents[1] / "class" / "zz-last"
        states = {name: (folder / name).stat() for name in names}
        return ", ".join(
            f"a neighbour's {name} has mode {state.st_mode:o} and time {state.st_mtime:.0f}"
            for name, state in states.items()
            if not state.st_mode & 0o400 or state.st_mtime < 1000
        )

    return look
