"""The functions of this package that read untrusted files, each in a confined process.

Two properties are deliberate:

1. A submission that cannot be read gets an error of its own, and is never a fault of the harness.
2. Where advice to teachers (unusual code, a course that fits better) cannot be given, the grading goes on without it.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from gengrade.confined import Bounds, Disturbed, Unreadable, confined
from gengrade.parts import Part
from gengrade.paths import InputError
from gengrade.submissions import discovery, looking, preparing, signature
from gengrade.submissions.locating import locate
from gengrade.submissions.model import Discovery, LaidOut, Prepared, Submission, SubmissionError

# Bounds for reading all submissions of a class. That process may start others, in which archives are listed.
_CLASS = Bounds(cpu_seconds=600, wall_seconds=7_200.0, processes=True)
_ADVICE = Bounds(cpu_seconds=30)
_Made = TypeVar("_Made", Prepared, LaidOut)
_MOST_ENDED = 4  # files of one submission that may end the process that inspects them


def discover(path: Path, parts: Mapping[str, Part]) -> Discovery:
    """Return the submissions in the folder `path`, or the single submission that `path` is.

    path: a class's folder, or one submission (a folder, an archive or a program).
    parts: the parts of the assignment, by key.

    A folder is one submission when parts of the assignment lie directly in it, or in its only folder of code. A
    submission that cannot be read gets an `error`. All paths in the result are absolute.

    Raises SubmissionError when there is nothing to grade at all.
    """
    path = path.absolute()
    try:
        return confined(partial(discovery.discover, path, parts), Discovery, _CLASS)
    except (Unreadable, Disturbed) as error:
        raise SubmissionError(path, f"it cannot be read: {error}; check its content") from error


def names_in(submission: Submission) -> list[str]:
    """Return the names of a submission's files, as far as they are known without unpacking it; [] if it is damaged."""
    try:
        return confined(partial(discovery.names_in, submission), list[str], _ADVICE)
    except (Unreadable, Disturbed, InputError):
        return []  # `prepare` reports the error


def signatures(submissions: Sequence[Submission]) -> tuple[str | None, ...]:
    """Return for each submission a text that changes when one of its files changes, or None if that is uncertain."""
    try:
        return confined(partial(signature.signatures, submissions), tuple[str | None, ...], _CLASS)
    except (Unreadable, Disturbed):
        return (None,) * len(submissions)


def content(submission: Submission) -> str | None:
    """Return "sha256:…" of the files as they were handed in, without their outer names; None if one is unreadable."""
    try:
        return confined(partial(signature.content, submission), str) or None
    except (Unreadable, Disturbed, OSError):
        return None


def prepare(
    submission: Submission, into: Path, parts: Mapping[str, Part], entry: Mapping[str, str] | None = None
) -> Prepared:
    """Make the submission's clean tree: <part key>/<files of that part>.

    into: the tree's folder, which must not exist. Archives are unpacked beside it meanwhile.
    parts: the parts of the assignment, by key; a part that was not handed in is no error.
    entry: names that the rubric sets, by role; they are written beside the parts, for the course's adapters.

    Only regular files are copied, without following links. The hash depends on paths and contents alone.

    Raises SubmissionError or ArchiveError when the submission cannot be read as a whole. OSError and Disturbed are
    faults of the machine, such as a full disk.
    """
    return _made(submission, into, partial(preparing.prepare, submission, into, parts, entry or {}), Prepared)


def lay_out_documents(submission: Submission, into: Path) -> LaidOut:
    """Make a tree of all files of a submission that people may want to read: documents/<relative path>.

    into: the tree's folder, which must not exist. Archives are unpacked beside it meanwhile.

    The limits are those of `prepare`, but PDFs and notebooks may be larger, and notebooks keep their outputs. The notes
    of the result say what is left out.

    Raises SubmissionError or ArchiveError when the submission cannot be read as a whole. OSError and Disturbed are
    faults of the machine, such as a full disk.
    """
    return _made(submission, into, partial(preparing.lay_out_documents, submission, into), LaidOut)


def _made(submission: Submission, into: Path, make: Callable[[Path], _Made], returns: type[_Made]) -> _Made:
    """Return what `make` does in a confined process with a scratch folder; without success, remove what it made."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as scratch:
        try:
            return confined(partial(make, Path(scratch)), returns, Bounds())
        except BaseException as error:
            preparing.discard(into)
            if isinstance(error, Unreadable):
                what_to_do = "hand in the requested files only, and ask your course's staff if that does not help"
                raise SubmissionError(submission.source, f"it cannot be read: {error}; {what_to_do}") from error
            raise


def lay_out(folder: Path, into: Path, parts: Mapping[str, Part]) -> Prepared:
    """Make the clean tree `into` of a trusted folder as `prepare` does of a submission, but in this process.

    A confined process is not needed for our own files, and would take more time than the copy.
    """
    ours = Submission(id=into.name, name=into.name, late=None, source=folder)
    with tempfile.TemporaryDirectory(prefix="gengrade-") as scratch:
        return preparing.prepare(ours, into, parts, {}, Path(scratch))


def targets(folder: Path, parts: Mapping[str, Part]) -> dict[str, tuple[str, ...]]:
    """Return for each file of a trusted folder, by its path there, the paths that it gets in the clean tree."""
    files = [PurePosixPath(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    found: dict[str, tuple[str, ...]] = {}
    for key, place in locate([path for path in files if "__pycache__" not in path.parts], parts).places.items():
        for target, source in place.files.items() if place else ():
            found[source.as_posix()] = (*found.get(source.as_posix(), ()), f"{key}/{target}")
    return found


def code_flags(tree: Path, shown: Mapping[str, str], *, libraries: bool = False) -> tuple[str, ...]:
    """Return sentences on unusual code in the programs and notebooks of a clean tree, each kind once for a file.

    tree: the clean tree.
    shown: for each folder of the tree, its name in the submission.
    libraries: whether any library may be used, so that no use of one is flagged.

    A file that cannot be inspected is named as such, and the others are inspected all the same. A file that Python
    cannot parse is not named, since its checks report that.
    """
    files = looking.programs(tree)
    ended: dict[str, str] = {}
    with mmap.mmap(-1, 8) as place:
        while True:
            left = [file for file in files if str(file) not in ended]
            try:
                seen = confined(partial(_looked, left, place), list[looking.Look], _ADVICE)
                break
            except Unreadable as error:
                reason = str(error)
            except (Disturbed, OSError) as error:
                return (f"the code could not be inspected: {error}",)
            ended[str(left[_number(place)])] = reason
            if len(ended) >= _MOST_ENDED:
                seen = [looking.Look(str(file), unread=looking.NO_TIME) for file in left]
                break
    seen = [look for look in seen if look.file not in ended]
    seen += [looking.Look(file, unread=reason) for file, reason in ended.items()]
    return looking.flag_sentences(tree, shown, seen, libraries=libraries)


def _looked(files: Sequence[Path], place: mmap.mmap) -> list[looking.Look]:
    """Inspect the files, and write the number of the current one to memory that the parent process can read."""

    def at(number: int) -> None:
        place[:] = struct.pack("<Q", number)

    return looking.look(files, at)


def _number(place: mmap.mmap) -> int:
    return int(struct.unpack("<Q", place[:])[0])
