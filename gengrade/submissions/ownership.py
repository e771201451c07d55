"""Decide which student each file of a class belongs to, where one file name alone is ambiguous.

A learning management system puts its ids first and the student's own file name last, so that the first ids in a name
are usually the system's. But a file name that a student chose may look like ids, with or without such a system. Two
properties are deliberate:

1. The files of two students are never merged. A name that can be read in two ways in this class, or whose ids cannot
   come from a system, is graded as a separate submission, and a note says so.
2. An honest file name that looks like ids (`2023_12_part1.zip`) stays with its owner: further ids in a name count only
   if they have the same order of magnitude as the ids of this class.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gengrade.archives import stem
from gengrade.submissions.names import Identity, identify, others, separate

# Canvas numbers the attachments of all courses together, so those of one assignment have similar numbers.
_MAGNITUDE: Final = 2.0
_MOST_WORKS: Final = 3  # the most archives that the only student of a class may hand in

_TWO_WAYS: Final = "its name can be read in two ways"
_NO_SYSTEM: Final = "the numbers in its name do not come from a learning management system"


def identities(names: Sequence[str], packed: Iterable[str]) -> tuple[dict[str, Identity], dict[str, str]]:
    """Return the identity in each name, and the reasons for those that are graded as separate submissions.

    names: the names of all files and folders in the class's folder.
    packed: those of the names that are archives or folders.
    """
    first = {name: identify(name) for name in names}
    doubts = {name: _TWO_WAYS for name in names if _is_doubtful(name, first)}
    sure = {name: identity for name, identity in first.items() if name not in doubts}
    doubts |= dict.fromkeys(_no_attachments(sure, frozenset(packed)), _NO_SYSTEM)
    return {name: separate(name, each.late) if name in doubts else each for name, each in first.items()}, doubts


def _is_doubtful(name: str, found: Mapping[str, Identity]) -> bool:
    """Return whether a name can be read in a second way that fits the other names of the class."""
    if not found[name].from_system or not others(name):
        return False
    systems = {identity.system for other, identity in found.items() if other != name} | {found[name].system}
    numbers = [number for system, number in others(name) if system in systems]
    typical = _typical(found) if any(number is not None for number in numbers) else None
    return any(number is None or _is_like(number, typical) for number in numbers)


def _typical(found: Mapping[str, Identity]) -> float | None:
    """Return the median of Canvas's attachment numbers, if possible of names that can be read in one way only."""
    numbers = {name: each.attachment for name, each in found.items() if each.attachment is not None}
    sure = [number for name, number in numbers.items() if not others(name)]
    return statistics.median(sure or numbers.values()) if numbers else None


def _is_like(number: int, typical: float | None) -> bool:
    return typical is not None and typical / _MAGNITUDE <= number <= typical * _MAGNITUDE


def _no_attachments(found: Mapping[str, Identity], packed: frozenset[str]) -> set[str]:
    """Return the names whose numbers look like Canvas's but cannot be.

    Canvas gives each number once, so two different files never share one. And if one student seems to have handed in
    everything, the class's names only begin alike (`hw_10_1042_doe.zip`).
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
    """Return the names of different files that share an attachment number."""
    works: dict[int | None, set[str]] = {}
    for each in found.values():
        works.setdefault(each.attachment, set()).add(stem(each.file))
    return {name for name, each in found.items() if len(works[each.attachment]) > 1}
