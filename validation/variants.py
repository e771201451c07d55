"""Answers to each part that are the reference with some texts replaced: right ones, and wrong ones without a name.

Each course has a package of them, `variants`, and a module in it for each family of checks. A module has
RIGHT (unusual, and right), ALTERNATIVE (right, and nothing like the reference: misconceptions must be recognised in it
all the same) and UNNAMED (wrong, each in a way that no misconception explains). The package itself says which FAMILIES
there are, which of their right variants make up whole packages (MIXTURES: by package and family), and what is trained
for a moment (TRAININGS, by check).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from gengrade.course import courses

Changes = Mapping[str, tuple[str, str] | list[tuple[str, str]]]  # by file: texts, and what takes their places

COURSES: Final = tuple(sorted(courses(), reverse=True))


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A wrong answer, the unit checks that do not pass for it, and words of the first one's message."""

    changes: Changes
    fails: tuple[str, ...]
    says: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """The measures of a check's short training, and the variant that is trained; on which data sets is `of_images`."""

    measures: tuple[str, ...]
    changes: Changes = field(default_factory=dict)
    of_images: bool = True


@dataclass(frozen=True, slots=True)
class Family:
    """The variants of one part's answers. Its name is how the names of its checks begin."""

    name: str
    right: Mapping[str, Changes]
    unnamed: Mapping[str, Unnamed]
    alternative: Changes


@dataclass(frozen=True, slots=True)
class CourseVariants:
    """All variants of a course, by family, and what is made of them."""

    name: str
    families: Mapping[str, Family]
    mixtures: Mapping[str, Mapping[str, tuple[str, ...]]]
    trainings: Mapping[str, Training]


@cache
def variants_of(name: str) -> CourseVariants:
    """The variants of a course. They replace texts of its reference, which must be there."""
    package = importlib.import_module(f"courses.{name}.variants")
    return CourseVariants(
        name, {each: _family(name, each) for each in package.FAMILIES}, package.MIXTURES, package.TRAININGS
    )


def _family(course: str, name: str) -> Family:
    module = importlib.import_module(f"courses.{course}.variants.{name}")
    return Family(name, module.RIGHT, module.UNNAMED, module.ALTERNATIVE)
