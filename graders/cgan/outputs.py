"""Compare outputs of networks whose range is not known, relative to that range."""

from __future__ import annotations

from typing import Final

import numpy as np

from gengrade.arrays import Array

FELT: Final = 1e-4  # an input counts if it changes outputs by this share of their largest change by any input
ROUNDING: Final = 1e-6
SAME: Final = 1e-3  # outputs that differ by less than this share of their range count as equal


def are_same(left: Array, right: Array, among: Array) -> bool:
    """Return whether two arrays of outputs are equal up to rounding, relative to the range of the outputs `among`."""
    return left.shape == right.shape and bool(np.abs(left - right).max() <= SAME * np.ptp(among) + ROUNDING)


def spread(outputs: Array) -> float:
    """Return the range of outputs [N, …] over the first dimension, in the element in which it is largest."""
    return float(np.ptp(outputs, axis=0).max())


def scale_of(outputs: list[Array]) -> float:
    """Return the largest `spread` among several outputs, by which thresholds are scaled; at least a rounding error."""
    return max(ROUNDING / FELT, *(spread(each) for each in outputs))


def distinct(outputs: Array, least: float) -> int:
    """Return the number of rows [N, …] that differ from each other by more than `least` in some element."""
    kept: list[Array] = []
    for row in outputs:
        if all(float(np.abs(row - other).max()) > least for other in kept):
            kept.append(row)
    return len(kept)
