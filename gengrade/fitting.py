"""Detect that a class is graded with the wrong course, before anything is run.

Only the names of files are compared; a file with exactly the name that a course asks for counts twice as much as one
whose name is only like it. A submission fits another course better when it counts more than twice as much for that
course. The course is wrong when most submissions fit other courses better that all of these fit equally well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from gengrade.submissions import Part, Submission, names_in

_MOST_LOOKED_AT: Final = 20  # submissions to compare, spread evenly over the class


def better_fit(
    course: str, submissions: Sequence[Submission], known: Mapping[str, Mapping[str, Part]]
) -> tuple[tuple[str, ...], int, int] | None:
    """Return the courses that fit most submissions better than the given one, or None.

    course: the name of the course that the class is graded with.
    known: the parts of all courses, by the course's name.

    The result is the other courses' names, several if they fit equally well, the number of submissions that fit them
    better, and the number of submissions compared. Submissions without a file that any course asks for are not
    compared.
    """
    readable = [submission for submission in submissions if submission.error is None]
    chosen = readable[:: max(1, -(-len(readable) // _MOST_LOOKED_AT))]
    held = [files_held(names_in(submission), known) for submission in chosen]
    held = [each for each in held if any(each.values())]
    votes: Counter[str] = Counter()
    for each in held:
        best = max(each.values())
        if best > 2 * each[course]:
            votes.update(name for name, count in each.items() if count == best)
    most = max(votes.values(), default=0)
    if 2 * most <= len(held):
        return None
    return tuple(sorted(name for name, count in votes.items() if count == most)), most, len(held)


def files_held(names: Collection[str], known: Mapping[str, Mapping[str, Part]]) -> dict[str, int]:
    """Return, for each course, how many of the files that it asks for are among those names.

    One with exactly its name counts 2, and one with another name that it may have 1.
    """
    return {course: _asked_and_held(parts.values(), set(names)) for course, parts in known.items()}


def _asked_and_held(parts: Iterable[Part], names: set[str]) -> int:
    asked = {file: part for part in parts for file in part.files}
    return sum(2 if file in names else 1 for file, part in asked.items() if part.called(file, names))
