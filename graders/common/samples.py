"""Helpers for judging trained generators: conversion to pixels, a classifier's features, and the refusal of copies.

The host draws the order in which latents are decoded and the samples that are compared with the data set. It asks for
some latents once more in another batch: an image may depend on nothing but its latent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gengrade.arrays import Array, Integers, Pixels
from gengrade.data import DataSet
from gengrade.grading import Rng, Subject, expect, fail, probes
from graders.common.quality import copied, frechet, progress
from graders.common.statistics import Share, declare

Decode = Callable[[NDArray[np.intp]], Pixels]  # the images [n, 28, 28] of latents, given their places [n]

TRAINING: Final = 10_000  # most images of the data set that a short training uses
LOOKED_AT: Final = 200  # samples that are compared with every image of the data set
AGAIN: Final = 250  # latents that are decoded once more
APART: Final = 0.7  # an image has changed if it moved by more than this share of the usual distance of two samples
ODD: Final = 0.5  # share of images that may change: active dropout and batch norms move images by less


def near_by_chance(check: str) -> Share:
    """Declare the test of a check that refuses copies: by chance, at most 1 sample in 50 may be near a known image.

    That is far more than any generator that does not copy was seen to give.
    """
    return declare(check, "samples that are near a training image by chance", Share(LOOKED_AT, 0.02))


def decoded(decode: Decode, n: int, rng: Rng) -> Pixels:
    """Return the images uint8 [n, 28, 28] of n latents, decoded in a random order, which tells a generator nothing."""
    order = rng.choice(n, n)
    images = np.empty((n, 28, 28), dtype=np.uint8)
    images[order] = decode(order)
    return images


def refuse_company(images: Pixels, decode: Decode, rng: Rng) -> None:
    """Fail a generator that gives other images for the same latents in another batch, in another guest."""
    some = rng.choice(len(images), min(AGAIN, len(images)))
    expect_same(images[some], decode(some))


def expect_same(images: Pixels, again: Pixels) -> None:
    """Fail unless most images [n, 28, 28] of the same latents agree between two batches."""
    first, second = (each.reshape(len(each), -1).astype(np.float64) for each in (images, again))
    usual = float(np.median(np.linalg.norm(first - np.roll(first, 1, axis=0), axis=1)))
    away = np.linalg.norm(first - second, axis=1)
    others = int(np.sum(away > APART * max(usual, 28.0)))  # 28: one grey level of 256 in every pixel
    expect(
        others <= ODD * len(first),
        "the image of a latent depends on which others it is decoded with, also in eval mode: forward may use nothing "
        "but the latent itself and the generator's weights",
        got=f"{others} of {len(first)} latents with another image in another batch",
    )


def refuse_copies(samples: Pixels, data: DataSet, near: Share, rng: Rng) -> None:
    """Fail a generator if more of its samples, uint8 [N, 28, 28], are copies than chance explains (`near`).

    LOOKED_AT of the samples are drawn at random and compared.
    """
    share = copied(samples[rng.choice(len(samples), near.draws)], data)
    if share > near.bounds[1]:
        fail(
            "the generator returns images of the data set instead of new ones",
            expected="samples that are about as far from the known images as new digits are",
            got=f"{share:.0%} of the samples are copies",
        )


def as_pixels(images: Array, lowest: float = -1.0) -> Pixels:
    """Convert images [N, 784], where `lowest` is black and 1 is white, into pixels uint8 [N, 28, 28] in 0 … 255.

    Raises Mismatch if some value exceeds 10⁶.
    """
    low = f"{lowest:g}".replace("-", "−")
    expect(float(np.abs(images).max()) < 1e6, f"the generator's images are far outside [{low}, 1]")
    scaled = (images - lowest) / (1 - lowest)
    return np.clip(np.round(255 * scaled), 0, 255).astype(np.uint8).reshape(-1, 28, 28)


def first(data: DataSet) -> tuple[Pixels, Integers]:
    """Return the first images of a data set, uint8 [N, 1, 28, 28], with their labels [N], on which our networks train.

    A data set's order is random, and the same for all classes, so that their results can be kept.
    """
    return data.train.images[:TRAINING][:, None], data.train.labels[:TRAINING]


@dataclass(frozen=True, slots=True)
class Reader:
    """A small classifier, trained on images of the data set, in whose features samples and images are compared."""

    reference: Subject
    weights: Mapping[str, NDArray[Any]]

    @classmethod
    def trained(cls, reference: Subject, data: DataSet) -> Reader:
        """Train a classifier on the first images of a data set, once for all classes."""
        images, labels = first(data)
        return cls(reference, reference.once(probes.common.classifier.train, images=images, labels=labels).state())

    def progress(self, fake: Array, real: Array, ours: Iterable[Pixels]) -> float:
        """Return how far the Fréchet distance of features `fake` [N, d] to features `real` [M, d] has come.

        It is 0 at the first and 1 at the second of our own sets of images, which are an untrained and a trained
        reference's: see `graders.common.quality.progress`.
        """
        untrained, reached = (frechet(self.features(images), real) for images in ours)
        return progress(frechet(fake, real), untrained, reached)

    def features(self, images: Pixels) -> Array:
        """Return the features [N, d] of images."""
        return self.read(images)[0]

    def read(self, images: Pixels) -> tuple[Array, Array]:
        """Return the features [N, d] of images, and the digits [N] that the classifier takes them for."""
        seen = images.reshape(-1, 1, 28, 28)
        got = self.reference.run(probes.common.classifier.features, weights=self.weights, images=seen)
        return got.tensor("features"), got.tensor("classes")
