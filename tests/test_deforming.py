"""Deformed images are new images of the same kind."""

from __future__ import annotations

import numpy as np
import pytest

from gengrade.data import load
from gengrade.grading import Rng
from graders.common.deforming import deformed
from graders.common.quality import nearest_distances


@pytest.fixture
def rng() -> Rng:
    return Rng(3)


def test_deformed_images_are_near_to_their_originals_and_none_of_them(rng: Rng) -> None:
    images = load("digits").test.images[:100]
    moved = deformed(images, rng)
    assert moved.shape == images.shape
    assert moved.dtype == np.uint8
    away = nearest_distances(moved, images)
    assert float(np.median(away)) > 1
    own = np.sqrt(np.square(moved / 255 - images / 255).sum(axis=(1, 2)))
    other = np.sqrt(np.square(moved / 255 - np.roll(images, 1, axis=0) / 255).sum(axis=(1, 2)))
    assert float(np.mean(own < other)) > 0.9


def test_each_image_moves_in_its_own_way_about_its_middle(rng: Rng) -> None:
    cross = np.zeros((50, 29, 29), np.uint8)
    cross[:, 14, 4:25] = cross[:, 4:25, 14] = 255
    moved = deformed(cross, rng)
    assert (moved[:, 14, 14] == 255).all()
    assert len({image.tobytes() for image in moved}) == 50
