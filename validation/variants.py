"""Loads variants: the reference solution with some texts replaced, which makes other right or wrong answers.

Each course has a package `variants`, with a module for each family of checks. A module has RIGHT (unusual right
answers), ALTERNATIVE (a right answer that is written quite differently, in which misconceptions must also be
recognised) and UNNAMED (wrong answers that no misconception explains). The package itself defines FAMILIES (the
modules), MIXTURES (which right variants make up whole packages, by package and family) and TRAININGS (the short
trainings, by check).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from gengrade.course import courses

Changes = Mapping[str, tuple[str, str] | list[tuple[str, str]]]  # for each file, pairs of old and new text

COURSES: Final = tuple(sorted(courses(), reverse=True))


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A wrong answer, the unit checks that it fails, and words in the message of the first one."""

    changes: Changes
    fails: tuple[str, ...]
    says: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """The measures of a check's short training, and the changes to the trained reference.

    `of_images` says whether it trains on images, so that it runs on each data set.
    """

    measures: tuple[str, ...]
    changes: Changes = field(default_factory=dict)
    of_images: bool = True


@dataclass(frozen=True, slots=True)
class Family:
    """The variants of one family of checks; `name` is the prefix of the checks' names."""

    name: str
    right: Mapping[str, Changes]
    unnamed: Mapping[str, Unnamed]
    alternative: Changes


@dataclass(frozen=True, slots=True)
class CourseVariants:
    """All variants of a course by family, its mixtures and its trainings."""

    name: str
    families: Mapping[str, Family]
    mixtures: Mapping[str, Mapping[str, tuple[str, ...]]]
    trainings: Mapping[str, Training]


@cache
def variants_of(name: str) -> CourseVariants:
    """Return the variants of a course, from its package `courses.<name>.variants`."""
    package = importlib.import_module(f"courses.{name}.variants")
    return CourseVariants(
        name, {each: _family(name, each) for each in package.FAMILIES}, package.MIXTURES, package.TRAININGS
    )


def _family(course: str, name: str) -> Family:
    module = importlib.import_module(f"courses.{course}.variants.{name}")
    return Family(name, module.RIGHT, module.UNNAMED, module.ALTERNATIVE)
