"""A control group around a zygote: the kernel's own limit on the memory of all of its runs' processes (cgroups(7)).

It stands behind the limits that the zygote counts, and holds where nobody can count: buffers, caches, what comes up
between two looks. Where this user may not make one (no version 2, or no delegation) there is none, and the counted
limits are all. `systemd-run --user --scope` gives a command a place where it may.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

_OWN: Final = Path("/proc/self/cgroup")
_MOUNTS: Final = Path("/proc/self/mountinfo")


class Group:
    """A group of processes with a limit on their memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._killed = self._kills()

    @classmethod
    def make(cls, own: Path = _OWN, mounts: Path = _MOUNTS) -> Self | None:
        """A new group, as near to this process's as may be; None where none may be made."""
        for above in _places(own, mounts):
            folder = above / f"gengrade-{secrets.token_hex(8)}"
            try:
                folder.mkdir()
                (folder / "memory.swap.max").write_text("0")
                return cls(folder)
            except OSError:
                with suppress(OSError):
                    folder.rmdir()
        return None

    def entered_by(self, command: Sequence[str]) -> list[str]:
        """The command that puts itself into the group, with all that it will start, before it does anything else."""
        return ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(self._folder / "cgroup.procs"), *command]

    def allow(self, more_bytes: int) -> None:
        """Lets the group take so much beyond what it has now. Raises OSError."""
        current = int((self._folder / "memory.current").read_text())
        (self._folder / "memory.max").write_text(str(current + more_bytes))

    def has_killed(self) -> bool:
        """Whether the limit has ended a process since this was last asked."""
        before, self._killed = self._killed, self._kills()
        return self._killed > before

    def _kills(self) -> int:
        with suppress(OSError):
            for line in (self._folder / "memory.events").read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
        return 0

    def close(self) -> None:
        """Removes the group, whose processes have ended."""
        with suppress(OSError):
            self._folder.rmdir()


def _places(own: Path, mounts: Path) -> list[Path]:
    """Groups above this process's own in which one with a limit on memory may be made, the nearest first."""
    top = _mounted(mounts)
    path = next((line[3:] for line in _lines(own) if line.startswith("0::")), None)
    if top is None or path is None:
        return []
    here = top / path.strip("/")
    above = [folder for folder in (here, *here.parents) if folder == top or top in folder.parents]
    return [folder for folder in above if _may_hold(folder)]


def _may_hold(folder: Path) -> bool:
    controllers = " ".join(_lines(folder / "cgroup.subtree_control")).split()
    return "memory" in controllers and all(os.access(path, os.W_OK) for path in (folder, folder / "cgroup.procs"))


def _mounted(mounts: Path) -> Path | None:
    """Where the hierarchy of version 2 is mounted: a mount point, before the dash its place, after it the kind."""
    for line in _lines(mounts):
        place, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return Path(place.split()[4])
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
