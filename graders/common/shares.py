"""Shares of numbers, by which symptoms describe a distribution."""

from __future__ import annotations

from typing import Final

import numpy as np

from gengrade.arrays import Array, Mask
from gengrade.grading.symptoms import Numbers

POINTS: Final = (-2.0, -1.0, -0.3, 0.3, 1.0, 2.0)  # in standard deviations; the shares of draws below them are compared
ENOUGH: Final = 100  # shares of fewer draws are not compared
SAME: Final = 1e-3  # numbers nearer than this count as equal: by chance about 1 in 1,000 pairs is


def share_of(flags: Mask) -> float:
    """Return the share of true flags, 0 if there are none."""
    return float(flags.mean()) if flags.size else 0.0


def describe_noise(z: Array, mean: Array, std: Array) -> Numbers:
    """Describe the distribution of the noise (z − mean) / std: whether rows or columns share it, or its shape.

    The shape is given by the shares below `POINTS`, overall and for each sign of the mean and small and large std: so
    σ·ε is told from σ²·ε, or from ε alone.
    """
    standardised = (z - mean) / std
    rows = standardised.reshape(len(z), -1)
    shared = [share_of(np.abs(np.diff(rows, axis=axis)) < SAME) for axis in (0, 1)]
    symptoms: Numbers = {"noise shared by rows, and by columns": (np.array(shared), 0.1)}
    if max(shared) > 0.5:
        return symptoms | {"no noise": (share_of(np.abs(rows) < SAME), 0.1)}
    large = std > np.median(std)
    groups = {
        f"{sign} mean and {size} std": standardised[signed & sized]
        for sign, signed in (("negative", mean < 0), ("positive", mean >= 0))
        for size, sized in (("small", ~large), ("large", large))
    }
    for name, group in ({"any mean and std": standardised.ravel()} | groups).items():
        if len(group) >= ENOUGH:
            shares = np.array([share_of(group < point) for point in POINTS])
            symptoms[f"noise, {name}"] = (shares, tolerance_of(len(group)))
    return symptoms


def tolerance_of(n: int) -> float:
    """Return how far two shares, of n draws each, may differ: four standard errors of at most ½·√(2/n)."""
    return 4 * 0.5 * float(np.sqrt(2 / n))
