"""Helpers for judging trained generators: conversion to pixels, a classifier's features, and the refusal of copies."""

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

TRAINING: Final = 10_000  # most images of the data set that a short training uses
LOOKED_AT: Final = 100  # samples that are compared with every image of the data set


def near_by_chance(check: str) -> Share:
    """Declares the test of a check that refuses copies: by chance, at most 1 sample in 20 may be near a known image.

    That is far more than any generator that does not copy was seen to give.
    """
    return declare(check, "samples that are near a training image by chance", Share(LOOKED_AT, 0.05))


def refuse_copies(samples: Pixels, data: DataSet, near: Share) -> None:
    """Fails a generator if more of its samples, uint8 [LOOKED_AT, 28, 28], are copies than chance explains (`near`)."""
    share = copied(samples, data)
    if share > near.bounds[1]:
        fail(
            "the generator returns images of the data set instead of new ones",
            expected="samples that are about as far from the known images as new digits are",
            got=f"{share:.0%} of the samples are copies",
        )


def as_pixels(images: Array, lowest: float = -1.0) -> Pixels:
    """Converts images [N, 784], where `lowest` is black and 1 is white, into pixels uint8 [N, 28, 28] in 0 … 255.

    Raises Mismatch if some value exceeds 10⁶.
    """
    low = f"{lowest:g}".replace("-", "−")
    expect(float(np.abs(images).max()) < 1e6, f"the generator's images are far outside [{low}, 1]")
    scaled = (images - lowest) / (1 - lowest)
    return np.clip(np.round(255 * scaled), 0, 255).astype(np.uint8).reshape(-1, 28, 28)


@dataclass(frozen=True, slots=True)
class Reader:
    """A small classifier, trained on images of the data set, in whose features samples and images are compared."""

    reference: Subject
    weights: Mapping[str, NDArray[Any]]

    @classmethod
    def trained(cls, reference: Subject, images: Pixels, labels: NDArray[Any]) -> Reader:
        """Trains a classifier on images with 784 pixels each, uint8 in 0 … 255, and their labels [N]."""
        seen = images.reshape(-1, 1, 28, 28)
        return cls(reference, reference.run(probes.common.classifier.train, images=seen, labels=labels).state())

    def features(self, images: Pixels) -> Array:
        """Returns the features [N, d] of images."""
        return self.read(images)[0]

    def read(self, images: Pixels) -> tuple[Array, Array]:
        """Returns the features [N, d] of images, and the digits [N] that the classifier takes them for."""
        seen = images.reshape(-1, 1, 28, 28)
        got = self.reference.run(probes.common.classifier.features, weights=self.weights, images=seen)
        return got.tensor("features"), got.tensor("classes")
