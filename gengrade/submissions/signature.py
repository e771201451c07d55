"""What a submission looks like without being opened: whether something in it was touched since it was last graded."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Sequence

from gengrade.submissions.model import Submission
from gengrade.submissions.preparing import DEEPEST
from gengrade.submissions.selection import enters

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
    entries = 0
    for source in (submission.source, *submission.attachments):
        for path, state in _everything(str(source)):
            entries += 1
            if entries > _MOST_ENTRIES or (state is not None and state.st_ctime_ns > settled):
                return None
            digest.update(f"{path}\0{_seen(state)}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _seen(state: os.stat_result | None) -> str:
    if state is None:
        return ""
    times = f"{state.st_mtime_ns} {state.st_ctime_ns}"
    return f"{state.st_mode} {state.st_size} {times} {state.st_ino} {state.st_dev}"


def _everything(source: str) -> Iterator[tuple[str, os.stat_result | None]]:
    """A source and all in it that `prepare` looks at; without a state where that may not be seen."""
    pending = [(source, 0)]
    while pending:  # not recursively: somebody may hand in more folders in each other than Python recurses
        path, depth = pending.pop()
        try:
            state = os.lstat(path)
            names = sorted(os.listdir(path)) if stat.S_ISDIR(state.st_mode) and depth < DEEPEST else []
        except OSError:
            yield path, None
            continue
        yield path, state
        pending += [(f"{path}/{name}", depth + 1) for name in reversed(names) if enters(name)]
