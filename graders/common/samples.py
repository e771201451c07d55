"""What the trainings of generators have in common: images as pixels, our classifier that reads them, and copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gengrade.data import DataSet
from gengrade.grading import Subject, expect, fail, probes
from graders.common.quality import copied
from graders.common.statistics import Share, declare

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

TRAINING: Final = 10_000  # images that are trained on, at most
LOOKED_AT: Final = 100  # samples that are compared with every image, and held-out images with every training image


def near_by_chance(check: str) -> Share:
    """Samples of an honest generator may come near images now and then: one in twenty, far more than was ever seen."""
    return declare(check, "samples that are near a training image by chance", Share(LOOKED_AT, 0.05))


def refuse_copies(samples: Pixels, data: DataSet, near: Share) -> None:
    """Fails a generator more of whose samples [LOOKED_AT, 28, 28] are images of the data set than chance explains."""
    share = copied(samples, data)
    if share > near.bounds[1]:
        fail(
            "the generator returns images of the data set instead of new ones",
            expected="samples about as far from every known image as new digits are",
            got=f"{share:.0%} of the samples are copies",
        )


def as_pixels(images: Array, lowest: float = -1.0) -> Pixels:
    """Pixels uint8 [N, 28, 28] of images [N, 784], on which `lowest` is black and 1 is white."""
    low = f"{lowest:g}".replace("-", "−")
    expect(float(np.abs(images).max()) < 1e6, f"the generator's images are far outside [{low}, 1]")
    scaled = (images - lowest) / (1 - lowest)
    return np.clip(np.round(255 * scaled), 0, 255).astype(np.uint8).reshape(-1, 28, 28)


@dataclass(frozen=True, slots=True)
class Reader:
    """A small classifier, trained on images of the data set: its features are what samples are compared by."""

    reference: Subject
    weights: Mapping[str, NDArray[Any]]

    @classmethod
    def trained(cls, reference: Subject, images: Pixels, labels: NDArray[Any]) -> Reader:
        """One that has seen those images, of 784 pixels each."""
        seen = images.reshape(-1, 1, 28, 28)
        return cls(reference, reference.run(probes.common.classifier.train, images=seen, labels=labels).state())

    def features(self, images: Pixels) -> Array:
        return self.read(images)[0]

    def read(self, images: Pixels) -> tuple[Array, Array]:
        """Features [N, d] of images, and the digits [N] that they are read as."""
        seen = images.reshape(-1, 1, 28, 28)
        got = self.reference.run(probes.common.classifier.features, weights=self.weights, images=seen)
        return got.tensor("features"), got.tensor("classes")
