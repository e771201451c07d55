"""Euclidean distances between images or other rows of numbers."""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", np.float32, np.float64)

_AT_ONCE: Final = 1 << 22  # most distances held in memory at once, since a guest may send any number of rows


def squared_distances(first: NDArray[Real], second: NDArray[Real]) -> NDArray[Real]:
    """Returns the squared Euclidean distances [N, M] between the rows of `first` [N, d] and `second` [M, d]."""
    squares = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1)[None, :] - 2 * first @ second.T
    clipped: NDArray[Real] = np.clip(squares, 0, None)
    return clipped


def nearest(rows: NDArray[Real], among: NDArray[Real]) -> tuple[NDArray[np.intp], NDArray[Real]]:
    """Returns, for each row [N, d], the index [N] of the nearest row of `among` [M, d], M > 0, and its distance [N]."""
    indices, distances = np.zeros(len(rows), dtype=np.intp), np.zeros(len(rows), dtype=rows.dtype)
    step = max(1, _AT_ONCE // len(among))
    for start in range(0, len(rows), step):
        squares = squared_distances(rows[start : start + step], among)
        indices[start : start + step] = squares.argmin(axis=1)
        distances[start : start + step] = np.sqrt(squares.min(axis=1))
    return indices, distances
