"""Counts the points that a mistake costs beyond the item that is about it, by the courses' rubrics.

A misconception names the checks that fail for it, the one that is about it first. An item is lost if one of its checks
fails, or needs one that does. Nothing is graded here: other parts of the validation show that exactly these checks
fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gengrade.grading.checks import known
from gengrade.rubric import Rubric
from validation.variants import COURSES
from validation.workbench import library, rubric_of


@dataclass(frozen=True, slots=True)
class Charge:
    """The points that a misconception costs: those of the item about it, and those of all others."""

    course: str
    misconception: str
    own: float
    beyond: float


def charges(courses: Sequence[str] = COURSES) -> list[Charge]:
    """Return the charges of all misconceptions of these courses."""
    return [
        _charge(course, name, each.fails, rubric_of(course))
        for course in courses
        for name, each in library(course).items()
    ]


def _charge(course: str, name: str, fails: Sequence[str], rubric: Rubric) -> Charge:
    lost = set(fails)
    needs = _needs(rubric)
    while blocked := {check for check, needed in needs.items() if check not in lost and lost & needed}:
        lost |= blocked
    own = beyond = 0.0
    about = False
    for entry in rubric.entries():
        if lost.intersection(entry.checks):
            if entry.checks[0] == fails[0] and not about:
                about, own = True, entry.item.points
            else:
                beyond += entry.item.points
    return Charge(course, name, own, beyond)


def _needs(rubric: Rubric) -> Mapping[str, set[str]]:
    """Return the checks that each check of a rubric needs by its grader."""
    declared = known()
    return {check: set(declared[check].needs) for check in rubric.checks() if check in declared}
