"""What trainings of generators have in common: images as pixels, our classifier that reads them, and what is refused.

Images are decoded in an order that the host draws, copies are looked for among any of them, and some latents are asked
about once more in other company: what comes out may depend on nothing but the latent itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gengrade.data import DataSet
from gengrade.grading import Rng, Subject, expect, fail, probes
from graders.common.quality import copied
from graders.common.statistics import Share, declare

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Decode = Callable[[NDArray[np.intp]], Pixels]  # the images [n, 28, 28] of latents, given their places [n]

TRAINING: Final = 10_000  # images that are trained on, at most
LOOKED_AT: Final = 200  # samples that are compared with every image
AGAIN: Final = 250  # latents that are asked about once more
APART: Final = 0.7  # of how far two samples are usually apart: nearly all other images are farther
ODD: Final = 0.5  # of the images may be others: dropout that does not rest, or norms of a batch, move them by less


def near_by_chance(check: str) -> Share:
    """Samples of an honest generator may come near images now and then: one in fifty, far more than was ever seen."""
    return declare(check, "samples that are near a training image by chance", Share(LOOKED_AT, 0.02))


def decoded(decode: Decode, n: int, rng: Rng) -> Pixels:
    """The images of n latents, in an order drawn at random: which of them comes where tells a generator nothing."""
    order = rng.choice(n, n)
    images = np.empty((n, 28, 28), dtype=np.uint8)
    images[order] = decode(order)
    return images


def refuse_company(images: Pixels, decode: Decode, rng: Rng) -> None:
    """Fails a generator that gives other images of some of the same latents in another batch, in another guest."""
    some = rng.choice(len(images), min(AGAIN, len(images)))
    expect_same(images[some], decode(some))


def expect_same(images: Pixels, again: Pixels) -> None:
    """The images [n, 28, 28] of the same latents, in a batch with others and alone."""
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
    """Fails a generator more of whose samples [N, 28, 28] are images of the data set than chance explains.

    LOOKED_AT of them are compared, any ones.
    """
    share = copied(samples[rng.choice(len(samples), near.draws)], data)
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
