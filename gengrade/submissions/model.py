"""The data that discovering and preparing submissions hands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gengrade.paths import InputError


class SubmissionError(InputError):
    """A submission, or a folder of them, cannot be read."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one student, or one group, handed in."""

    id: str  # a safe folder name, unique in its class and the same whenever the class is discovered
    name: str  # to be shown; escape it
    late: bool | None  # None: nobody told us
    source: Path  # the folder, archive or file that holds it
    attachments: tuple[Path, ...] = ()  # further files of the same student
    notes: tuple[str, ...] = ()
    error: str | None = None  # why it cannot be graded; the rest of the class can


@dataclass(frozen=True, slots=True)
class Discovery:
    """The submissions below a path, in the order of their ids."""

    submissions: tuple[Submission, ...]
    single: bool  # the path is one submission itself: a self-check
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clean, read-only tree: one folder per part that was found, named by the part's key, and nothing else."""

    tree: Path
    parts: dict[str, str | None]  # a part's key → where it lay, relative to the submission; None: not handed in
    sha256: str  # "sha256:…" over the sorted paths and contents
    notes: tuple[str, ...]
    files: int
    bytes: int
