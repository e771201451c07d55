"""Say what a check tests, from what its tests say of themselves."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from gengrade.choices import CheckKind
from gengrade.documents import suggestion
from gengrade.engine import UsageError
from gengrade.grading.checks import declaration, known, title
from gengrade.rubric import ManualItem, Rubric


def explanation(check: str, rubric: Rubric) -> Iterator[str]:
    """Yield lines on what a check tests, what it needs, and what it earns. Raises UsageError if there is none."""
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
    yield f"{check}: {sum(points):g} points{', after a training' if found.kind is CheckKind.TRAIN else ''}"
    if found.needs:
        yield f"It is judged once these have passed: {', '.join(found.needs)}"
    yield "It passes if all of this is so:"
    for function in vars(importlib.import_module(found.module)).values():
        declared = declaration(function)
        if declared is not None and check in declared.ids:
            yield f"  - {title(function)}"
