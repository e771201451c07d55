"""How good samples are, from the features of a classifier: nearness to the data, diversity and novelty.

Everything here is computed in float64 from arrays that the host holds: no number comes from whom it judges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gengrade.data import DataSet
from graders.common.distances import squared_distances

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

NEIGHBOURS = 10  # of a real image, whose distance makes its neighbourhood in `coverage`
COPY_SHARE = 0.25  # of the distance that new real images have to the nearest training image: nearer ones are copies
HELD_OUT = 100  # real images that tell how far new ones usually are
_CHUNK = 5000  # training images that are compared at a time
_STEPS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]  # pixels by which a copy may be moved


def frechet(first: Array, second: Array) -> float:
    """The Fréchet distance of the Gaussians fitted to features [N, d] and [M, d]; Heusel et al. 2017, equation 6.

    ‖m₁ − m₂‖² + tr(C₁ + C₂ − 2 (C₁ C₂)^½); the last trace is the sum of the square roots of the eigenvalues of
    C₁^½ C₂ C₁^½, which is symmetric, so that singular covariances (of collapsed samples) do no harm.
    """
    difference = first.mean(axis=0) - second.mean(axis=0)
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values, vectors = np.linalg.eigh(c1)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ c2 @ root), 0, None)).sum()
    return max(0.0, float(difference @ difference + np.trace(c1) + np.trace(c2) - 2 * cross))


def progress(distance: float, untrained: float, reached: float) -> float:
    """How far a distance has come from `untrained` (0) towards `reached` (1), on a logarithmic scale.

    Each halving of the distance counts the same. Above 1 when it came farther; never below 0.
    """
    if untrained <= 0:
        return 0.0
    smallest = 1e-6 * untrained
    way = np.log(untrained / max(reached, smallest))
    return max(0.0, float(np.log(untrained / max(distance, smallest)) / way)) if way > 0 else 0.0


def coverage(real: Array, fake: Array, neighbours: int = NEIGHBOURS) -> float:
    """The share of real features [N, d] near a generated one [M, d]; Naeem et al. 2020, section 3.2.

    The neighbourhood of a real image reaches to its k-th nearest real neighbour. 0 for samples that resemble nothing,
    at most 1/10 or so for those of one digit; for as many samples as real images, of the same distribution, 1 − 2⁻ᵏ
    is expected.
    """
    among = squared_distances(real, real)
    radius = np.partition(among, neighbours, axis=1)[:, neighbours]  # the nearest is the image itself
    return float(np.mean(squared_distances(real, fake).min(axis=1) <= radius))


def copied(samples: Pixels, data: DataSet) -> float:
    """The share of samples uint8 [N, 28, 28] that copy an image of the data set, moved by a pixel or not.

    A sample is a copy when it is far nearer to such an image than held-out real images usually are to training images.
    """
    held_out = data.test.images[:HELD_OUT]
    usual = float(np.median(nearest_distances(held_out, data.train.images)))
    known = (data.train, data.validation, data.test)
    nearest = np.min([nearest_distances(samples, split.images) for split in known], axis=0)
    return float(np.mean(nearest < COPY_SHARE * usual))


def nearest_distances(images: Pixels, among: Pixels) -> Array:
    """The Euclidean distance of each image to the nearest one `among`, with pixels scaled to [0, 1].

    The least of nine: as it is, and moved by one pixel in each direction.
    """
    rows = _flat(np.concatenate([np.roll(images, step, axis=(1, 2)) for step in _STEPS]))
    nearest = np.full(len(rows), np.inf)
    for start in range(0, len(among), _CHUNK):
        squares = squared_distances(rows, _flat(among[start : start + _CHUNK]))
        nearest = np.minimum(nearest, squares.min(axis=1))
    distances: Array = np.sqrt(nearest.reshape(len(_STEPS), -1).min(axis=0))
    return distances


def _flat(images: Pixels) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
