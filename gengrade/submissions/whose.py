"""Whose the files of a class are, where a name alone does not tell.

A learning management system writes its ids first and the student's own file name last, so that the first pattern in a
name is the system's: unless somebody's own name, or a class without such a system, holds the pattern as well. Two
properties are deliberate:

1. Two students are never taken for one. A name that fits into this class in two ways, or whose ids cannot be a
   system's, is graded by itself, and a note says so.
2. An honest file name that looks like ids (`2023_12_part1.zip`) stays with its owner: other ids in it count only where
   they are of the same magnitude as this class's.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gengrade.archives import stem
from gengrade.submissions.names import Identity, apart, identify, others

# Canvas counts attachments over all courses: those of one assignment are close to each other.
_MAGNITUDE: Final = 2.0
_MOST_WORKS: Final = 3  # archives that one student alone, as the only one of a class, may hand in

_TWO_WAYS: Final = "its name can be read in two ways"
_NO_SYSTEM: Final = "the numbers in its name are not a learning management system's"


def identities(names: Sequence[str], packed: Iterable[str]) -> tuple[dict[str, Identity], dict[str, str]]:
    """Whose each of a class's files is, by its name; and of those that are graded by themselves, why.

    `packed`: those of the names that are archives or folders.
    """
    first = {name: identify(name) for name in names}
    doubts = {name: _TWO_WAYS for name in names if _is_doubtful(name, first)}
    sure = {name: identity for name, identity in first.items() if name not in doubts}
    doubts |= dict.fromkeys(_no_attachments(sure, frozenset(packed)), _NO_SYSTEM)
    return {name: apart(name, each.late) if name in doubts else each for name, each in first.items()}, doubts


def _is_doubtful(name: str, found: Mapping[str, Identity]) -> bool:
    """Whether a name fits into the class in another way than the first one."""
    if not found[name].from_system or not others(name):
        return False
    systems = {identity.system for other, identity in found.items() if other != name} | {found[name].system}
    readings = [number for system, number in others(name) if system in systems]
    typical = _typical(found) if any(number is not None for number in readings) else None
    return any(number is None or _is_like(number, typical) for number in readings)


def _typical(found: Mapping[str, Identity]) -> float | None:
    """The middle one of Canvas's numbers, of names that can be read in one way only where there are such."""
    numbers = {name: each.attachment for name, each in found.items() if each.attachment is not None}
    sure = [number for name, number in numbers.items() if not others(name)]
    return statistics.median(sure or numbers.values()) if numbers else None


def _is_like(number: int, typical: float | None) -> bool:
    return typical is not None and typical / _MAGNITUDE <= number <= typical * _MAGNITUDE


def _no_attachments(found: Mapping[str, Identity], packed: frozenset[str]) -> set[str]:
    """Names with numbers where Canvas's would stand that are none of Canvas's.

    Canvas gives a number once: two different files do not share it. And a class in which one student handed everything
    in is one whose names begin alike (`hw_10_1042_doe.zip`).
    """
    canvas = {name: each for name, each in found.items() if each.attachment is not None}
    wrong = {name for name in _sharing(canvas) if others(name)}
    wrong |= _sharing({name: each for name, each in canvas.items() if name not in wrong})
    left = {name: each for name, each in canvas.items() if name not in wrong}
    students = {each.key for each in left.values()}
    if len(students) == 1 and len({stem(each.file) for name, each in left.items() if name in packed}) > _MOST_WORKS:
        wrong |= set(left)
    return wrong


def _sharing(found: Mapping[str, Identity]) -> set[str]:
    """Names of different files that have one number."""
    works: dict[int | None, set[str]] = {}
    for each in found.values():
        works.setdefault(each.attachment, set()).add(stem(each.file))
    return {name for name, each in found.items() if len(works[each.attachment]) > 1}
