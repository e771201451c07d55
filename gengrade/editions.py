"""Which edition of a course was handed in: a class that is graded by another one's rubric is told so at once.

Only the names of files are looked at. A submission speaks against an edition when another one asks for more than twice
as many of its files; where most submissions do, and for the same other edition, the rubric is the wrong one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from gengrade.documents import DocumentError
from gengrade.home import DEFAULT_RUBRIC, HOME
from gengrade.rubric import Rubric
from gengrade.submissions import Part, Submission, names_in

DEFAULT_COURSE: Final = "uva2020"
_MOST_LOOKED_AT: Final = 20  # submissions, spread over the class

Editions = Mapping[str, Mapping[str, Part]]  # by layout: its parts


def editions() -> dict[str, Mapping[str, Part]]:
    """The parts of every edition that there is a layout for."""
    package = importlib.import_module("graders.layouts")
    modules = [info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg]
    return {name: importlib.import_module(f"{package.__name__}.{name}").PARTS for name in modules}


def better_fit(layout: str, submissions: Sequence[Submission], known: Editions) -> tuple[str, int, int] | None:
    """The layout that fits most of the submissions where the given one does not: its name, how many, of how many.

    Submissions in which nothing of any edition can be seen do not count.
    """
    readable = [submission for submission in submissions if submission.error is None]
    chosen = readable[:: max(1, -(-len(readable) // _MOST_LOOKED_AT))]
    held = [files_held(names_in(submission), known) for submission in chosen]
    held = [each for each in held if any(each.values())]
    votes: Counter[str] = Counter()
    for each in held:
        best = max(sorted(each), key=lambda name: each[name])
        if each[best] > 2 * each[layout]:
            votes[best] += 1
    found = votes.most_common(1)
    if not found or 2 * found[0][1] <= len(held):
        return None
    return found[0][0], found[0][1], len(held)


def files_held(names: Collection[str], known: Editions) -> dict[str, int]:
    """By layout: how many of the files that it asks for may be among those names."""
    return {layout: _asked_and_held(parts.values(), set(names)) for layout, parts in known.items()}


def _asked_and_held(parts: Iterable[Part], names: set[str]) -> int:
    return len({file for part in parts for file in part.files if part.called(file, names)})


def rubric_for(layout: str) -> Path | None:
    """The rubric that comes with the project for a layout; None where there is none."""
    for path in [DEFAULT_RUBRIC, *sorted((HOME / "rubrics").glob("*.yaml"))]:
        try:
            if Rubric.load(path).layout == layout:
                return path
        except DocumentError:
            continue  # `gengrade rubric check` says what is wrong with it
    return None
