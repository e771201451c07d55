"""A short training of a student's Gaussian VAE by our loop, and the negative ELBO on held-out images that it reaches.

Nothing that the student's code says about its quality counts. A fresh process encodes held-out images into mean and
logvar, each image a little turned, scaled and sheared at random, so that a submission cannot contain them. The host
draws z. Another fresh process, which gets weights and z but never an image, decodes. The host computes ½‖x − mean‖² and
the divergence; their sum is the negative ELBO in nats, without the constant ½·log 2π of each pixel. It is a valid bound
whatever the processes answer.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gengrade.arrays import Array, Pixels
from gengrade.data import DataSet
from gengrade.grading import CheckKind, Evidence, Record, Rng, Show, Subject, check, expect, probes
from graders.common.deforming import unseen
from graders.gaussian_vae.linear_gaussian import divergence

SETTINGS: Final = {"z_dim": 16, "features": 8}
BUDGET: Final[dict[str, Any]] = {"steps": 600, "batch": 32, "rate": 3e-3}
TRAINING = 10_000  # most training images
HELD_OUT = 500
LIMIT = 60.0  # largest absolute log-variance: the exponentials of larger ones overflow or vanish
WALKS, STEPS = 4, 10


@check("gaussian_vae.held_out_bound", kind=CheckKind.TRAIN)
def test_short_training(student: Subject, data: DataSet, rng: Rng, record: Record, show: Show) -> None:
    """The negative ELBO on held-out images after a short training, in nats per image, without its constant."""
    images = _padded(data.train.images[rng.choice(len(data.train), min(TRAINING, len(data.train)))])
    held_out = _padded(unseen(data.test, HELD_OUT, rng).images)
    trained = student.run(probes.gaussian_vae.training.train, images=images, settings=SETTINGS, budget=BUDGET)
    weights = trained.state("weights")
    bound, means = _bound(student, weights, held_out, rng)
    _show(student, trained, held_out, means, rng, show)
    expect(np.isfinite(bound), "after the training, the ELBO on held-out images is not finite", got=f"{bound}")
    record("gaussian_vae.held_out_bound", bound)


def _bound(student: Subject, weights: Any, images: Pixels, rng: Rng) -> tuple[float, Array]:
    """Return the negative ELBO of images, with one draw of z each, and the images that these draws are decoded to."""
    code = student.run(probes.gaussian_vae.training.encode, weights=weights, images=images, settings=SETTINGS)
    shape = (len(images), SETTINGS["z_dim"])
    mean, logvar = (code.tensor(name, shape=shape) for name in ("mean", "logvar"))
    expect(
        float(np.abs(logvar).max()) < LIMIT, "after the training, the encoder's variances are extremely large or small"
    )
    z = (mean + np.exp(0.5 * logvar) * rng.normal(*shape)).astype(np.float32)
    decoded = student.run(probes.gaussian_vae.training.decode, weights=weights, z=z, settings=SETTINGS)
    means = decoded.tensor(shape=images.shape)
    misfit = 0.5 * ((images / 127.5 - 1 - np.clip(means, -1e6, 1e6)) ** 2).sum(axis=(1, 2, 3))
    return float((misfit + divergence(mean, logvar)).mean()), means


def _show(student: Subject, trained: Evidence, images: Pixels, means: Any, rng: Rng, show: Show) -> None:
    """Show reconstructions, samples and interpolations made by the student's own functions."""
    pairs = np.concatenate([images[:12, 0] / 255, (means[:12, 0] + 1) / 2])
    show.images(
        "Held-out images (first row) and their reconstructions after the short training (second row)",
        pairs,
        columns=12,
        alt="twelve images and, below each, its reconstruction",
    )
    ends = rng.normal(WALKS, 2, SETTINGS["z_dim"])
    setting: dict[str, Any] = {"weights": trained.state("weights"), "settings": SETTINGS}
    drawn = student.run(probes.gaussian_vae.training.pictures, ends=ends, n=STEPS, **setting)
    if not drawn.is_none("samples") and drawn["samples"].shape() == (32, 1, 32, 32):
        samples = drawn["samples"].tensor(finite=False)[:, 0]
        show.images("Samples after the short training", (samples + 1) / 2, alt="32 samples by your own sample")
    walks = [walk.tensor(finite=False) for walk in drawn.list("walks") if walk.shape() == (STEPS, 1, 32, 32)]
    if walks:
        show.images(
            "Interpolations between two latents, by your own interpolate",
            (np.concatenate(walks)[:, 0] + 1) / 2,
            columns=STEPS,
            alt=f"{len(walks)} rows of {STEPS} images, each from one sample to another",
        )


def _padded(images: Pixels) -> Pixels:
    """Return images [N, 28, 28] with a black border, as [N, 1, 32, 32]: the hand-out's layers need this size."""
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))[:, None]
