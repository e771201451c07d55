"""The folder of results during a run: one run at a time, with what a killed run left removed, and its errors named."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gengrade.atomic import NO_ROOM
from gengrade.engine.errors import OutputError, UsageError
from gengrade.places import MARKS, TEMPORARY, TREES, WITHDRAWN, WORK, folder_for, require_ours
from gengrade.sandbox import remove, remove_scratch
from gengrade.submissions import Submission, discard

_LOCK: Final = "lock"


def own_folders(out: Path, ids: Sequence[str]) -> list[Path]:
    """Return the folders beneath the results that a run writes."""
    return [out / WORK, out / MARKS, out / WITHDRAWN, *(out / id_ for id_ in ids)]


@contextmanager
def locked(out: Path, name: str = _LOCK, another: str = "another run is writing there") -> Iterator[None]:
    """Keep other runs away: two over the same folder would overwrite each other's trees. Raises UsageError.

    name: the name of the lock's file. Commands that do not disturb each other have different ones.
    another: what holds the lock, for the error.
    """
    require_ours(out, [])
    with folder_for(out / WORK / name) as work:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(name, flags, 0o600, dir_fd=work)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{out}: {another}; wait for it, or choose another --out") from None
        yield
    finally:
        os.close(file)


@contextmanager
def output_errors(out: Path) -> Iterator[None]:
    """Turn an OSError of the folder of results, or of a full disk, into an OutputError, which says what to do."""
    try:
        yield
    except OSError as error:
        where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        theirs = where is not None and out.resolve() in (where.resolve(), *where.resolve().parents)
        if error.errno is not None and (theirs or error.errno in NO_ROOM):
            raise OutputError(out, os.strerror(error.errno)) from error
        raise


def tidy(out: Path, submissions: Sequence[Submission]) -> None:
    """Remove what a killed run left. Call it after `require_ours` has found no link among it."""
    work = out / WORK
    remove_scratch(work)
    remove(work / TEMPORARY)
    for tree in (work / TREES).glob("*"):
        discard(tree)
    results = [out / submission.id for submission in submissions]
    inner = [result / name for result in results for name in ("evidence", "figures")]
    for folder in (work, work / "evidence", *results, *inner):
        for file in folder.glob(".*.tmp"):
            file.unlink()
    for file in (*work.glob("worker-*.log"), *out.glob(".index.html.*.tmp"), *out.glob(".gradebook.*.tmp")):
        file.unlink()
    (work / TEMPORARY).mkdir(exist_ok=True)
