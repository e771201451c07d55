"""Detect whether a submission has changed since it was last graded, without opening its files."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gengrade.submissions.model import Submission
from gengrade.submissions.preparing import DEEPEST
from gengrade.submissions.selection import enters, is_hidden
from gengrade.walking import walk

_MOST_ENTRIES = 200_000  # of a submission; `prepare` already refuses fewer
# A file that is written twice within one tick of the system's clock keeps its times, so a recent change gives None.
_SETTLED_SECONDS = 2.0


def signatures(submissions: Sequence[Submission]) -> tuple[str | None, ...]:
    """Return for each submission a hash over the `stat` results of its files, or None if that is uncertain.

    The owner of a file can restore its size and the time of its last modification, but not the time (ctime) at which
    its inode changed.
    """
    return tuple(_signature(submission) for submission in submissions)


def _signature(submission: Submission) -> str | None:
    digest = hashlib.sha256()
    settled = time.time_ns() - int(_SETTLED_SECONDS * 1e9)
    for source in (submission.source, *submission.attachments):
        for path, state in _everything(source):
            if state is None or state.st_ctime_ns > settled:
                return None
            digest.update(f"{path}\0{_seen(state)}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _seen(state: os.stat_result) -> str:
    times = f"{state.st_mtime_ns} {state.st_ctime_ns}"
    return f"{state.st_mode} {state.st_size} {times} {state.st_ino} {state.st_dev}"


def _everything(source: Path) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield a source and everything in it that `prepare` reads, each with its `stat` result, or None if unreadable."""
    try:
        state = source.lstat()
    except OSError:
        yield str(source), None
        return
    if not stat.S_ISDIR(state.st_mode):
        yield str(source), state
        return
    for seen in walk(source, DEEPEST, _MOST_ENTRIES, enters):
        if not any(map(is_hidden, seen.components)):
            yield "/".join((str(source), *seen.components)), seen.state
