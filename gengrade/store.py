"""Files that are written whole or not at all, so that a killed run leaves no half-written result behind."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

from gengrade.authenticity import Seal
from gengrade.facts import Outcome
from gengrade.places import folder_for, read_plain
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
    Raises PlaceError for a folder that is a link: it would lead out of the results.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    temporary = f".{path.name[:40]}.{secrets.token_hex(8)}.tmp"
    with folder_for(path) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise


STUDENT_BYTES: Final = 256 << 20  # of evidence, that are kept of one student
CLASS_BYTES: Final = 4 << 30  # of our own solution's, for the whole class

_RUN = {
    "outcome": str,
    "message": str,
    "frames": list,
    "output": str,
    "seconds": float,
    "cpu_seconds": float,
    "peak_mb": float,
    "received": int,
    "starved": bool,
}
_FRAME = {"file": str, "line": int, "function": str, "source": str}


def _typed(record: wire.Tree, kinds: Mapping[str, type]) -> dict[str, wire.Tree]:
    """The record, when its entries are of exactly these types. Raises TypeError."""
    if type(record) is not dict or any(type(record.get(name)) is not kind for name, kind in kinds.items()):
        raise TypeError("no record of this kind")
    return record


_MOST_BYTES = 1 << 30  # of one run: more than any limit on evidence
_SMALL_BYTES = 1 << 20
_BYTES_A_SECOND = 16 << 20  # of the student's code: what is had more cheaply is not worth its room
_SUFFIX = ".evidence"
_LOCK = ".lock"


class EvidenceStore:
    """Runs kept on disk under a key made of all that they depend on: `<folder>/<key>.evidence`.

    A file that cannot be read back as it was written, for this owner and key, is as good as none, and so is one that
    finds no room. What the harness itself got wrong is never kept. A `thrifty` store leaves out what takes more room
    than it took time: a class of five hundred would fill a disk with images that a decoder gives again in a moment.
    `most_bytes` is what `prune` leaves of it.
    """

    def __init__(
        self, folder: Path, seal: Seal, owner: str, *, thrifty: bool = False, most_bytes: int = CLASS_BYTES
    ) -> None:
        """`owner`: the student's id, or a name for our own solution; evidence that was moved to another is none."""
        self._folder = folder
        self._seal = seal
        self._owner = owner
        self._thrifty = thrifty
        self._most_bytes = most_bytes

    def get(self, key: str) -> Run | None:
        try:
            content = self._seal.opened("evidence", self._place(key), self._read(key))
            if content is None:
                return None
            record = wire.decode(content)
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
                self._write(key, self._seal.sealed("evidence", self._place(key), content))

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Held by one process at a time; the kernel lets go of it when its holder dies."""
        with folder_for(self._folder / f"{key}{_LOCK}") as folder:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(f"{key}{_LOCK}", flags, 0o600, dir_fd=folder), "rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield

    def prune(self) -> None:
        """Removes locks, temporary files, and what was not used for longest, until the store's size is allowed again.

        For a time at which nobody else uses the store.
        """
        kept: list[tuple[int, int, Path]] = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in self._folder.iterdir():
                state = path.lstat()
                if path.name.endswith(_SUFFIX) and stat.S_ISREG(state.st_mode):
                    kept.append((state.st_atime_ns, state.st_size, path))
                elif path.name.endswith((_LOCK, ".tmp")) and not stat.S_ISDIR(state.st_mode):
                    path.unlink(missing_ok=True)
        size = sum(bytes_ for _, bytes_, _ in kept)
        for _, bytes_, path in sorted(kept):
            if size <= self._most_bytes:
                return
            path.unlink(missing_ok=True)
            size -= bytes_

    def _read(self, key: str) -> bytes:
        path = self._path(key)
        content = read_plain(path, _MOST_BYTES)
        with suppress(OSError):  # it is used now; the time of its content stays
            os.utime(path, ns=(time.time_ns(), path.lstat().st_mtime_ns), follow_symlinks=False)
        return content

    def _write(self, key: str, content: bytes) -> None:
        write_whole(self._path(key), content)

    def _place(self, key: str) -> str:
        return f"{self._owner}/{key}"

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"
