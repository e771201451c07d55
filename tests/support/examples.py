"""The example submissions of a course: graded, and compared with what is stated of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gengrade.authoring.expected import Expected, read
from gengrade.choices import Profile
from gengrade.course import courses
from gengrade.engine import Options, run
from gengrade.grade import Grade, ItemKind

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Examples:
    """Where they lie, the rubric that they are graded by, and what is expected of each student."""

    folder: Path
    rubric: Path
    expected: Mapping[str, Expected]

    @classmethod
    def of(cls, course: str) -> Examples:
        found = courses()[course]
        return cls(found.examples, found.rubric, read(found.examples))

    def graded(
        self, out: Path, profile: Profile = Profile.UNIT, data: str = "digits", **options: Any
    ) -> Mapping[str, Grade]:
        """Their grades by student; those that have none are left out. By one worker: other tests run beside it."""
        options = {"seed": 1, "jobs": 1, **options}
        chosen = Options(self.folder, out / "results", self.rubric, profile=profile, data=data, **options)
        return {one.grade.student: one.grade for one in run(chosen).graded}


def full_measures(grade: Grade) -> set[str | None]:
    """The measures that earned all of their points."""
    return {item.check for item in grade.items if item.kind is ItemKind.MEASURE and item.points == item.possible}
