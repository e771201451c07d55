"""Comparing evidence with what was expected, in words that a student can use."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from gengrade.grading.evidence import Evidence, FloatArray, Mismatch, describe

Comparable = Evidence | NDArray[np.generic] | float


def expect(condition: bool, message: str, *, expected: str | None = None, got: str | None = None) -> None:
    """Raises Mismatch unless the condition holds."""
    if not condition:
        raise Mismatch(message, expected=expected, got=got)


def fail(message: str, *, expected: str | None = None, got: str | None = None) -> NoReturn:
    raise Mismatch(message, expected=expected, got=got)


def assert_close(
    got: Comparable,
    expected: Comparable,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    what: str = "the value",
    hint: str | None = None,
) -> None:
    """Raises Mismatch unless both have the same shape and |got − expected| ≤ atol + rtol·|expected| everywhere.

    No broadcasting; NaN equals nothing. `expected` is ours, so that a fault in it is not the student's.
    """
    right = _ours(expected)
    words = f"{what} is not right" + (f": {hint}" if hint else "")
    shape = _shape(got, what)
    if shape != right.shape:  # before its values are looked at: there may be any number of them
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


def _ours(value: Comparable) -> FloatArray:
    values = value.tensor(finite=False) if isinstance(value, Evidence) else np.asarray(value, dtype=np.float64)
    if not np.isfinite(values).all():
        raise FloatingPointError(f"the expected value is not finite: {describe(values)}")
    return values


def _excerpt(values: FloatArray, wrong: NDArray[np.bool_]) -> str:
    """The first wrong element, and where it stands."""
    if values.ndim == 0:
        return f"{float(values):.6g}"
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ", ".join(map(str, index))
    return f"{float(values[index]):.6g} at [{place}] ({int(wrong.sum())} of {wrong.size} differ)"
