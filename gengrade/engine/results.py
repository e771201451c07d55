"""What a run tells while it goes on, and what it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gengrade.grade import Grade
from gengrade.messages import CheckEnded
from gengrade.people import NOBODY, People
from gengrade.sandbox import Tier
from gengrade.submissions import Submission


class EventKind(StrEnum):
    """What happens to a submission."""

    CHECK = "check"  # a check begins, or something else that takes time
    VERDICT = "verdict"  # a check has ended
    GRADED = "graded"
    FAILED = "failed"  # the harness failed on it


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that happened to a submission."""

    submission: Submission
    event: EventKind
    total: int  # submissions of the run
    check: str = ""  # the check, or what else is done
    verdict: CheckEnded | None = None
    machine: str = ""  # which grades it, if it is not the one where the run was begun


@dataclass(frozen=True, slots=True)
class Graded:
    """One submission's grade, and where its report is."""

    submission: Submission
    grade: Grade
    folder: Path
    report: Path


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left."""

    graded: tuple[Graded, ...]
    out: Path
    single: bool
    tier: Tier
    notes: tuple[str, ...]
    problems: tuple[str, ...] = ()  # what is wrong with marks or the roster, which were left out
    people: People = NOBODY  # of the class
