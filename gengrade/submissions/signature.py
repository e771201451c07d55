"""Tell two states of a submission apart: quickly by what the file system says, or by the content of its files."""

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
from gengrade.walking import Plain, walk

_MOST_ENTRIES = 200_000  # of a submission; `prepare` already refuses fewer
# A file that is written twice within one tick of the system's clock keeps its times, so a recent change gives None.
_SETTLED_SECONDS = 2.0
_BLOCK = 1 << 20
_MOST_BYTES = 64 << 20  # of a file's content; of a larger file, only its beginning and its size are compared


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


def content(submission: Submission) -> str:
    """Return "sha256:…" of what was handed in, or "" if a file cannot be read.

    The hash depends on the files' content and on their paths within a folder, and not on the names that a learning
    management system gave to the whole. At most 64 MiB of each file are read.
    """
    sources = (submission.source, *submission.attachments)
    try:
        digests = sorted(_content_of(source) for source in sources)
    except OSError:
        return ""
    return f"sha256:{hashlib.sha256(b''.join(digests)).hexdigest()}"


def _content_of(source: Path) -> bytes:
    state = source.lstat()
    if not stat.S_ISDIR(state.st_mode):
        return _bytes_of(Plain(source), state.st_size)
    digest = hashlib.sha256()
    for seen in walk(source, DEEPEST, _MOST_ENTRIES, enters):
        if seen.fault is not None:
            raise seen.fault
        if seen.state is not None and seen.is_file and not any(map(is_hidden, seen.components)):
            digest.update("/".join(seen.components).encode(errors="surrogateescape") + b"\0")
            digest.update(_bytes_of(Plain(source, seen.components), seen.state.st_size))
    return digest.digest()


def _bytes_of(file: Plain, size: int) -> bytes:
    """Return a hash of a file's size and content."""
    digest = hashlib.sha256(b"%d\0" % size)
    with file.open() as opened:
        for start in range(0, min(size, _MOST_BYTES), _BLOCK):
            digest.update(opened.read(min(_BLOCK, _MOST_BYTES - start)))
    return digest.digest()


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
