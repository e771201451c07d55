"""What a course's examples are said to earn: `examples/expected_points.yaml`, held against their grades."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gengrade.documents import Document, DocumentError
from gengrade.facts import Outcome
from gengrade.grade import Grade, ItemGrade

FILE = "expected_points.yaml"
_PASSED = Outcome.PASSED.value


class ExpectedError(DocumentError):
    """What is stated of examples cannot be read."""


class Expected(BaseModel):
    """What one example earns in the profile "unit".

    `lost`: by check, or pattern of checks ("gan.*"), the outcome or the misconception that the report names; all others
    pass. `trained`: the measures that earn full points in the profile "smoke"; the others earn none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    points: float = Field(ge=0)
    bonus: float = Field(0, ge=0)
    lost: dict[str, Annotated[str, Field(min_length=1)]] = {}
    trained: tuple[str, ...] = ()


def read(examples: Path) -> dict[str, Expected]:
    """By the example's name. Raises ExpectedError."""
    document = Document.load(examples / FILE, ExpectedError)
    try:
        return TypeAdapter(dict[str, Expected]).validate_json(json.dumps(document.data))
    except ValidationError as invalid:
        raise document.invalid(invalid, set(Expected.model_fields)) from None


def differences(expected: Mapping[str, Expected], grades: Mapping[str, Grade]) -> Iterator[str]:
    """In sentences, what is not as it was stated."""
    for name in sorted(expected.keys() - grades.keys()):
        yield f"{name}: it is stated what it earns, and there is no such example"
    for name, grade in grades.items():
        if name not in expected:
            yield f"{name}: {FILE} does not say what it earns"
        else:
            yield from (f"{name}: {difference}" for difference in _of_one(expected[name], grade))


def _of_one(expected: Expected, grade: Grade) -> Iterator[str]:
    if (grade.points, grade.bonus) != (expected.points, expected.bonus):
        earned = f"{grade.points:g} points and {grade.bonus:g} bonus"
        yield f"it earned {earned}, not {expected.points:g} and {expected.bonus:g}"
    for item in grade.items:
        if item.kind != "check" or item.check is None or item.outcome in (None, Outcome.BLOCKED):
            continue  # nothing was run for it
        stated = next(
            (what for pattern, what in expected.lost.items() if fnmatch.fnmatch(item.check, pattern)), _PASSED
        )
        if stated not in _found(item):
            yield f"{item.check} ended as {' or '.join(_found(item))}, not as {stated}"


def _found(item: ItemGrade) -> tuple[str, ...]:
    """What may be stated of an item: its outcome, or the misconception behind it."""
    assert item.outcome is not None
    return (item.outcome.value, *([item.misconception.name] if item.misconception else ()))
