"""Limit the memory of all processes of a zygote with a control group of the kernel (cgroups(7)).

This limit backs up the one that the zygote measures, and also covers what the zygote cannot measure: kernel buffers,
caches, and memory that is allocated between two measurements. If this user may not create a group (there is no cgroup
version 2, or no delegation), only the measured limit applies. `systemd-run --user --scope` runs a command where groups
may be created.
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
    """A control group with a limit on its processes' memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._killed = self._kills()

    @classmethod
    def make(cls, own: Path = _OWN, mounts: Path = _MOUNTS) -> Self | None:
        """Create a group, as close to this process's own as possible, or return None if that is not allowed."""
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
        """Return the command line of a process that enters the group and then runs `command` in it."""
        return ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(self._folder / "cgroup.procs"), *command]

    def allow(self, more_bytes: int) -> None:
        """Limit the group to its current memory plus `more_bytes`. Raises OSError."""
        current = int((self._folder / "memory.current").read_text())
        (self._folder / "memory.max").write_text(str(current + more_bytes))

    def has_killed(self) -> bool:
        """Return whether the limit has ended a process since the last call."""
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
        """Remove the group, whose processes must have ended."""
        with suppress(OSError):
            self._folder.rmdir()


def _places(own: Path, mounts: Path) -> list[Path]:
    """Return the groups, from this process's own upwards, in which a group with a memory limit may be created."""
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
    """Return where the cgroup version 2 hierarchy is mounted (proc_pid_mountinfo(5)), or None."""
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
