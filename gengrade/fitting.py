"""Detect that a class is graded with the wrong course, before anything is run.

Only the names of files are compared. A submission fits another course better when that course asks for more than twice
as many of its files. The course is wrong when most submissions fit the same other course better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from gengrade.submissions import Part, Submission, names_in

_MOST_LOOKED_AT: Final = 20  # submissions to compare, spread evenly over the class


def better_fit(
    course: str, submissions: Sequence[Submission], known: Mapping[str, Mapping[str, Part]]
) -> tuple[str, int, int] | None:
    """Return the course that fits most submissions better than the given one, or None.

    course: the name of the course that the class is graded with.
    known: the parts of all courses, by the course's name.

    The result is the other course's name, the number of submissions that fit it better, and the number of submissions
    compared. Submissions without a file that any course asks for are not compared.
    """
    readable = [submission for submission in submissions if submission.error is None]
    chosen = readable[:: max(1, -(-len(readable) // _MOST_LOOKED_AT))]
    held = [files_held(names_in(submission), known) for submission in chosen]
    held = [each for each in held if any(each.values())]
    votes: Counter[str] = Counter()
    for each in held:
        best = max(sorted(each), key=lambda name: each[name])
        if each[best] > 2 * each[course]:
            votes[best] += 1
    found = votes.most_common(1)
    if not found or 2 * found[0][1] <= len(held):
        return None
    return found[0][0], found[0][1], len(held)


def files_held(names: Collection[str], known: Mapping[str, Mapping[str, Part]]) -> dict[str, int]:
    """Return, for each course, how many of the files that it asks for may be among those names."""
    return {course: _asked_and_held(parts.values(), set(names)) for course, parts in known.items()}


def _asked_and_held(parts: Iterable[Part], names: set[str]) -> int:
    return len({file for part in parts for file in part.files if part.called(file, names)})
