"""Find and kill the processes of a run, and check that all of them have ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_GONE_SECONDS: Final = 15.0  # for all processes of a run that has ended
_SET_CHILD_SUBREAPER: Final = 36


@dataclass(frozen=True)
class Process:
    pid: int
    words: tuple[str, ...]  # of its command line
    parent: Process | None = None

    def runs(self, word: str) -> bool:
        return any(part.endswith(word) for part in self.words)

    @property
    def is_bubblewrap(self) -> bool:
        return bool(self.words) and Path(self.words[0]).name == "bwrap"


def below(pid: int, parent: Process | None = None) -> Iterator[Process]:
    """Return all descendants of a process, each after its parent."""
    for task in _listed(Path(f"/proc/{pid}/task")):
        for child in _read(task / "children").split():
            process = Process(int(child), words_of(int(child)), parent)
            yield process
            yield from below(process.pid, process)


def words_of(pid: int) -> tuple[str, ...]:
    """Return the words of a process's command line; none if it has ended."""
    return tuple(_read(Path(f"/proc/{pid}/cmdline")).split("\0")[:-1])


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def workers(engine: int) -> list[Process]:
    return [each for each in below(engine) if each.parent is None and each.runs("gengrade.worker")]


def bubblewraps(engine: int) -> list[Process]:
    """Return bubblewrap's processes around zygotes: the outer one, and the first one inside."""
    return [each for each in below(engine) if each.is_bubblewrap and each.runs("zygote.py")]


def zygotes(engine: int) -> list[Process]:
    """Return the zygotes, without the runs that they forked, which have the same command line."""
    return [
        each
        for each in below(engine)
        if each.runs("zygote.py")
        and not each.is_bubblewrap
        and each.parent is not None
        and (each.parent.is_bubblewrap or each.parent.runs("gengrade.worker"))
    ]


def send(process: Process, number: signal.Signals) -> bool:
    """Send a signal, and return whether the process still existed."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if words_of(process.pid) != process.words:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def adopt_orphans() -> None:
    """Make this process the parent of all orphaned descendants, so that none is missed."""
    if ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("prctl")


def all_gone(seconds: float = _GONE_SECONDS) -> tuple[float, list[Process]]:
    """Wait until all processes of a run have ended, kill the rest; return the seconds and the killed ones."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        _reap()
        if not any(below(os.getpid())):
            return time.monotonic() - began, []
        time.sleep(0.01)
    left = list(below(os.getpid()))
    for process in left:
        send(process, signal.SIGKILL)
    time.sleep(0.2)
    _reap()
    return seconds, left


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
