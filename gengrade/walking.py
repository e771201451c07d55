"""Looking through folders whose owners may change them meanwhile.

Between a look at a name and its use, a folder's owner may put a link in its place; whoever then asks for the path again
follows it to any file that the operator may read. Below a root nothing is therefore asked for by its path: a folder is
opened from the descriptor of the one that holds it, and a file from its folder's, neither through a link. Only the way
to the root is the operator's own, and may lead over links. What was opened is looked at again before it is read, and
opening never waits, as it would for a FIFO or a lease.
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

CHANGED: Final = "it changed while it was read; start again"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# What opening says where something else has taken the place of what was seen there, or where its owner holds it back.
_CHANGES: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENODEV, errno.EAGAIN}
)


class TooMany(OSError):
    """There are more names below a root than are looked at."""

    def __init__(self) -> None:
        super().__init__(errno.E2BIG, "it holds too many files")


@dataclass(frozen=True, slots=True)
class Plain:
    """A regular file: the root itself, or one below it."""

    root: Path
    components: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """To be shown and judged by its name, never to be opened."""
        return self.root.joinpath(*self.components)

    @property
    def name(self) -> str:
        return self.path.name

    def open(self) -> BufferedReader:
        """Raises OSError, also where it is no regular file any more (see `reason`)."""
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
            raise OSError(errno.ENXIO, "no regular file", str(self.path))
        return open(handle, "rb")


@dataclass(frozen=True, slots=True)
class Seen:
    """A root, or something below it: what its system says of it, or why that, or a folder's names, cannot be had."""

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
    """The folder `root` and all below it, folders before what they hold, in the order of the names.

    Folders for whose name `enters` is false are passed over; those that lie more than `deepest` in each other are shown
    and not looked into. No more than `most` names are looked at, and no more descriptors held than folders lie in each
    other.
    """
    return _Walk(deepest, most, enters).folder(os.fspath(root), (), None)


def reason(error: OSError) -> str | None:
    """Why a hand-in cannot be read, where that is its own doing; None where it may be the machine's."""
    if isinstance(error, TooMany):
        return "it holds too many files; remove data sets, logs and environments"
    if isinstance(error, PermissionError):
        return "it may not be read; look at its permissions"
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
        """Sorted; not one where they are too many, since a system gives them in no order."""
        with os.scandir(handle) as entries:
            names = [entry.name for entry in islice(entries, self._left + 1)]
        if len(names) > self._left:
            raise TooMany
        self._left -= len(names)
        return sorted(names)
