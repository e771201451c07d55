"""Files that are written whole or not at all, so that a killed run leaves no half-written result behind."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path

from gengrade.facts import Outcome
from gengrade.sandbox import wire
from gengrade.sandbox.run import Frame, Run

# What a system says of a disk, a quota or a limit that is full, or of a disk that fell back to reading only.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
_ROOM_BYTES = 1 << 20


def require_room(folder: Path) -> None:
    """Raises OSError where not even a small file can be written any more."""
    path = folder / "room"
    write_whole(path, bytes(_ROOM_BYTES))
    path.unlink()


def write_whole(path: Path, data: bytes | str) -> None:
    """Replace the file at `path` by `data` (text as UTF-8) in one step; its folder is made when missing.

    The data are on disk before the name points to them: a reader, or a power cut, meets the old file or the new one.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


_RUN = {
    "outcome": str,
    "message": str,
    "frames": list,
    "output": str,
    "seconds": float,
    "cpu_seconds": float,
    "peak_mb": float,
}
_FRAME = {"file": str, "line": int, "function": str, "source": str}


def _typed(record: wire.Tree, kinds: Mapping[str, type]) -> dict[str, wire.Tree]:
    """The record, when its entries are of exactly these types. Raises TypeError."""
    if type(record) is not dict or any(type(record.get(name)) is not kind for name, kind in kinds.items()):
        raise TypeError("no record of this kind")
    return record


_DIGEST_BYTES = 16
_SMALL_BYTES = 1 << 20
_BYTES_A_SECOND = 16 << 20  # of the student's code: what is had more cheaply is not worth its room


class EvidenceStore:
    """Runs kept on disk under a key made of all that they depend on: `<folder>/<key>.evidence`.

    A file that cannot be read back as it was written is as good as none, and so is one that finds no room. What the
    harness itself got wrong is never kept. A `thrifty` store leaves out what takes more room than it took time: a class
    of five hundred would fill a disk with images that a decoder gives again in a moment.
    """

    def __init__(self, folder: Path, *, thrifty: bool = False) -> None:
        self._folder = folder
        self._thrifty = thrifty

    def get(self, key: str) -> Run | None:
        try:
            content = self._path(key).read_bytes()
            if content[:_DIGEST_BYTES] != _digest(content[_DIGEST_BYTES:]):
                return None
            record = wire.decode(content[_DIGEST_BYTES:])
            frames = tuple(Frame(**_typed(frame, _FRAME)) for frame in _typed(record, _RUN)["frames"])
            return Run(**{**record, "outcome": Outcome(record["outcome"]), "frames": frames})
        except (OSError, wire.WireError, TypeError, ValueError):
            return None

    def put(self, key: str, run: Run) -> None:
        record = {field.name: getattr(run, field.name) for field in fields(run)}
        record["outcome"] = run.outcome.value
        record["frames"] = [asdict(frame) for frame in run.frames]
        try:
            content = wire.encode(record)
        except TypeError:
            return  # as deep or as large as evidence may be: with what is around it, it is more than that
        if not self._thrifty or len(content) <= max(_SMALL_BYTES, run.seconds * _BYTES_A_SECOND):
            with suppress(OSError):  # a full disk is for those to report who cannot do without a file
                write_whole(self._path(key), _digest(content) + content)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Held by one process at a time; the kernel lets go of it when its holder dies."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{key}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.evidence"


def _digest(content: bytes) -> bytes:
    """A wrong byte amid an array would be a wrong answer of the student's."""
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
