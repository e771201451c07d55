"""Deformed copies of known images (each slightly rotated, scaled and sheared), which no submission can have stored."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import affine_transform

from gengrade.arrays import Pixels
from gengrade.data import Split
from gengrade.grading import Rng

TURN: Final = np.deg2rad(10)  # largest rotation in either direction, in radians
SCALE: Final = 0.07  # largest change of log(scale) in either direction
SHEAR: Final = 0.1  # largest horizontal shear in either direction, in pixels per pixel


def unseen(known: Split, most: int, rng: Rng) -> Split:
    """Return deformed copies of the first `most` images of a split, with their labels."""
    return Split(deformed(known.images[:most], rng), known.labels[:most])


def deformed(images: Pixels, rng: Rng) -> Pixels:
    """Return grey images uint8 [N, H, W], each transformed by its own random affine map about its centre."""
    moved = np.empty_like(images)
    middle = (np.array(images.shape[1:]) - 1) / 2
    turns, scales, shears = (rng.uniform(-most, most, len(images)) for most in (TURN, SCALE, SHEAR))
    for index, (image, turn, scale, shear) in enumerate(zip(images, turns, scales, shears, strict=True)):
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = np.exp(scale) * rotation @ np.array([[1.0, shear], [0.0, 1.0]])
        offset = middle - matrix @ middle
        moved[index] = np.round(affine_transform(image.astype(np.float32), matrix, offset, order=1))
    return moved
