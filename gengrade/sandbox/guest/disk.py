"""Measure how much a run has written into its scratch folder, if this lies on a disk and not on a limited tmpfs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from gengrade.sandbox.guest import family

MOST_FILES: Final = 16_384  # files and folders of one run, as many as a tmpfs of a run may hold
TREE_EXIT: Final = 96  # the exit status of a run that ended before student code since its own tree does not fit
_DEEPEST: Final = 256  # levels of folders
_BLOCK: Final = 512  # bytes in a unit of st_blocks


def exceeds(scratch: Path, processes: Iterable[int], most_bytes: int) -> bool:
    """Return whether the files in `scratch`, including removed ones that `processes` still hold, exceed a run's limits.

    The walk stops as soon as this is certain, so that it never takes longer than for a run at its limits.
    """
    count = _Count(most_bytes)
    _walk(scratch, count)
    for pid in processes:
        if count.exceeded:
            break
        _removed_files(pid, count)
    return count.exceeded


class _Count:
    """The bytes and files counted so far; a file with several names counts once."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._seen: set[tuple[int, int]] = set()
        self.exceeded = False

    def add(self, state: os.stat_result) -> None:
        key = (state.st_dev, state.st_ino)
        if key not in self._seen:
            self._seen.add(key)
            self._bytes += state.st_blocks * _BLOCK
            self.exceeded = self.exceeded or self._bytes > self._most_bytes or len(self._seen) > MOST_FILES


def _walk(top: Path, count: _Count) -> None:
    """Count everything below `top`, opening folders by descriptors, since paths may be too long for the system."""
    level = _Level.opened(str(top), None)
    path = [level] if level else []
    try:
        while path and not count.exceeded:
            level = path[-1].next_folder(count)
            if level is None:
                path.pop().close()
            else:
                path.append(level)
                count.exceeded = count.exceeded or len(path) > _DEEPEST
    finally:
        for level in path:
            level.close()


class _Level:
    """A folder on the path of the walk, and those of its folders that are not entered yet."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._folders: list[str] | None = None

    @classmethod
    def opened(cls, name: str, above: int | None) -> _Level | None:
        """Open a folder without following links, making it readable first; return None if it cannot be opened."""
        flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            handle = os.open(name, os.O_PATH | flags, dir_fd=above)
        except OSError:
            return None
        try:
            itself = f"/proc/self/fd/{handle}"
            os.chmod(itself, stat.S_IMODE(os.fstat(handle).st_mode) | stat.S_IRWXU)
            return cls(os.open(itself, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError:
            return None
        finally:
            os.close(handle)

    def next_folder(self, count: _Count) -> _Level | None:
        """Return the next folder in this one, after counting the entries of this one, or None."""
        if self._folders is None:
            self._folders = list(self._counted(count))
        while self._folders and not count.exceeded:
            if level := _Level.opened(self._folders.pop(), self._descriptor):
                return level
        return None

    def _counted(self, count: _Count) -> Iterator[str]:
        with os.scandir(self._descriptor) as entries:
            for entry in entries:
                with suppress(OSError):  # the entry was removed meanwhile
                    state = entry.stat(follow_symlinks=False)
                    count.add(state)
                    if stat.S_ISDIR(state.st_mode):
                        yield entry.name
                if count.exceeded:
                    return

    def close(self) -> None:
        os.close(self._descriptor)


def _removed_files(pid: int, count: _Count) -> None:
    """Count the files that a process has open and that have been removed."""
    for view, names in family.tables(pid):
        for name in names or ():
            try:
                state = os.stat(f"{view}/fd/{name}")
            except OSError:
                continue
            if stat.S_ISREG(state.st_mode) and state.st_nlink == 0:
                count.add(state)
