"""The example submissions of an edition: graded, and compared with what is stated of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from gengrade.engine import Options, run
from gengrade.facts import Outcome
from gengrade.grade import Grade

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Examples:
    """Where they lie, the rubric that they are graded by, and what is expected of each student."""

    folder: Path
    rubric: Path
    expected: Mapping[str, Any]

    @classmethod
    def of(cls, edition: str) -> Examples:
        folder = ROOT / "examples" / edition
        expected = yaml.safe_load((folder / "expected_points.yaml").read_text())
        return cls(folder, ROOT / "rubrics" / f"{edition}.yaml", expected)

    def graded(self, out: Path, profile: str = "unit", data: str = "digits", **options: Any) -> Mapping[str, Grade]:
        """Their grades by student; those that have none are left out. By one worker: other tests run beside it."""
        options = {"seed": 1, "jobs": 1, **options}
        chosen = Options(self.folder, out / "results", self.rubric, profile=profile, data=data, **options)
        return {one.grade.student: one.grade for one in run(chosen).graded}


def points_lost(grade: Grade) -> dict[str | None, str | None]:
    """The checks that lost points, with the misconception that each was given."""
    lost = [item for item in grade.items if item.kind == "check" and item.lost]
    return {item.check: item.misconception.name if item.misconception else None for item in lost}


def not_as_stated(grade: Grade, stated: Mapping[str, str]) -> dict[str, str]:
    """The checks whose outcome is another than what is stated by pattern of their names; "passed", if nothing is."""
    wrong = {}
    for item in grade.items:
        if item.kind != "check" or item.check is None or item.outcome in (None, Outcome.BLOCKED):
            continue  # nothing was run for it
        wanted = next((stated[pattern] for pattern in stated if fnmatch.fnmatch(item.check, pattern)), "passed")
        if item.outcome.value != wanted:
            wrong[item.check] = f"{item.outcome.value}, not {wanted}"
    return wrong


def full_measures(grade: Grade) -> set[str | None]:
    """The measures that earned all of their points."""
    return {item.check for item in grade.items if item.kind == "measure" and item.points == item.possible}
