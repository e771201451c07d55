"""Open a class that was handed over as one archive, such as the export of a learning management system."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from gengrade.archives import MIB, ArchiveError, Caps, ExtractionNotes, extract, is_archive, members
from gengrade.confined import Bounds, Disturbed, Unreadable, confined
from gengrade.parts import Part
from gengrade.submissions.model import Discovery
from gengrade.submissions.names import identify
from gengrade.submissions.reading import discover

# A class has hundreds of submissions, each of which has narrower limits of its own.
_CAPS: Final = Caps(files=400_000, entries=1_000_000, total_bytes=32_768 * MIB, file_bytes=1_024 * MIB, depth=40)
_BOUNDS: Final = Bounds(cpu_seconds=3_600, file_bytes=1_040 * MIB, wall_seconds=14_400.0)
_LOOK: Final = Bounds(cpu_seconds=30)
_MOST_LOOKED_AT: Final = 20_000  # names in an archive


@contextmanager
def opened(path: Path, parts: Mapping[str, Part]) -> Iterator[Discovery]:
    """Within this context, the submissions at a path can be read, also if the path is a packed class.

    path: as `discover` takes it, or an archive that holds a class: a folder for each student, or files and archives
        named by a learning management system. It is unpacked for as long as the context lasts.
    parts: the parts of the assignment, by key.

    Raises SubmissionError when there is nothing to grade at all, and ArchiveError for a class that cannot be unpacked.
    """
    if not (path.is_file() and is_archive(path) and _may_be_a_class(path)):
        yield discover(path, parts)
        return
    with tempfile.TemporaryDirectory(prefix="gengrade-class-") as folder:
        found = _unpacked(path, Path(folder) / "class", parts)
        yield found if found is not None else discover(path, parts)


def _may_be_a_class(archive: Path) -> bool:
    """Return whether several students' work may lie in an archive, judged by the names in it."""
    try:
        names = confined(partial(_names, archive), list[str], _LOOK)
    except (Unreadable, Disturbed):
        return False
    paths = [PurePosixPath(name) for name in names]
    while paths and len({path.parts[0] for path in paths}) == 1 and all(len(path.parts) > 1 for path in paths):
        paths = [path.relative_to(path.parts[0]) for path in paths]
    tops = {path.parts[0] for path in paths}
    folders = {path.parts[0] for path in paths if len(path.parts) > 1}
    packed = {top for top in tops - folders if is_archive(Path(top))}
    return len(folders) > 1 or len(packed) > 1 or any(identify(top).from_system for top in tops)


def _names(archive: Path) -> list[str]:
    return [path.as_posix() for path in members(archive, _MOST_LOOKED_AT)]


def _unpacked(archive: Path, into: Path, parts: Mapping[str, Part]) -> Discovery | None:
    """Unpack an archive, and return the class in it; None if it holds a single submission."""
    try:
        notes = confined(partial(extract, archive, into, _CAPS), ExtractionNotes, _BOUNDS)
    except Unreadable as error:
        raise ArchiveError(archive, f"it cannot be read: {error.reason}; unpack it yourself") from error
    except OSError as error:
        reason = f"it cannot be unpacked ({error.strerror}); make room, or unpack it yourself and give the folder"
        raise ArchiveError(archive, reason) from error
    inner = list(into.iterdir())
    while len(inner) == 1 and inner[0].is_dir():
        into, inner = inner[0], list(inner[0].iterdir())
    if not inner:
        return None
    found = discover(into, parts)
    return None if found.single else Discovery(found.submissions, single=False, notes=(*notes.left_out, *found.notes))
