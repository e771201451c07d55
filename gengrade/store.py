"""The evidence store: runs of probes that are kept on disk, so that the same run is not carried out again."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

from gengrade.atomic import write_whole
from gengrade.authenticity import Seal
from gengrade.facts import Outcome
from gengrade.places import folder_for, read_plain
from gengrade.sandbox import wire
from gengrade.sandbox.run import Frame, Run

STUDENT_BYTES: Final = 256 << 20  # what the store of one student keeps
CLASS_BYTES: Final = 4 << 30  # what the store of the reference keeps for the whole class
MACHINE_BYTES: Final = 512 << 20  # what the store of a machine keeps for all classes
_MOST_BYTES: Final = 1 << 30  # of one run: more than any limit on evidence
_SMALL_BYTES: Final = 1 << 20
_BYTES_A_SECOND: Final = 16 << 20  # results that are cheaper to compute again than this are not kept
_SUFFIX: Final = ".evidence"
_LOCK: Final = ".lock"

# The fields of a run and of a frame as they are stored, with their exact types.
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


class EvidenceStore:
    """Keeps runs on disk, each under a key that is a hash of all that the run depends on: `<folder>/<key>.evidence`.

    A file that cannot be read back as it was written for this owner and key counts as missing. A run for which there
    is no room on the disk is not kept.
    """

    def __init__(
        self, folder: Path, seal: Seal, owner: str, *, thrifty: bool = False, most_bytes: int = CLASS_BYTES
    ) -> None:
        """Open the store in a folder, which is made with the first run that is kept.

        `owner`: the student's id, or a name for the reference; a file that another owner's store wrote is not read.
        `thrifty`: leave out runs whose evidence is large for the time that it took. A class of five hundred would fill
        a disk with images that a decoder gives again in a moment.
        `most_bytes`: the size of the store after `prune`.
        """
        self._folder = folder
        self._seal = seal
        self._owner = owner
        self._thrifty = thrifty
        self._most_bytes = most_bytes

    def get(self, key: str) -> Run | None:
        """Return the run that is kept under the key, or None."""
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
        """Keep a run under the key, where it is small enough and there is room for it."""
        record = {field.name: getattr(run, field.name) for field in fields(run)}
        record["outcome"] = run.outcome.value
        record["frames"] = [asdict(frame) for frame in run.frames]
        try:
            content = wire.encode(record)
        except TypeError:
            return  # the evidence is as deep or as large as may be, so that the record around it is too much
        if not self._thrifty or len(content) <= max(_SMALL_BYTES, run.seconds * _BYTES_A_SECOND):
            with suppress(OSError):  # a full disk is reported by writers that cannot do without their file
                self._write(key, self._seal.sealed("evidence", self._place(key), content))

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Lock the key against other processes; the kernel releases the lock when its holder dies."""
        with folder_for(self._folder / f"{key}{_LOCK}") as folder:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(f"{key}{_LOCK}", flags, 0o600, dir_fd=folder), "rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield

    def prune(self) -> None:
        """Remove locks, temporary files and the runs that were least recently used, until the store is small enough.

        Call it only while nobody else uses the store.
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
        with suppress(OSError):  # note that the file was used now, and leave the time of its content
            os.utime(path, ns=(time.time_ns(), path.lstat().st_mtime_ns), follow_symlinks=False)
        return content

    def _write(self, key: str, content: bytes) -> None:
        write_whole(self._path(key), content)

    def _place(self, key: str) -> str:
        return f"{self._owner}/{key}"

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"


def _typed(record: wire.Tree, kinds: Mapping[str, type]) -> dict[str, wire.Tree]:
    """Return the record when its entries have exactly these types. Raises TypeError."""
    if type(record) is not dict or any(type(record.get(name)) is not kind for name, kind in kinds.items()):
        raise TypeError("no record of this kind")
    return record
