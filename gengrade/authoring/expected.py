"""Compare the grades of a course's examples with those stated in `examples/expected_points.yaml`."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gengrade.documents import Document, DocumentError
from gengrade.facts import Outcome
from gengrade.grade import Grade, ItemKind

FILE = "expected_points.yaml"
_PASSED = Outcome.PASSED.value


class ExpectedError(DocumentError):
    """A course's expected_points.yaml has a mistake."""


class Expected(BaseModel):
    """The expected results of one example in the profile "unit".

    points, bonus: the points of all automatic items.
    not_passed: for each check, or pattern of checks ("gan.*"), that does not pass, its outcome.
    named: for each check, the misconception that the report names; None: this is not compared.
    pending: the checks whose points wait for a mark; None: this is not compared.
    trained: the measures that earn full points in the profile "smoke"; the others earn none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    points: float = Field(ge=0)
    bonus: float = Field(0, ge=0)
    not_passed: dict[str, str] = {}
    named: dict[str, str] | None = None
    pending: tuple[str, ...] | None = None
    trained: tuple[str, ...] = ()


def read(examples: Path) -> dict[str, Expected]:
    """Return the expected results by the example's name. Raises ExpectedError."""
    document = Document.load(examples / FILE, ExpectedError)
    try:
        return TypeAdapter(dict[str, Expected]).validate_json(json.dumps(document.data))
    except ValidationError as invalid:
        raise document.invalid(invalid, set(Expected.model_fields)) from None


def differences(expected: Mapping[str, Expected], grades: Mapping[str, Grade]) -> Iterator[str]:
    """Yield a sentence for each difference between expected results and grades, both by the example's name."""
    for name in sorted(expected.keys() - grades.keys()):
        yield f"{name}: {FILE} states results for it, but there is no such example"
    for name, grade in grades.items():
        if name not in expected:
            yield f"{name}: {FILE} states no results for it"
        else:
            yield from (f"{name}: {difference}" for difference in _of_one(expected[name], grade))


def _of_one(expected: Expected, grade: Grade) -> Iterator[str]:
    if (grade.points, grade.bonus) != (expected.points, expected.bonus):
        earned = f"{grade.points:g} points and {grade.bonus:g} bonus"
        yield f"it earned {earned}, but {expected.points:g} and {expected.bonus:g} are stated"
    checks = [(item.check, item) for item in grade.items if item.kind is ItemKind.CHECK and item.check is not None]
    for check, item in checks:
        if item.outcome in (None, Outcome.BLOCKED):
            continue  # the check was not run
        matching = (outcome for pattern, outcome in expected.not_passed.items() if fnmatch.fnmatch(check, pattern))
        stated = next(matching, _PASSED)
        if item.outcome != stated:
            yield f"the outcome of {check} is {item.outcome}, but {stated} is stated"
    if expected.named is not None:
        named = {check: item.misconception.name for check, item in checks if item.misconception}
        for check in sorted(named.keys() | expected.named.keys()):
            name, stated = (names.get(check, "no misconception") for names in (named, expected.named))
            if name != stated:
                yield f"for {check} the report names {name}, but {stated} is stated"
    if expected.pending is not None:
        waiting = {check for check, item in checks if item.pending}
        for check in sorted(waiting ^ set(expected.pending)):
            yield f"{check} {'waits' if check in waiting else 'does not wait'} for a mark, unlike stated"
