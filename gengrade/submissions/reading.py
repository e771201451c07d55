"""The front of this package: all that reads a stranger's bytes does so in a confined process.

A submission that cannot be read is a submission's error, and never the harness's; advice (what stands out in the code,
which course the names fit) that cannot be had is said, or left out, and fails nothing.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from gengrade.confined import Bounds, Disturbed, Unreadable, confined
from gengrade.parts import Part
from gengrade.paths import InputError
from gengrade.submissions import discovery, looking, preparing, signature
from gengrade.submissions.model import Discovery, Prepared, Submission, SubmissionError

# A look at every submission of a class. It may start other processes: what parses an archive is confined once more.
_CLASS = Bounds(cpu_seconds=600, wall_seconds=7_200.0, processes=True)
_ADVICE = Bounds(cpu_seconds=30)
_MOST_ENDED = 4  # times that the code of one submission may end the process that looks at it


def discover(path: Path, parts: Mapping[str, Part]) -> Discovery:
    """The submissions in the folder `path`, or the one that `path` (a folder or an archive) is.

    A folder is one submission when parts of the assignment lie directly in it, or in its only folder of code. What
    cannot be read becomes a submission with an `error`. All paths in the result are absolute.

    Raises SubmissionError when there is nothing to grade at all.
    """
    path = path.absolute()
    try:
        return confined(partial(discovery.discover, path, parts), Discovery, _CLASS)
    except (Unreadable, Disturbed) as error:
        raise SubmissionError(path, f"it cannot be read: {error}; look at what lies in it") from error


def names_in(submission: Submission) -> list[str]:
    """The names of a submission's files, as far as they can be seen without unpacking it."""
    try:
        return confined(partial(discovery.names_in, submission), list[str], _ADVICE)
    except (Unreadable, Disturbed, InputError):
        return []  # whoever prepares it says why


def signatures(submissions: Sequence[Submission]) -> tuple[str | None, ...]:
    """Of each submission, what changes when something in it is touched; None where nothing sure can be said."""
    try:
        return confined(partial(signature.signatures, submissions), tuple[str | None, ...], _CLASS)
    except (Unreadable, Disturbed):
        return (None,) * len(submissions)


def prepare(
    submission: Submission, into: Path, parts: Mapping[str, Part], entry: Mapping[str, str] | None = None
) -> Prepared:
    """Make the folder `into`, which must not exist, the submission's clean tree: <part key>/<files of that part>.

    `entry`: what a rubric says that things are called, by role; it is left beside the parts for the course's adapters.
    Only regular files are copied, none through a link; the hash depends on paths and contents alone. Archives may be
    unpacked beside `into` meanwhile.

    Raises SubmissionError or ArchiveError when the submission cannot be read as a whole; a part that is not there is
    no error. OSError and Disturbed are the machine's: a full disk is nobody's broken submission.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as scratch:
        try:
            return confined(
                partial(preparing.prepare, submission, into, parts, entry or {}, Path(scratch)), Prepared, Bounds()
            )
        except BaseException as error:
            preparing.discard(into)
            if isinstance(error, Unreadable):
                what_to_do = "hand in the files that are asked for, and ask your course's staff if that does not help"
                raise SubmissionError(submission.source, f"it cannot be read: {error}; {what_to_do}") from error
            raise


def lay_out(folder: Path, into: Path, parts: Mapping[str, Part]) -> Prepared:
    """The clean tree `into` of a folder of our own, as `prepare` makes it of a submission's, but in this process.

    There is nothing to fear in our own files, and a new process for each would cost more than the copy.
    """
    ours = Submission(id=into.name, name=into.name, late=None, source=folder)
    with tempfile.TemporaryDirectory(prefix="gengrade-") as scratch:
        return preparing.prepare(ours, into, parts, {}, Path(scratch))


def code_flags(tree: Path, shown: Mapping[str, str], *, libraries: bool = False) -> tuple[str, ...]:
    """What stands out in the programs and notebooks of a clean tree, each kind once for a file, with its place.

    `shown`: what the tree's folders are called in what was handed in. `libraries`: whether these may be used freely. A
    file that cannot be looked at stands out by that, and hides none of the others; one that Python cannot read does
    not: its checks say so.
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
                return (f"the code could not be looked at: {error}",)
            ended[str(left[_number(place)])] = reason
            if len(ended) >= _MOST_ENDED:
                seen = [looking.Look(str(file), unread=looking.NO_TIME) for file in left]
                break
    seen = [look for look in seen if look.file not in ended]
    seen += [looking.Look(file, unread=reason) for file, reason in ended.items()]
    return looking.told(tree, shown, seen, libraries=libraries)


def _looked(files: Sequence[Path], place: mmap.mmap) -> list[looking.Look]:
    """Looks at the files one after another, and leaves the number of the one in hand where the parent finds it."""

    def at(number: int) -> None:
        place[:] = struct.pack("<Q", number)

    return looking.look(files, at)


def _number(place: mmap.mmap) -> int:
    return int(struct.unpack("<Q", place[:])[0])
