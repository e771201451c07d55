"""A short training of a GAN by the student's own loop, compared with the reference before and after the same training.

Only the generator's weights leave the training. A fresh guest that never saw an image decodes latents that the host
drew, and the host measures the resulting images. `gan2018.frechet` says how far the Fréchet distance to the data has
come on a logarithmic scale, from that of the untrained reference (0) to that of the trained reference (1). A generator
that returns copies of training images is refused, since its distance would say nothing about learning.
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
from graders.gan2018.sizes import LATENTS
from graders.probing.sizes import PIXELS

BATCH: Final = 32
STEPS: Final = 1000  # approximate number of steps of each network
RATE: Final = 5e-4
REAL: Final = 2_000  # most real images that samples are compared with
SAMPLES: Final = 1_000
COPIES = near_by_chance("gan2018.frechet")


@check("gan2018.frechet", kind=CheckKind.TRAIN)
def test_short_training(
    student: Subject, reference: Subject, data: DataSet, rng: Rng, record: Record, show: Show
) -> None:
    """After a short training by your own loop, samples resemble the data.

    Measured by the Fréchet distance (Heusel et al. 2017) between features of a small classifier.
    """
    chosen = rng.choice(len(data.train), min(TRAINING, len(data.train)))
    images, labels = data.train.images[chosen][:, None], data.train.labels[chosen]
    setting: dict[str, Any] = {"images": images, "labels": labels, "batch_size": BATCH, "rate": RATE}
    setting["epochs"] = max(1, round(STEPS * BATCH / len(images)))
    z = rng.normal(SAMPLES, LATENTS)
    trained = student.run(probes.gan2018.train, **setting)

    def decode(places: NDArray[np.intp]) -> Pixels:
        return _decoded(student, trained, z[places])

    samples = decoded(decode, SAMPLES, rng)
    show.images(
        "Samples after the short training",
        samples[:64] / 255,
        alt="an 8 by 8 grid of generated images",
    )
    refuse_copies(samples, data, COPIES, rng)
    refuse_company(samples, decode, rng)
    known, digits = first(data)
    ours = reference.once(probes.gan2018.train, **{**setting, "images": known, "labels": digits})
    reader = Reader.trained(reference, data)
    real = reader.features(images[:REAL])
    stages = (_decoded(reference, by, z) for by in (None, ours))
    record("gan2018.frechet", reader.progress(reader.features(samples), real, stages))


def _decoded(subject: Subject, trained: Evidence | None, z: Array32) -> Pixels:
    """Return images uint8 [N, 28, 28] that a fresh guest decodes from latents [N, 100].

    `trained` None: untrained weights.
    """
    weights = None if trained is None else trained.state()
    return as_pixels(subject.run(probes.gan2018.decode, weights=weights, z=z).tensor(shape=(len(z), PIXELS)))
