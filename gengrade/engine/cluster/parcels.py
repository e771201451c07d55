"""What travels between machines without a common disk: what one student handed in, and the facts about it.

Two properties are deliberate:

1. A parcel holds regular files and folders only. A submission with a link or a device file, or one that cannot be read
   as a whole, is not packed, and is graded where the class lies.
2. Of a parcel that comes back, only files with the names of facts and figures are written, and the facts last.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from gengrade.atomic import write_whole
from gengrade.job import Job
from gengrade.job.facts_file import facts_of
from gengrade.submissions import Submission
from gengrade.submissions.preparing import DEEPEST
from gengrade.submissions.selection import enters
from gengrade.walking import Plain, Seen, walk

_MOST_BYTES: Final = 256 << 20
_MOST_ENTRIES: Final = 200_000
_FACTS: Final = "facts.json"
_RESULTS: Final = re.compile(r"facts\.json|faults\.log|figures/[\w.-]+")


class Unpackable(ValueError):
    """What was handed in cannot be sent to another machine as it is."""


def packed(submission: Submission) -> bytes:
    """Return what a student handed in: an archive with a folder "0" for the source, "1" for the first attachment …

    Raises Unpackable.
    """
    buffer = io.BytesIO()
    size = 0
    try:
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for number, source in enumerate((submission.source, *submission.attachments)):
                for name, file, seen in _entries(source):
                    entry = tarfile.TarInfo(str(Path(str(number), name)))
                    size += 512 + (seen.st_size if file else 0)
                    if size > _MOST_BYTES:
                        raise Unpackable("it is too large")
                    if file is None:
                        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                        archive.addfile(entry)
                    else:
                        with file.open() as opened:
                            entry.size = os.fstat(opened.fileno()).st_size
                            archive.addfile(entry, opened)
    except OSError as error:
        raise Unpackable(str(error)) from error
    return buffer.getvalue()


def _entries(source: Path) -> Iterator[tuple[str, Plain | None, os.stat_result]]:
    """Yield name, file (None: it is a folder) and state of all that a source consists of. Raises Unpackable."""
    if not source.is_dir():
        yield source.name, Plain(source), source.lstat()
        return
    for seen in walk(source, DEEPEST, _MOST_ENTRIES, enters):
        state = _require_plain(seen)
        name = "/".join((source.name, *seen.components))
        yield name, Plain(source, seen.components) if seen.is_file else None, state


def _require_plain(seen: Seen) -> os.stat_result:
    if seen.fault is not None:
        raise seen.fault
    if seen.state is None or not (seen.is_file or seen.is_folder):
        raise Unpackable("it holds links or device files")
    return seen.state


def unpacked(parcel: bytes, submission: Submission, into: Path) -> Submission:
    """Unpack what `packed` returned into a new folder, and return the submission with the paths that it has there.

    Raises Unpackable if the parcel holds anything else than files and folders below the new one. The filters of tarfile
    refuse that as well, but not every Python that gengrade runs on has them.
    """
    with tarfile.open(fileobj=io.BytesIO(parcel)) as archive:
        for entry in archive:
            components = entry.name.split("/")
            if not (entry.isreg() or entry.isdir()) or not all(each not in ("", ".", "..") for each in components):
                raise Unpackable(f"a parcel holds {entry.name!r}")
            place = into.joinpath(*components)
            (place if entry.isdir() else place.parent).mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(entry)
            if content is not None:
                with place.open("xb") as file:
                    shutil.copyfileobj(content, file)
    source, *attachments = (
        into / str(number) / path.name for number, path in enumerate((submission.source, *submission.attachments))
    )
    return replace(submission, source=source, attachments=tuple(attachments))


def packed_results(folder: Path) -> bytes:
    """Return the facts, figures and faults of a submission from its folder of results, without evidence."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and _RESULTS.fullmatch(name):
                archive.add(path, name, recursive=False)
    return buffer.getvalue()


def write_results(parcel: bytes, job: Job, submission: Submission) -> None:
    """Write what `packed_results` returned into the submission's folder.

    Raises ValueError if the parcel holds other files, or no facts of this submission under the operator's seal.
    """
    with tarfile.open(fileobj=io.BytesIO(parcel)) as archive:
        found = {}
        for entry in archive.getmembers():
            file = archive.extractfile(entry) if entry.isreg() else None
            if file is None or not _RESULTS.fullmatch(entry.name):
                raise ValueError(f"an unexpected file came back: {entry.name!r}")
            found[entry.name] = file.read()
    facts = found.pop(_FACTS, b"")
    if facts_of(facts, submission.id, job.seal) is None:
        raise ValueError("no facts of this submission came back")
    for name, content in found.items():
        write_whole(job.folder(submission) / name, content)
    write_whole(job.folder(submission) / _FACTS, facts)
