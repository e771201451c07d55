"""Where results may lie, and whose files beneath them are read, written or removed.

Nothing is read from, written to or removed through a link beneath the results, nor is anything there trusted that
belongs to a stranger: whoever could plant either would choose what the operator's rights are used on.
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

WORK: Final = ".gengrade"  # the harness's own folder beneath the results
MARKS: Final = "marks"
TREES: Final = "trees"
TEMPORARY: Final = "temporary"  # the workers' own temporary files
_DEFAULT: Final = "results"

_MOST_BYTES: Final = 16 << 20  # of facts, pictures and marks
Identity = tuple[int, int]  # of a file: its device, and its number there


class PlaceError(InputError):
    """A file or folder lies where it must not, or is not to be trusted."""

    def __str__(self) -> str:
        return f"{printable(str(self.path))}: {self.reason}"


def lies_within(path: Path, folder: Path) -> bool:
    """Whether the path is the folder or beneath it: as it is written, or where its links lead.

    Folders are compared by what they are rather than by name, so that neither a link nor a second mount hides one.
    """
    return not set(_identities([folder])).isdisjoint(_identities(_ways(path)))


def _ways(path: Path) -> Iterator[Path]:
    """The path and all folders above it, as it is written and as it is without links."""
    for way in (Path(os.path.normpath(path.absolute())), Path(os.path.realpath(path))):
        yield from (way, *way.parents)


def _identities(paths: Iterable[Path]) -> Iterator[Identity]:
    """Of those that are there: what they are, rather than what they are called."""
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            continue  # not there yet
        yield state.st_dev, state.st_ino


@dataclass(frozen=True, slots=True)
class Source:
    """What one submission is read from, and the name of its folder of results."""

    id: str
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """Where a run's results go, and where people's marks for them are looked for."""

    folder: Path  # with no link in it
    marks: tuple[Path, ...]


def output(given: Path | None, graded: Path, sources: Sequence[Source]) -> Output:
    """The given folder, or `results` here, or beside what is `graded`, in which `results` would lie.

    Raises PlaceError when what is graded would hold its own results, or lies within them: whoever handed it in would
    have written what the run reads there, or lose what it is.
    """
    out = given if given is not None else Path(_DEFAULT)
    if given is None and _overlap(out, graded, sources) is not None:
        out = Path(os.path.realpath(graded)).parent / _DEFAULT
    overlap = _overlap(out, graded, sources)
    if overlap is not None:
        raise overlap
    folder = Path(os.path.realpath(out))
    handed_in = set(_identities([graded, *(path for source in sources for path in source.paths)]))
    marks = (folder / MARKS, Path(os.path.normpath(out.absolute())).parent / MARKS)
    return Output(folder, tuple(each for each in marks if not handed_in.intersection(_identities(_ways(each)))))


def _overlap(out: Path, graded: Path, sources: Sequence[Source]) -> PlaceError | None:
    """What is wrong with these results: what is graded around them, or a submission among them."""
    remedy = "give --out a folder outside of all submissions"
    own = [out / WORK, out / MARKS, *(out / source.id for source in sources)]
    ours = {identity: place for place in own for identity in _identities([place])}
    around = set(_identities(_ways(out)))
    if not around.isdisjoint(_identities([graded])):
        return PlaceError(
            out, f"results cannot lie within what is graded ({printable(os.path.abspath(graded))}); {remedy}"
        )
    for source in sources:
        for path in source.paths:
            for identity in _identities([path]):
                if identity in around or identity in ours:
                    place = out if identity in around else ours[identity]
                    reason = f"results cannot lie within the submission {printable(str(path))}; {remedy}"
                    return PlaceError(place, reason)
            for identity in _identities(_ways(path)):
                if identity in ours:
                    reason = f"a submission cannot lie within the results at {printable(str(ours[identity]))}; {remedy}"
                    return PlaceError(path, reason)
    return None


@dataclass(frozen=True, slots=True)
class Owners:
    """The users whose files are trusted: ours, root, and whoever the folder of results belongs to."""

    ids: frozenset[int]

    @classmethod
    def of(cls, out: Path) -> Owners:
        known = {0, os.geteuid()}
        try:
            known.add(out.stat().st_uid)
        except OSError:
            pass  # it is not there yet, and will be ours
        return cls(frozenset(known))

    def require(self, path: Path, state: os.stat_result) -> None:
        """Raises PlaceError for a link, for what is neither file nor folder, and for what belongs to a stranger."""
        if stat.S_ISLNK(state.st_mode):
            raise PlaceError(path, "it is a link, and nothing is read or written through one here; remove it")
        if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
            raise PlaceError(path, "it is neither a file nor a folder; remove it")
        if state.st_uid not in self.ids:
            reason = f"it belongs to another user ({state.st_uid}), who may have written anything"
            raise PlaceError(path, f"{reason}; remove it, or make it yours")


def require_ours(out: Path, ids: Iterable[str]) -> None:
    """Raises PlaceError for the first link or stranger's file among what a run reads, writes or removes beneath `out`.

    What student code itself may have left, in the scratch folders and trees of a killed run, is not looked into: it is
    removed without following anything.
    """
    owners = Owners.of(out)
    work = out / WORK
    closed = {work / TEMPORARY, *_scratch(work), *_entries(work / TREES)}
    pending = [work, *(out / id_ for id_ in ids)]
    while pending:
        path = pending.pop()
        try:
            state = path.lstat()
        except FileNotFoundError:  # another process may be at work there
            continue
        owners.require(path, state)
        if stat.S_ISDIR(state.st_mode) and path not in closed:
            pending += _entries(path)


def _scratch(work: Path) -> Iterator[Path]:
    return (path for path in _entries(work) if path.name.startswith(SCRATCH_PREFIX))


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder; nothing in what is none, or is a link to one."""
    try:
        return [] if folder.is_symlink() else list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_trusted(path: Path, owners: Owners) -> bytes | None:
    """The content of a file that people write beside results; None when it is not there. Raises PlaceError, OSError."""
    for place in (path.parent, path):
        try:
            owners.require(place, place.lstat())
        except (FileNotFoundError, NotADirectoryError):
            return None
    return read_plain(path)


def read_plain(path: Path, most: int = _MOST_BYTES) -> bytes:
    """The content of a plain file of at most so many bytes. Raises OSError for all else, and for a link to one."""
    with Plain(path.parent, (path.name,)).open() as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EINVAL, "larger than any file of its kind", str(path))
    return content


@contextmanager
def folder_for(path: Path) -> Iterator[int]:
    """The folder in which a file is to be written, made when it is missing, as a descriptor. Raises PlaceError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.is_symlink():
        raise PlaceError(path.parent, "it is a link, and nothing is written through one here; remove it")
    folder = _opened_folder(path.parent)
    try:
        yield folder
    finally:
        os.close(folder)


def _opened_folder(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
