"""Define the results of discovering and preparing submissions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gengrade.paths import InputError


class SubmissionError(InputError):
    """A submission, or a folder of them, cannot be read."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one student, or one group, handed in."""

    id: str  # a safe folder name, unique in the class and the same in every run
    name: str  # shown to people; it is untrusted, so escape it
    late: bool | None  # what its name says; None: nothing
    source: Path  # the folder, archive or file that holds it
    attachments: tuple[Path, ...] = ()  # further files of the same student
    notes: tuple[str, ...] = ()
    error: str | None = None  # why it cannot be graded; None: it can
    origin: tuple[str, ...] = ()  # what a learning management system's name says: the system, and its name and id
    handed_in: str | None = None  # ISO 8601, as that name says, in the system's own time zone; None: it says nothing


@dataclass(frozen=True, slots=True)
class Discovery:
    """The submissions at a path, sorted by id."""

    submissions: tuple[Submission, ...]
    single: bool  # whether the path itself is one submission
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clean, read-only tree with one folder for each part that was found, named by the part's key."""

    tree: Path
    parts: dict[str, str | None]  # for each part's key, its place in the submission; None: not handed in
    sha256: str  # "sha256:…" over the sorted paths and contents
    notes: tuple[str, ...]
    files: int
    bytes: int
    handed_in: tuple[str, ...] = ()  # the names of all files that matter, of any kind, those of programs first


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A clean, read-only tree of the files that people read."""

    sha256: str  # "sha256:…" over the sorted paths and contents
    notes: tuple[str, ...]  # what is left out, and which archives were unpacked
