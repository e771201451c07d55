"""Say what a check tests: what its tests say of themselves, what they ask, and lines that a student can run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from gengrade import tryouts
from gengrade.choices import CheckKind
from gengrade.course import ADAPTERS, Course
from gengrade.documents import suggestion
from gengrade.engine import UsageError
from gengrade.grading.asked import Asked, first_requests
from gengrade.grading.checks import known, tests_of, title
from gengrade.parts import part_of
from gengrade.rubric import ManualItem, Rubric
from gengrade.texts import counted

_MOST_LISTED: Final = 4  # entries of a list
_NAME: Final = re.compile(r"(?:[a-z]+(?:_\w+)+|[A-Z]{2,})\b")  # of a function at the beginning of a title
_LONG: Final = 10_000  # numbers in a row; no network takes as many, and probes give each those that it takes


def explanation(check: str, rubric: Rubric, course: Course) -> Iterator[str]:
    """Yield lines on what a check earns, needs, tests and asks, and on how a student can try it.

    Raises UsageError if there is no such check, and TryoutsError.
    """
    asked = [id_ for id_ in known() if id_ in set(rubric.checks())]
    if check not in asked:
        raise UsageError(
            f"--explain {check}: there is no such check{suggestion(check, asked)}; there are {', '.join(asked)}"
        )
    found = known()[check]
    points = [
        entry.item.points
        for entry in rubric.entries()
        if not isinstance(entry.item, ManualItem) and entry.item.subject == check
    ]
    yield f"{check}: {counted(sum(points), 'point')}{', after a training' if found.kind is CheckKind.TRAIN else ''}"
    if found.needs:
        yield f"It is judged once these have passed: {', '.join(found.needs)}"
    yield "It passes if all of this is so:"
    titles = [title(test) for test in tests_of(check)]
    yield from (f"  - {each}" for each in titles)
    if foreign := _foreign(titles, course):
        yield f"Your course may use other names than {', '.join(foreign)}."
    yield from _questions(check)
    yield from _tryout(check, course)


def _foreign(titles: Iterable[str], course: Course) -> list[str]:
    """Return what titles of tests are about and neither the course's adapters nor its rubric name."""
    own = [course.rubric, *sorted((course.folder / ADAPTERS).rglob("*.py"))]
    text = "\n".join(path.read_text() for path in own)
    named = dict.fromkeys(found.group() for each in titles if (found := _NAME.match(each)))
    return [name for name in named if name not in text]


def _questions(check: str) -> Iterator[str]:
    requests = list(first_requests(check))
    if not requests:
        return
    yield "What your code is asked, in this order at first:"
    yield from dict.fromkeys(f"  - {_question(asked)}" for asked in requests)
    inputs = [value for asked in requests for value in asked.inputs.values()]
    if any(isinstance(value, np.ndarray) and value.shape[-1:] >= (_LONG,) for value in inputs):
        yield "If a row is longer than your network's input, only its beginning is used."
    if inputs:
        yield "Other runs draw other sizes and numbers."


def _question(asked: Asked) -> str:
    name = asked.probe.function.replace("_", " ")
    return f"{name} with {_listed(asked.inputs)}" if asked.inputs else f"{name}, without inputs"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.strip('_')}: {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    """Return the shape of an array, such as "128 × 20", or a plain value."""
    match value:
        case np.ndarray(shape=(length,)):
            return f"{length} numbers"  # a length alone would look like a value
        case np.ndarray():
            return " × ".join(map(str, value.shape))
        case float():
            return f"{value:g}"
        case Mapping():
            return f"({_listed(value)})"
        case list():
            rest = [f"… ({len(value)} in all)"] if len(value) > _MOST_LISTED else []
            return f"[{', '.join([*map(_shown, value[:_MOST_LISTED]), *rest])}]"
    return str(value)


def _tryout(check: str, course: Course) -> Iterator[str]:
    found = tryouts.read(course)
    lines = found.checks.get(check)
    if lines is None:
        return
    part = part_of(check, course.parts)
    folder = course.parts[part].folder if part is not None else None
    yield f"Try it in the folder {folder} of your solution:" if folder else "Try it in the folder of your solution:"
    yield from (f"    {line}".rstrip() for line in [*([f"# {found.note}"] if found.note else []), *lines.splitlines()])
