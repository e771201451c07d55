"""Decide where results may lie, and which files in the results folder are safe to read, write or remove.

Somebody who can plant files in the results folder must not redirect the operator's rights to other files. Two
properties are deliberate:

1. Nothing is read, written or removed through a symbolic link inside the results folder.
2. Files there that belong to another user are not trusted.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gengrade.paths import InputError, printable
from gengrade.sandbox import SCRATCH_PREFIX
from gengrade.walking import Plain

WORK: Final = ".gengrade"  # the harness's own folder inside the results folder
MARKS: Final = "marks"
RELEASES: Final = "releases"  # what was given to students, and when
PUBLISH: Final = "publish"  # files to upload to a learning management system
WITHDRAWN: Final = "withdrawn"  # the results of submissions that were taken out of the class
TREES: Final = "trees"
TEMPORARY: Final = "temporary"  # the workers' own temporary files
ROOM: Final = "room"  # the marking room's own folder inside the harness's
_DEFAULT: Final = "results"

_MOST_BYTES: Final = 16 << 20  # the largest file of facts or marks, and the largest picture
Identity = tuple[int, int]  # of a file: the numbers of its device and of its inode


class PlaceError(InputError):
    """A file or folder lies in a forbidden place or cannot be trusted."""

    def __str__(self) -> str:
        return f"{printable(str(self.path))}: {self.reason}"


def lies_within(path: Path, folder: Path) -> bool:
    """Return whether the path is the folder or lies inside it, as the path is written or with its links resolved.

    Folders are compared by device and inode, so that neither a link nor a second mount can hide one.
    """
    return not set(_identities([folder])).isdisjoint(_identities(_ways(path)))


def _ways(path: Path) -> Iterator[Path]:
    """Yield the path and all folders above it, both as it is written and with its links resolved."""
    for way in (Path(os.path.normpath(path.absolute())), Path(os.path.realpath(path))):
        yield from (way, *way.parents)


def _identities(paths: Iterable[Path]) -> Iterator[Identity]:
    """Yield the device and inode of each path that exists."""
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            continue  # it does not exist yet
        yield state.st_dev, state.st_ino


@dataclass(frozen=True, slots=True)
class Source:
    """The paths that one submission is read from, and the name of its results folder."""

    id: str
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """The folder that a run writes results to, and the folder in it that holds marks."""

    folder: Path  # with all links resolved
    marks: Path | None  # None: that folder was handed in, so that it holds no marks of ours
    beside: Path | None = None  # where earlier versions read marks as well; None: that folder was handed in


def output(given: Path | None, graded: Path, sources: Sequence[Source]) -> Output:
    """Return the folder for results, and the folder for marks.

    given: the folder that the operator asked for; None: `results` in the working folder or, if that would lie inside
        the submissions, beside them.
    graded: the path that is graded, a class's folder or one submission.
    sources: the paths of each submission.

    Raises PlaceError when the results would lie inside the submissions, where students could plant them, or a
    submission inside the results, where the run could overwrite it.
    """
    out = given if given is not None else Path(_DEFAULT)
    if given is None and _overlap(out, graded, sources) is not None:
        out = Path(os.path.realpath(graded)).parent / _DEFAULT
    overlap = _overlap(out, graded, sources)
    if overlap is not None:
        raise overlap
    folder = Path(os.path.realpath(out))
    handed_in = set(_identities([graded, *(path for source in sources for path in source.paths)]))
    marks, beside = (
        None if handed_in.intersection(_identities(_ways(each))) else each
        for each in (folder / MARKS, Path(os.path.normpath(out.absolute())).parent / MARKS)
    )
    return Output(folder, marks, beside)


def _overlap(out: Path, graded: Path, sources: Sequence[Source]) -> PlaceError | None:
    """Return the error if the results folder lies inside the submissions or a submission in it, otherwise None."""
    remedy = "give --out a folder outside all submissions"
    folders = (WORK, MARKS, RELEASES, PUBLISH, WITHDRAWN)
    own = [*(out / folder for folder in folders), *(out / source.id for source in sources)]
    ours = {identity: place for place in own for identity in _identities([place])}
    around = set(_identities(_ways(out)))
    if not around.isdisjoint(_identities([graded])):
        return PlaceError(
            out, f"results cannot lie inside the submissions ({printable(os.path.abspath(graded))}); {remedy}"
        )
    for source in sources:
        for path in source.paths:
            for identity in _identities([path]):
                if identity in around or identity in ours:
                    place = out if identity in around else ours[identity]
                    reason = f"results cannot lie inside the submission {printable(str(path))}; {remedy}"
                    return PlaceError(place, reason)
            for identity in _identities(_ways(path)):
                if identity in ours:
                    reason = f"a submission cannot lie inside the results at {printable(str(ours[identity]))}; {remedy}"
                    return PlaceError(path, reason)
    return None


@dataclass(frozen=True, slots=True)
class Owners:
    """The users whose files are trusted: the operator, root, and the owner of the results folder."""

    ids: frozenset[int]

    @classmethod
    def of(cls, out: Path) -> Owners:
        """Return the trusted users for the results folder `out`, which need not exist yet."""
        known = {0, os.geteuid()}
        try:
            known.add(out.stat().st_uid)
        except OSError:
            pass  # the folder does not exist yet, and this process will create it
        return cls(frozenset(known))

    def require(self, path: Path, state: os.stat_result) -> None:
        """Raise PlaceError unless the path, whose `lstat` is `state`, is a file or folder of a trusted user."""
        if stat.S_ISLNK(state.st_mode):
            raise PlaceError(path, "it is a symbolic link, and links are not followed in the results folder; remove it")
        if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
            raise PlaceError(path, "it is neither a file nor a folder; remove it")
        if state.st_uid not in self.ids:
            reason = f"it belongs to another user ({state.st_uid}) and cannot be trusted"
            raise PlaceError(path, f"{reason}; remove it, or change its owner to yourself")


def require_ours(out: Path, ids: Iterable[str]) -> None:
    """Check all files that a run reads, writes or removes in the results folder `out`.

    ids: the names of the submissions' results folders.

    Scratch folders and trees of a killed run, which may hold files of student code, are not searched: they are removed
    without following links.

    Raises PlaceError for the first link, or file of a user who is not trusted.
    """
    owners = Owners.of(out)
    work = out / WORK
    closed = {work / TEMPORARY}
    for place in (work, work / ROOM):
        closed |= {*_scratch(place), *_entries(place / TREES)}
    pending = [work, *(out / id_ for id_ in ids)]
    while pending:
        path = pending.pop()
        try:
            state = path.lstat()
        except FileNotFoundError:  # another process may have removed it
            continue
        owners.require(path, state)
        if stat.S_ISDIR(state.st_mode) and path not in closed:
            pending += _entries(path)


def _scratch(work: Path) -> Iterator[Path]:
    return (path for path in _entries(work) if path.name.startswith(SCRATCH_PREFIX))


def _entries(folder: Path) -> list[Path]:
    """Return the entries of a folder, or [] if the path is missing, a link or not a folder."""
    try:
        return [] if folder.is_symlink() else list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_trusted(path: Path, owners: Owners) -> bytes | None:
    """Return the content of a file that people write, such as marks, or None if it does not exist.

    Raises PlaceError if it, or its folder, is a link or belongs to a user who is not trusted, and OSError.
    """
    for place in (path.parent, path):
        try:
            owners.require(place, place.lstat())
        except (FileNotFoundError, NotADirectoryError):
            return None
    return read_plain(path)


def read_plain(path: Path, most: int = _MOST_BYTES) -> bytes:
    """Return the content of a regular file of at most `most` bytes. Raises OSError for anything else, and for links."""
    with Plain(path.parent, (path.name,)).open() as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EINVAL, f"the file is larger than {most:,} bytes", str(path))
    return content


@contextmanager
def folder_for(path: Path) -> Iterator[int]:
    """Open the folder of a file that is to be written, creating it if needed. Raises PlaceError if it is a link.

    The context's value is the folder's file descriptor, which is closed at its end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.is_symlink():
        reason = "it is a symbolic link, and links are not followed in the results folder; remove it"
        raise PlaceError(path.parent, reason)
    folder = _opened_folder(path.parent)
    try:
        yield folder
    finally:
        os.close(folder)


def _opened_folder(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
