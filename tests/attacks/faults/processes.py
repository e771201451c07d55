"""The processes of a run: which there are, killing one, and whether all are gone."""

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
    """All processes that descend from one, each after its parent. Found by parent, so that none is anybody else's."""
    for task in _listed(Path(f"/proc/{pid}/task")):
        for child in _read(task / "children").split():
            process = Process(int(child), words_of(int(child)), parent)
            yield process
            yield from below(process.pid, process)


def words_of(pid: int) -> tuple[str, ...]:
    """Of a process's command line; none, when it is gone."""
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
    """Around zygotes: both of each, the one outside and the first process inside."""
    return [each for each in below(engine) if each.is_bubblewrap and each.runs("zygote.py")]


def zygotes(engine: int) -> list[Process]:
    """Not the runs that they forked, which look the same: what becomes of those is the student's."""
    return [
        each
        for each in below(engine)
        if each.runs("zygote.py")
        and not each.is_bubblewrap
        and each.parent is not None
        and (each.parent.is_bubblewrap or each.parent.runs("gengrade.worker"))
    ]


def send(process: Process, number: signal.Signals) -> bool:
    """False when it was gone by then."""
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
    """From now on, whoever loses its parent becomes a child of this process: nothing that is left alive is missed."""
    if ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("prctl")


def all_gone(seconds: float = _GONE_SECONDS) -> tuple[float, list[Process]]:
    """Waits until nothing of a run is left: how long that took, and what did not go by itself and was ended here."""
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
