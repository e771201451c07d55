"""Batches of images for the checks: small unequal ones for training loops, and random ones of the training set."""

from __future__ import annotations

from typing import Final

import numpy as np

from gengrade.arrays import Array32
from gengrade.data import DataSet
from gengrade.grading import Rng

# The hand-outs' size: students' loops may draw the first 25 or 64 images of a batch.
BATCH: Final = 128
SIZES: Final = (128, 128, 128, 64)  # the last batch is smaller
DENSITIES: Final = (0.1, 0.9, 0.3, 0.7)  # share of white pixels per batch; they differ so that the gradients do
ALIGNED: Final = 0.9999  # two gradients count as parallel above this cosine; rounding costs less


def unequal_batches(rng: Rng) -> Array32:
    """Return binary noise images [448, 1, 28, 28] that form four batches (`SIZES`) with different shares of ones."""
    density = np.repeat(DENSITIES, SIZES)[:, None, None, None]
    return (rng.uniform(0, 1, sum(SIZES), 1, 28, 28) < density).astype(np.float32)


def batch_of(data: DataSet, rng: Rng, n: int) -> Array32:
    """Return `n` random training images [n, 1, 28, 28], binarised to 0 and 1 at half of the brightness."""
    chosen = rng.choice(len(data.train), n)
    return (data.train.images[chosen] > 127).astype(np.float32)[:, None]
