"""What a submission looks like without being opened: whether something in it was touched since it was last graded."""

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

_MOST_ENTRIES = 200_000  # of a submission; `prepare` refuses less
# A file that is written again within a tick of its system's clock looks the same: what was just touched has none.
_SETTLED_SECONDS = 2.0


def signatures(submissions: Sequence[Submission]) -> tuple[str | None, ...]:
    """Of each submission, a hash over what its system says of its files; None where that says nothing sure.

    A file's owner can set its size and the time of its last change back, but not that of its inode.
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
    """A source and all in it that `prepare` looks at; without a state where that may not be seen."""
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
