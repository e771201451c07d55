"""Walk through folders whose owners may change them meanwhile, without following links.

After a file was checked, the folder's owner may replace it by a link; whoever then opens the path again follows the
link to any file that the operator may read. Three properties prevent this:

1. Below the root nothing is opened by its path: each folder and file is opened relative to the descriptor of the folder
   that holds it, without following links. Only the path of the root, which the operator chose, may contain links.
2. After opening, the type of a file is checked again before it is read.
3. Opening never waits, as it otherwise would for a FIFO or a lease.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Final

CHANGED: Final = "it changed while it was read; grade it again"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Errors of opening a path whose file was replaced or removed after it was seen, or is locked by its owner's lease.
_CHANGES: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENODEV, errno.EAGAIN}
)


class TooMany(OSError):
    """The root holds more files and folders than may be looked at."""

    def __init__(self) -> None:
        super().__init__(errno.E2BIG, "it holds too many files")


@dataclass(frozen=True, slots=True)
class Plain:
    """A regular file: the root itself, or a file below it."""

    root: Path
    components: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file's path, for messages and for checks of the name; it must not be used to open the file."""
        return self.root.joinpath(*self.components)

    @property
    def name(self) -> str:
        return self.path.name

    def open(self) -> BufferedReader:
        """Open the file for reading bytes. Raises OSError, also if it is not a regular file any more (see `reason`)."""
        *folders, name = (os.fspath(self.root), *self.components)
        above: int | None = None
        try:
            for folder in folders:
                below = os.open(folder, _FOLDER, dir_fd=above)
                if above is not None:
                    os.close(above)
                above = below
            handle = os.open(name, _FILE, dir_fd=above)
        finally:
            if above is not None:
                os.close(above)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(errno.ENXIO, "not a regular file", str(self.path))
        return open(handle, "rb")


@dataclass(frozen=True, slots=True)
class Seen:
    """The root, or a file or folder below it, with its `stat` result, or with the error that prevented reading it."""

    components: tuple[str, ...]
    state: os.stat_result | None
    fault: OSError | None = None

    @property
    def is_folder(self) -> bool:
        return self.state is not None and stat.S_ISDIR(self.state.st_mode)

    @property
    def is_file(self) -> bool:
        return self.state is not None and stat.S_ISREG(self.state.st_mode)


def walk(root: Path, deepest: int, most: int, enters: Callable[[str], bool]) -> Iterator[Seen]:
    """Yield the folder `root` and everything below it, each folder before its content, sorted by name.

    root: the folder to start at.
    deepest: the deepest level of folders that is entered; deeper ones are yielded but not entered.
    most: the most names that are looked at; then a `Seen` with the fault `TooMany` is yielded.
    enters: returns whether to enter, and to yield, a folder of this name.

    At most one descriptor for each level of folders is open at a time.
    """
    return _Walk(deepest, most, enters).folder(os.fspath(root), (), None)


def reason(error: OSError) -> str | None:
    """Return why a submission cannot be read if its author is the cause, or None if the machine may be."""
    if isinstance(error, TooMany):
        return "it holds too many files; remove data sets, logs and environments"
    if isinstance(error, PermissionError):
        return "it may not be read; check its permissions"
    return CHANGED if error.errno in _CHANGES else None


class _Walk:
    def __init__(self, deepest: int, most: int, enters: Callable[[str], bool]) -> None:
        self._deepest = deepest
        self._left = most
        self._enters = enters

    def folder(self, name: str, components: tuple[str, ...], above: int | None) -> Iterator[Seen]:
        try:
            handle = os.open(name, _FOLDER, dir_fd=above)
        except OSError as error:
            yield Seen(components, None, error)
            return
        try:
            try:
                state = os.fstat(handle)
                names = self._names(handle)
            except OSError as error:
                yield Seen(components, None, error)
                return
            yield Seen(components, state)
            for below in names:
                yield from self._one(below, (*components, below), handle)
        finally:
            os.close(handle)

    def _one(self, name: str, components: tuple[str, ...], above: int) -> Iterator[Seen]:
        try:
            state = os.stat(name, dir_fd=above, follow_symlinks=False)
        except OSError as error:
            yield Seen(components, None, error)
            return
        if not stat.S_ISDIR(state.st_mode):
            yield Seen(components, state)
        elif self._enters(name):
            deeper = len(components) <= self._deepest
            yield from self.folder(name, components, above) if deeper else (Seen(components, state),)

    def _names(self, handle: int) -> list[str]:
        """Return the folder's names, sorted. Raises TooMany if more would be looked at than allowed."""
        with os.scandir(handle) as entries:
            names = [entry.name for entry in islice(entries, self._left + 1)]
        if len(names) > self._left:
            raise TooMany
        self._left -= len(names)
        return sorted(names)
