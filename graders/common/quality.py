"""Measures of generated samples: distance to the data, diversity, and the share of copies of known images.

The host computes all of them in float64 from arrays that it holds; no number is taken from the judged code.
"""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array, Array32, Pixels
from gengrade.data import DataSet
from graders.common.distances import squared_distances

NEIGHBOURS = 10  # `coverage`: a real image's neighbourhood reaches to its 10th nearest real neighbour
COPY_SHARE = 0.25  # a sample is a copy if it is nearer than this share of the usual distance of new images
HELD_OUT = 100  # real images that show how far new images usually are from a training image
_CHUNK = 5000  # training images that are compared at a time, to bound memory
_STEPS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]  # shifts in pixels that a copy may have


def frechet(first: Array, second: Array) -> float:
    """Return the squared Fréchet distance of the Gaussians fitted to features [N, d] and [M, d].

    ‖m₁ − m₂‖² + tr(C₁ + C₂ − 2 (C₁ C₂)^½): Heusel et al. 2017, equation 6. The last trace is computed as the sum of
    the square roots of the eigenvalues of C₁^½ C₂ C₁^½, which is symmetric, so it is stable for singular covariances
    (of collapsed samples).
    """
    difference = first.mean(axis=0) - second.mean(axis=0)
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values, vectors = np.linalg.eigh(c1)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ c2 @ root), 0, None)).sum()
    return max(0.0, float(difference @ difference + np.trace(c1) + np.trace(c2) - 2 * cross))


def progress(distance: float, untrained: float, reached: float) -> float:
    """Return how far a distance has fallen from `untrained` (0) towards `reached` (1), on a logarithmic scale.

    log(untrained / distance) / log(untrained / reached): every halving counts the same. The result exceeds 1 if the
    distance is below `reached`, and is never below 0.
    """
    if untrained <= 0:
        return 0.0
    smallest = 1e-6 * untrained
    way = np.log(untrained / max(reached, smallest))
    return max(0.0, float(np.log(untrained / max(distance, smallest)) / way)) if way > 0 else 0.0


def coverage(real: Array, fake: Array, neighbours: int = NEIGHBOURS) -> float:
    """Return the share of real images with a generated one in their neighbourhood (coverage, Naeem et al. 2020).

    A real image's neighbourhood reaches to its k-th nearest real neighbour, in the space of features. Samples that
    resemble no image have a coverage of 0, samples of a single digit at most about 1/10; for equally many real and
    generated images of one distribution, 1 − 2⁻ᵏ is expected.

    Args:
        real, fake: features [N, d] and [M, d].
        neighbours: k.
    """
    among = squared_distances(real, real)
    radius = np.partition(among, neighbours, axis=1)[:, neighbours]  # the nearest is the image itself
    return float(np.mean(squared_distances(real, fake).min(axis=1) <= radius))


def copied(samples: Pixels, data: DataSet) -> float:
    """Return the share of samples, uint8 [N, 28, 28], that copy an image of the data set, possibly shifted by a pixel.

    A sample is a copy if its distance to the nearest known image is less than `COPY_SHARE` of the median distance from
    a held-out image to its nearest training image.
    """
    held_out = data.test.images[:HELD_OUT]
    usual = float(np.median(nearest_distances(held_out, data.train.images)))
    known = (data.train, data.validation, data.test)
    nearest = np.min([nearest_distances(samples, split.images) for split in known], axis=0)
    return float(np.mean(nearest < COPY_SHARE * usual))


def nearest_distances(images: Pixels, among: Pixels) -> Array:
    """Return the Euclidean distance [N] from each image to its nearest one in `among`, with pixels scaled to [0, 1].

    Both are uint8 [N, 28, 28] and [M, 28, 28]. An image counts in the best of nine positions: unchanged, or shifted by
    one pixel in any direction.
    """
    rows = _flat(np.concatenate([np.roll(images, step, axis=(1, 2)) for step in _STEPS]))
    nearest = np.full(len(rows), np.inf)
    for start in range(0, len(among), _CHUNK):
        squares = squared_distances(rows, _flat(among[start : start + _CHUNK]))
        nearest = np.minimum(nearest, squares.min(axis=1))
    distances: Array = np.sqrt(nearest.reshape(len(_STEPS), -1).min(axis=0))
    return distances


def _flat(images: Pixels) -> Array32:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
