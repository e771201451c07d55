"""Measures what a student's GAN learns in a short training, compared with the reference in the same training.

Our loop trains the student's networks with the student's losses; one core needs about 12 s. Only the generator's
weights leave that process: a new guest that saw no image decodes latents that the host drew, and the host measures the
images. The scale is set by the reference's generator before and after the same training, so it is the same for a whole
class.

- `gan.frechet`: how far the Fréchet distance to the data has fallen on a logarithmic scale, from the untrained
  generator (0) to what the reference reaches (1). Every halving of the distance counts the same, so the scale of the
  features does not matter.
- `gan.diversity`: the coverage of Naeem et al. (2020), the share of real images with a generated one in their
  neighbourhood. A generator of a single digit, or of no digit at all, covers almost nothing.

A generator that returns images of the data set fails: these numbers could not measure what it has learned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengrade.arrays import Array, Array32, Pixels
from gengrade.data import DataSet
from gengrade.grading import CheckKind, Evidence, Record, Rng, Show, Subject, check, probes
from graders.common.quality import coverage
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

# The hand-out's sizes, with a smaller batch and a larger learning rate than the hand-out's, to learn within seconds.
SIZES: dict[str, Any] = {
    "hidden_dims_gen": [128, 256, 512],
    "hidden_dims_disc": [512, 256],
    "dp_rate_gen": 0.1,
    "dp_rate_disc": 0.3,
    "z_dim": 32,
}
BUDGET: dict[str, Any] = {"steps": 1200, "batch_size": 32, "rate": 1e-3, "sizes": SIZES}
REAL = 2_000  # most real images with which samples are compared
SAMPLES = 1_000
COPIES = near_by_chance("gan.frechet")
STRIPS, STEPS = 4, 5
NETWORKS = ("generator", "discriminator")


@check("gan.frechet", "gan.diversity", kind=CheckKind.TRAIN)
def test_short_training(
    student: Subject, reference: Subject, data: DataSet, rng: Rng, record: Record, show: Show
) -> None:
    """After a short training, the generator's samples resemble the data and are as diverse as they are.

    Heusel et al. 2017 (Fréchet distance) and Naeem et al. 2020 (coverage), in the features of a small classifier.
    """
    chosen = rng.choice(len(data.train), min(TRAINING, len(data.train)))
    images = data.train.images[chosen][:, None]
    z = np.concatenate([rng.normal(SAMPLES, SIZES["z_dim"]), _lines(rng)])

    trained = student.run(probes.gan.train, images=images, **BUDGET)

    def decode(places: NDArray[np.intp]) -> Pixels:
        return _decode(student, trained, "trained", z[places])

    stages = {name: _decode(student, trained, name, z) for name in ("untrained", "halfway")}
    stages["trained"] = decoded(decode, len(z), rng)
    samples = stages["trained"][:SAMPLES]
    _show(show, stages, trained)
    _show_checkpoint(show, student, z[:64])
    refuse_copies(samples, data, COPIES, rng)
    refuse_company(stages["trained"], decode, rng)

    ours = reference.once(probes.gan.train, images=first(data)[0], **BUDGET)
    reader = Reader.trained(reference, data)
    real, fake = reader.features(images[:REAL]), reader.features(samples)
    known = (_decode(reference, ours, name, z)[:SAMPLES] for name in ("untrained", "trained"))
    record("gan.frechet", reader.progress(fake, real, known))
    record("gan.diversity", coverage(real[:SAMPLES], fake))


def _decode(subject: Subject, trained: Evidence, stage: str, z: Array32) -> Pixels:
    """Decode latents [N, z_dim] with the weights of a stage in a new guest; return pixels uint8 [N, 28, 28]."""
    decoded = subject.run(probes.gan.decode, weights=trained.state(stage), z=z, sizes=SIZES)
    return as_pixels(decoded.tensor(shape=(len(z), 28 * 28)))


def _lines(rng: Rng) -> Array32:
    """Return latents on straight lines between random pairs, strip by strip: [STRIPS · (STEPS + 2), z_dim]."""
    start, end = (rng.normal(STRIPS, 1, SIZES["z_dim"]) for _ in range(2))
    weight = np.linspace(0, 1, STEPS + 2, dtype=np.float32)[None, :, None]
    return ((1 - weight) * start + weight * end).reshape(-1, SIZES["z_dim"])


def _show(show: Show, stages: dict[str, Pixels], trained: Evidence) -> None:
    show.images(
        "Samples after the short training",
        stages["trained"][:64] / 255,
        alt="an 8 by 8 grid of images that the generator made",
    )
    rows = np.concatenate([pixels[:12] for pixels in stages.values()])
    show.images(
        "Twelve latents before the training (first row), halfway, and after it",
        rows / 255,
        columns=12,
        alt="three rows of the images of the same twelve latents, at three stages of the training",
    )
    show.images(
        "Straight lines between two latents, with 5 steps between the ends",
        stages["trained"][SAMPLES:] / 255,
        columns=STEPS + 2,
        alt=f"{STRIPS} rows of {STEPS + 2} images, each from one sample to another",
    )
    length = (BUDGET["steps"],)
    losses = {name: trained.tensor(f"{name}_losses", shape=length, finite=False) for name in NETWORKS}
    curves = {name: _smooth(values) for name, values in losses.items()}
    show.curves("Losses of the short training", curves, xlabel="step", ylabel="loss", alt="the losses of both networks")


def _smooth(values: Array, window: int = 20) -> tuple[list[float], list[float]]:
    """Average values over windows of steps; return the windows' middle steps and the means."""
    means = values[: len(values) // window * window].reshape(-1, window).mean(axis=1)
    return [window * (index + 0.5) for index in range(len(means))], [float(mean) for mean in means]


def _show_checkpoint(show: Show, student: Subject, z: Array32) -> None:
    """Show samples of the weights that were handed in, if they fit the student's generator; they earn no points."""
    result = student.run(probes.gan.checkpoint, z=z, sizes=SIZES)
    if "images" not in result:
        return
    pixels = result.tensor("images", shape=(len(z), 28 * 28)).reshape(-1, 28, 28)
    show.images(
        f"Samples of the weights that you handed in, {result.text('file')[:60]}",
        (pixels + 1) / 2,
        alt="an 8 by 8 grid of images of the submitted weights",
    )
