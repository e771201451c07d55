"""The batches that a training loop is tried on: small, unequal, and each with a gradient of its own direction."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import Rng

BATCH: Final = 16
SIZES: Final = (16, 16, 16, 8)  # the last batch is smaller
DENSITIES: Final = (0.1, 0.9, 0.3, 0.7)  # of ink in each batch: so their gradients point different ways
ALIGNED: Final = 0.9999  # the cosine of equal gradients, but for rounding


def unequal_batches(rng: Rng) -> NDArray[np.float32]:
    """Binary images [56, 1, 28, 28], in batches of different density."""
    density = np.repeat(DENSITIES, SIZES)[:, None, None, None]
    return (rng.uniform(0, 1, sum(SIZES), 1, 28, 28) < density).astype(np.float32)
