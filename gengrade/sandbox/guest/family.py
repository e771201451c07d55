"""The processes that a run started: what they take, and how they end. Read from /proc, where there is one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What all processes of a run take together."""

    resident: int  # bytes of anonymous and shared memory, beyond what each inherited from the zygote
    tasks: int  # processes and threads


def usage(baseline: int) -> Usage:
    resident = tasks = 0
    for pid in descendants():
        resident += max(0, resident_bytes(pid) - baseline)
        tasks += _threads(pid)
    return Usage(resident, tasks)


def resident_bytes(pid: int) -> int:
    """Anonymous and shared memory of one process, in bytes; pages of files (libraries) do not count."""
    total = 0
    for line in _read(pid, "status").splitlines():
        if line.startswith(("RssAnon:", "RssShmem:")):
            total += int(line.split()[1]) * _KIB
    return total


def descendants() -> Iterator[int]:
    """All processes below this one, nested namespaces included."""
    pending = _children(os.getpid())
    while pending:
        pid = pending.pop()
        yield pid
        pending.extend(_children(pid))


def kill(pid: int) -> None:
    """Ends a run: its process group, and whatever left the group."""
    for end in (os.killpg, os.kill):
        try:
            end(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    for descendant in descendants():
        _kill_one(descendant)


def kill_descendants(seconds: float = 5.0) -> None:
    """Ends and reaps all that a run left behind. Orphans come to this process, the subreaper."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        left = list(descendants())
        for pid in left:
            _kill_one(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        if not left:
            return
        time.sleep(0.002)


def _kill_one(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in _list(_PROC / str(pid) / "task"):
        children.extend(int(child) for child in _read(pid, f"task/{task}/children").split())
    return children


def _threads(pid: int) -> int:
    return len(_list(_PROC / str(pid) / "task"))


def _list(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(pid: int, name: str) -> str:
    try:
        return (_PROC / str(pid) / name).read_text(errors="replace")
    except OSError:
        return ""
