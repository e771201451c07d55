"""What a GAN learns in a short training by its author's own loop, against the reference before and after the same one.

Only the generator's weights leave the training: a fresh guest that saw no image decodes latents that the host drew, and
the host measures what came out. `adversary.frechet`: how far the Fréchet distance to the data has come on a logarithmic
scale, from the reference's untrained generator (0) to what the reference reaches (1). A generator that returns training
images has learned nothing that this number could measure, and is refused.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gengrade.data import DataSet
from gengrade.grading import Evidence, Record, Rng, Show, Subject, check, expect, fail, probes
from graders.adversary import LATENTS, PIXELS
from graders.quality import copied, frechet, progress
from graders.statistics import Share, declare

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

BATCH: Final = 32
STEPS: Final = 1000  # of each network, about
RATE: Final = 5e-4
TRAINING: Final = 10_000  # images that are trained on, at most
REAL: Final = 2_000  # images whose features samples are compared with, at most
SAMPLES: Final = 1_000
LOOKED_AT: Final = 100  # samples that are compared with every image, and held-out images with every training image
# Samples of an honest generator may come near training images now and then: one in twenty, far more than was ever seen.
COPIES = declare("adversary.frechet", "samples that are near a training image by chance", Share(LOOKED_AT, 0.05))


@check("adversary.frechet", kind="train")
def test_short_training(
    student: Subject, reference: Subject, data: DataSet, rng: Rng, record: Record, show: Show
) -> None:
    """After a short training by your own loop, samples resemble the data.

    Heusel et al. 2017 (Fréchet distance), in the features of a small classifier.
    """
    chosen = rng.choice(len(data.train), min(TRAINING, len(data.train)))
    images, labels = data.train.images[chosen][:, None], data.train.labels[chosen]
    setting: dict[str, Any] = {"images": images, "labels": labels, "batch_size": BATCH, "rate": RATE}
    setting["epochs"] = max(1, round(STEPS * BATCH / len(images)))
    z = rng.normal(SAMPLES, LATENTS)
    samples = _decoded(student, student.run(probes.adversary.train, **setting), z)
    show.images(
        "Samples after the short training",
        samples[:64] / 255,
        alt="an 8 by 8 grid of images that the generator made",
    )
    share = copied(samples[:LOOKED_AT], data)
    if share > COPIES.bounds[1]:
        fail(
            "the generator returns images of the data set instead of new ones",
            expected="samples about as far from every known image as new digits are",
            got=f"{share:.0%} of the samples are copies",
        )
    ours = reference.run(probes.adversary.train, **setting)
    weights = reference.run(probes.classifier.train, images=images, labels=labels).state()

    def features(pixels: Pixels) -> Array:
        pixels = pixels.reshape(-1, 1, 28, 28)
        return reference.run(probes.classifier.features, weights=weights, images=pixels).tensor("features")

    real = features(images[:REAL])
    untrained, reached = (frechet(features(_decoded(reference, by, z)), real) for by in (None, ours))
    record("adversary.frechet", progress(frechet(features(samples), real), untrained, reached))


def _decoded(subject: Subject, trained: Evidence | None, z: NDArray[np.float32]) -> Pixels:
    """The images uint8 [N, 28, 28] of latents [N, 100], by these weights or by none, from a fresh guest."""
    weights = None if trained is None else trained.state()
    pixels = subject.run(probes.adversary.decode, weights=weights, z=z).tensor(shape=(len(z), PIXELS))
    expect(float(np.abs(pixels).max()) < 1e6, "the generator's images are far outside [−1, 1]")
    return np.clip(np.round((pixels + 1) * 127.5), 0, 255).astype(np.uint8).reshape(-1, 28, 28)
