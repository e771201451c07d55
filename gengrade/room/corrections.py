"""Remember where people said that questions are answered, where the room had found another place or none.

Two properties are deliberate:

1. A place counts for the state of the submission that it was given for, and for no later one.
2. A record is written whole, and is not believed if a user who is not trusted has written it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gengrade import records
from gengrade.atomic import write_whole
from gengrade.places import Owners, read_trusted


@dataclass(frozen=True, slots=True)
class Corrected:
    """A place in the file of that name: its page (0: the first), and the height on it as a fraction (0: top)."""

    file: str
    page: int
    y: float


@dataclass(frozen=True, slots=True)
class _Record:
    """What is kept about one student."""

    sha256: str = ""  # of the submission
    places: dict[str, Corrected] = field(default_factory=dict)  # by question


class Corrections:
    """The corrected places of a class. Its methods may be called by any thread.

    folder: where a file for each student is kept.
    owners: the users whose files are believed.
    """

    def __init__(self, folder: Path, owners: Owners) -> None:
        self._folder = folder
        self._owners = owners
        self._records: dict[str, _Record] = {}
        self._lock = threading.Lock()

    def of(self, student: str, sha256: str) -> Mapping[str, Corrected]:
        """Return the corrected places of a student by question. `sha256`: of the submission's present state."""
        with self._lock:
            record = self._record(student)
        return record.places if record.sha256 == sha256 else {}

    def add(self, student: str, sha256: str, question: str, place: Corrected) -> None:
        """Remember a place; when this returns, it is on the disk. Raises OSError and PlaceError."""
        with self._lock:
            record = self._record(student)
            earlier = record.places if record.sha256 == sha256 else {}
            record = _Record(sha256, {**earlier, question: place})
            write_whole(self._folder / f"{student}.json", records.dumps(record))
            self._records[student] = record

    def _record(self, student: str) -> _Record:
        if student not in self._records:
            written = read_trusted(self._folder / f"{student}.json", self._owners)
            record = _Record()
            with suppress(ValueError, TypeError):
                record = records.loads(_Record, written.decode()) if written is not None else record
            self._records[student] = record
        return self._records[student]
