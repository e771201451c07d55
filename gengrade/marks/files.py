"""Read and write one student's marks as YAML, `marks/<student>.yaml`.

```yaml
1.1-sampling: 3                                             # points only
1.9-description: {points: 1.5, comment: Curves without axes.}
1.4-bound: {criteria: [bound]}                              # the points of these criteria
1.8-reparameterization: {comment: Please see me.}           # no points yet
```

The keys are the ids of the rubric's items. A mark on an automatic item replaces the automatic points.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import yaml
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from gengrade.documents import Document, DocumentError, suggestion
from gengrade.marks.model import Mark, completed, problem_with
from gengrade.rubric import Entry, Rubric

_DECIMAL_COMMA: Final = re.compile(r"\s*(\d+),(\d+)\s*")


class MarksError(DocumentError):
    """A file of marks has a mistake."""


def _spelled_out(mark: object) -> object:
    if isinstance(mark, int | float) and not isinstance(mark, bool):
        return {"points": mark}
    if isinstance(mark, dict) and isinstance(mark.get("criteria"), list):
        return {**mark, "criteria": tuple(mark["criteria"])}
    return mark


_ENTRY: TypeAdapter[dict[str, Mark]] = TypeAdapter(dict[str, Annotated[Mark, BeforeValidator(_spelled_out)]])


def parse(
    content: bytes, path: Path, rubric: Rubric, known: Mapping[str, Mark | None] = MappingProxyType({})
) -> tuple[dict[str, Mark], list[MarksError]]:
    """Return the marks in a file by the item's id, and all of its mistakes.

    content: the bytes of the file.
    path: its path, used in messages only; the caller checks that the file may be trusted.
    rubric: the rubric whose items the marks are for.
    known: the marks that the file held when it was last read or written, by the item's id. Those are not checked again,
        since the rubric may have changed since.
    """
    entries = {entry.id: entry for entry in rubric.entries()}
    marks: dict[str, Mark] = {}
    mistakes: list[MarksError] = []
    try:
        for document in Document.entries(content, path, MarksError):
            try:
                if isinstance(document, DocumentError):
                    raise document
                marks |= _read(document, entries, known)
            except MarksError as mistake:
                mistakes.append(mistake)
    except MarksError as mistake:
        mistakes.append(mistake)
    return marks, mistakes


def _read(document: Document, entries: Mapping[str, Entry], known: Mapping[str, Mark | None]) -> dict[str, Mark]:
    """Return the mark of a document with one entry. Raises MarksError."""
    assert isinstance(document.data, dict)
    ((id_, value),) = document.data.items()
    if id_ not in entries:
        raise document.problem((id_,), f'the rubric has no item "{id_}"{_instead(id_, entries)}')
    if value is None or isinstance(value, bool | list):
        raise document.problem((id_,), f'"{id_}" needs points, such as 2.5, or {{points: 2.5, comment: Why.}}')
    for given, where in ((value, (id_,)), (value.get("points") if isinstance(value, dict) else None, (id_, "points"))):
        if isinstance(given, str):
            comma = _DECIMAL_COMMA.fullmatch(given)
            instead = f"write {comma[1]}.{comma[2]}" if comma else "write one, such as 2.5"
            raise document.problem(where, f'"{given}" is not a number of points: {instead}')
    try:
        mark = _ENTRY.validate_json(json.dumps(document.data))[id_]
    except ValidationError as invalid:
        raise document.invalid(invalid, Mark.model_fields) from None
    if mark == Mark():
        raise document.problem((id_,), f'"{id_}" has neither points nor a comment: give one, or remove the line')
    if mark == known.get(id_):
        return {id_: mark}
    reason = problem_with(mark, entries[id_])
    if reason:
        part = "points" if mark.criteria is None else "criteria"
        raise document.problem((id_, part), reason)
    return {id_: completed(mark, entries[id_])}


def _instead(id_: str, entries: Mapping[str, Entry]) -> str:
    """Return what to write in place of an unknown id, such as one of an earlier version, which held a position."""
    question = id_.rpartition("-")[0]
    there = [entry.id for entry in entries.values() if entry.question.id == question]
    if re.fullmatch(r".+-\d+", id_) and there:
        return f": an id is no position any more; question {question} has {', '.join(there)}"
    return f"{suggestion(id_, entries)}: correct or remove it"


def to_yaml(marks: Mapping[str, Mark], order: Iterable[str] = ()) -> str:
    """Return marks as the text of a file, which `parse` reads as the same marks.

    order: the ids of the rubric's items, for the order of the lines; others follow.
    """
    ids = [*(id_ for id_ in order if id_ in marks), *sorted(set(marks) - set(order))]
    return "".join(f"{_key(id_)}: {_value(marks[id_])}\n" for id_ in ids)


def _key(id_: str) -> str:
    return id_ if re.fullmatch(r"[\w.-]*\w", id_) else json.dumps(id_)


def _value(mark: Mark) -> str:
    """Return a mark as YAML on one line: a number, or a mapping in braces."""
    points = None if mark.points is None else int(mark.points) if mark.points.is_integer() else mark.points
    if points is not None and mark.criteria is None and not mark.comment:
        return str(points)
    given = {"points": points, "criteria": mark.criteria and list(mark.criteria), "comment": mark.comment or None}
    if mark.criteria == ():
        given["criteria"] = []
    # Letters of any alphabet are written as they are; what cannot be seen is escaped.
    readable = all(letter.isprintable() or letter == "\n" for letter in mark.comment)
    told = {name: value for name, value in given.items() if value is not None}
    return yaml.safe_dump(
        told, allow_unicode=readable, sort_keys=False, default_flow_style=True, width=float("inf")
    ).strip()
