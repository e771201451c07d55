"""Shares of numbers, by which symptoms describe a distribution."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

POINTS: Final = (-2.0, -1.0, -0.3, 0.3, 1.0, 2.0)  # in standard deviations; the shares of draws below them are compared


def share_of(flags: NDArray[np.bool_]) -> float:
    """Returns the share of true flags, 0 if there are none."""
    return float(flags.mean()) if flags.size else 0.0
