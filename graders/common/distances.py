"""Euclidean distances and correlations between images or other rows of numbers."""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from gengrade.arrays import Array, Floats

Real = TypeVar("Real", np.float32, np.float64)

EVEN: Final = 1e-6  # a row whose numbers spread less than this counts as constant
_AT_ONCE: Final = 1 << 22  # most distances held in memory at once, since a guest may send any number of rows


def squared_distances(first: NDArray[Real], second: NDArray[Real]) -> NDArray[Real]:
    """Return the squared Euclidean distances [N, M] between the rows of `first` [N, d] and `second` [M, d]."""
    squares = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1)[None, :] - 2 * first @ second.T
    clipped: NDArray[Real] = np.clip(squares, 0, None)
    return clipped


def nearest(rows: NDArray[Real], among: NDArray[Real]) -> tuple[NDArray[np.intp], NDArray[Real]]:
    """Return, for each row [N, d], the index [N] of the nearest row of `among` [M, d], M > 0, and its distance [N]."""
    indices, distances = np.zeros(len(rows), dtype=np.intp), np.zeros(len(rows), dtype=rows.dtype)
    step = max(1, _AT_ONCE // len(among))
    for start in range(0, len(rows), step):
        squares = squared_distances(rows[start : start + step], among)
        indices[start : start + step] = squares.argmin(axis=1)
        distances[start : start + step] = np.sqrt(squares.min(axis=1))
    return indices, distances


def correlations(rows: Floats, among: Floats) -> Array:
    """Return Pearson's correlations [N, M] of the rows of `rows` [N, d] with those of `among` [M, d]; 0 if constant.

    Scaling or shifting a row does not change its correlations. Noise that is r times as large as the spread of the row
    divides them by √(1 + r²).
    """
    found: Array = standardised(rows) @ standardised(among).T
    return found


def standardised(rows: Floats) -> Array:
    """Return the rows [N, d] with mean 0 and length 1; rows of zeros for constant ones."""
    centred = np.asarray(rows, dtype=np.float64)
    centred = centred - centred.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    found: Array = centred / np.where(lengths > EVEN * np.sqrt(rows.shape[1]), lengths, np.inf)
    return found
