"""Compare evidence with expected values, and explain differences in messages for students."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from gengrade.arrays import Array, Mask
from gengrade.grading.evidence import Evidence, Mismatch, NotAsked, describe

Comparable = Evidence | NDArray[np.generic] | float


def expect(condition: bool, message: str, *, expected: str | None = None, got: str | None = None) -> None:
    """Raise Mismatch with this message for the student unless the condition holds."""
    if not condition:
        raise Mismatch(message, expected=expected, got=got)


def fail(message: str, *, expected: str | None = None, got: str | None = None) -> NoReturn:
    """Raise Mismatch with this message for the student."""
    raise Mismatch(message, expected=expected, got=got)


def not_asked(reason: str, *, unless: tuple[str, ...] = ()) -> NoReturn:
    """End a test that does not apply to this submission, or whose mistake another check judges.

    The test passes. The report shows the reason and "Not asked here", so that nobody takes it for a right answer.

    reason: for the student, why nothing is asked.
    unless: the checks that judge the mistake which keeps this test from asking; the test's `@check` names them in
        `leaves_to`. If all of them passed, no check judged it: the test is undecided then, and a person decides. If
        none found a mistake, and one ended early, since the code is missing or raised an exception, it is blocked.
    """
    raise NotAsked(reason, unless)


def assert_close(
    got: Comparable,
    expected: Comparable,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    what: str = "the value",
    hint: str | None = None,
) -> None:
    """Raise Mismatch unless both have the same shape and |got − expected| ≤ atol + rtol·|expected| everywhere.

    got: the student's value.
    expected: our own value. If it is not finite, FloatingPointError is raised, a fault of the harness.
    what: the name of the value in the message.
    hint: the likely mistake, for the message.

    Shapes are not broadcast, and NaN equals nothing.
    """
    right = _ours(expected)
    words = f"{what} is not right" + (f": {hint}" if hint else "")
    shape = _shape(got, what)
    if shape != right.shape:  # compared first, since the student's value may have any number of elements
        raise Mismatch(f"{what} has the wrong shape", expected=f"shape {list(right.shape)}", got=f"shape {list(shape)}")
    left = got.tensor(shape=shape, finite=False) if isinstance(got, Evidence) else np.asarray(got, dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        wrong = ~(np.abs(left - right) <= atol + rtol * np.abs(right))
    if wrong.any():
        raise Mismatch(words, expected=_excerpt(right, wrong), got=_excerpt(left, wrong))


def _shape(value: Comparable, what: str) -> tuple[int, ...]:
    if isinstance(value, Evidence):
        try:
            return value.shape()
        except Mismatch as error:
            raise Mismatch(f"{what} is neither a tensor nor a number", got=error.got) from None
    return np.shape(value)


def _ours(value: Comparable) -> Array:
    values = value.tensor(finite=False) if isinstance(value, Evidence) else np.asarray(value, dtype=np.float64)
    if not np.isfinite(values).all():
        raise FloatingPointError(f"the expected value is not finite: {describe(values)}")
    return values


def _excerpt(values: Array, wrong: Mask) -> str:
    """Return the first wrong element, its index, and the number of wrong elements in words."""
    if values.ndim == 0:
        return f"{float(values):.6g}"
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ", ".join(map(str, index))
    return f"{float(values[index]):.6g} at [{place}] ({int(wrong.sum())} of {wrong.size} differ)"
