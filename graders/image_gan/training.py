"""Measures what a student's fully connected GAN learns in a short training, compared with the reference in the same.

Our loop trains the student's networks with the student's losses and optimiser. Only the generator's weights leave that
process: a new guest that saw no image decodes noise that the host drew, and the host measures the images.
`image_gan.frechet` says how far the Fréchet distance to the data has come on a logarithmic scale, from that of the
untrained reference (0) to that of the trained reference (1). A generator that returns images of the data set fails,
since its distance would say nothing about learning.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gengrade.arrays import Array32, Pixels
from gengrade.data import DataSet
from gengrade.grading import CheckKind, Evidence, Record, Rng, Show, Subject, check, probes
from graders.common.samples import (
    TRAINING,
    Reader,
    as_pixels,
    decoded,
    first,
    near_by_chance,
    refuse_company,
    refuse_copies,
)
from graders.probing.sizes import PIXELS

LATENTS: Final = 96  # the hand-outs' number
BUDGET: Final[dict[str, Any]] = {"steps": 600, "batch_size": 64, "noise_dim": LATENTS}
REAL: Final = 2_000  # most real images that samples are compared with
SAMPLES: Final = 1_000
COPIES = near_by_chance("image_gan.frechet")


@check("image_gan.frechet", kind=CheckKind.TRAIN)
def test_short_training(
    student: Subject, reference: Subject, data: DataSet, rng: Rng, record: Record, show: Show
) -> None:
    """After a short training with your networks, losses and optimiser, samples resemble the data.

    Measured by the Fréchet distance (Heusel et al. 2017) between features of a small classifier.
    """
    chosen = rng.choice(len(data.train), min(TRAINING, len(data.train)))
    images = data.train.images[chosen]
    setting = {"images": images.reshape(-1, PIXELS), **BUDGET}
    z = rng.uniform(-1, 1, SAMPLES, LATENTS)
    trained = student.run(probes.image_gan.train, **setting)

    def decode(places: NDArray[np.intp]) -> Pixels:
        return _decoded(student, trained, z[places])

    samples = decoded(decode, SAMPLES, rng)
    show.images(
        "Samples after the short training", samples[:64] / 255, alt="an 8 by 8 grid of images that the generator made"
    )
    _show_losses(show, trained)
    refuse_copies(samples, data, COPIES, rng)
    refuse_company(samples, decode, rng)
    ours = reference.once(probes.image_gan.train, **{**setting, "images": first(data)[0].reshape(-1, PIXELS)})
    reader = Reader.trained(reference, data)
    real = reader.features(images[:REAL])
    stages = (_decoded(reference, by, z) for by in (None, ours))
    record("image_gan.frechet", reader.progress(reader.features(samples), real, stages))


def _decoded(subject: Subject, trained: Evidence | None, z: Array32) -> Pixels:
    """Return the images uint8 [N, 28, 28] that a new guest decodes from noise z.

    `trained` None: those of a new generator.
    """
    weights = None if trained is None else trained.state("trained")
    return as_pixels(subject.run(probes.image_gan.decode, weights=weights, z=z).tensor(shape=(len(z), PIXELS)))


def _show_losses(show: Show, trained: Evidence) -> None:
    names = {"generator": "generator_losses", "discriminator": "discriminator_losses"}
    losses = {name: trained.tensor(key, shape=(BUDGET["steps"],), finite=False) for name, key in names.items()}
    steps = [float(index + 1) for index in range(BUDGET["steps"])]
    curves = {name: (steps, values.tolist()) for name, values in losses.items()}
    show.curves("Losses of the short training", curves, xlabel="step", ylabel="loss", alt="the losses of both networks")
