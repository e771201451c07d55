"""A short training of our small U-Net by a student's diffusion process, judged on held-out images.

The student's functions provide the schedule, the times, the noise and the loss of the training. Only the network's
weights leave it. The host adds noise to held-out images by its own schedule, a guest without student code runs the
network with these weights to predict the noise, and the host computes the loss. So no number of the student's enters,
and weights from another source are judged just as well. Predicting zero costs 0.41, the mean Huber loss of normal
noise.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gengrade.data import DataSet
from gengrade.grading import CheckKind, Evidence, Record, Rng, Show, Subject, check, expect, probes
from graders.ddpm.diffusion import Schedule, huber

# A fifth of the hand-out's steps, with β five times as large: as much noise at the end.
SCHEDULE: Final = (5e-4, 0.1, 200)
BUDGET: Final[dict[str, Any]] = {"steps": 400, "batch": 32, "rate": 4e-3, "width": 16}
TRAINING = 10_000  # most training images
HELD_OUT = 500
SAMPLES, STRIPS = 16, 4
MOMENTS = (0, 60, 100, 130, 150, 165, 180, 190, 199)  # steps of the sampling loop that the report shows


@check("ddpm.held_out_loss", kind=CheckKind.TRAIN)
def test_short_training(
    student: Subject, reference: Subject, data: DataSet, rng: Rng, record: Record, show: Show
) -> None:
    """The loss on held-out images after a short training of a small U-Net by your schedule, times and loss."""
    chosen = rng.choice(len(data.train), min(TRAINING, len(data.train)))
    images = data.train.images[chosen][:, None]
    trained = student.run(probes.ddpm.training.train, images=images, schedule=list(SCHEDULE), budget=BUDGET)
    _show_losses(trained, show)
    weights = trained.state("weights")
    expect(
        all(bool(np.isfinite(values).all()) for values in weights.values()),
        "after the short training with your loss, the network's weights are not finite",
    )
    _show_samples(student, weights, show)
    record("ddpm.held_out_loss", held_out_loss(reference, weights, data, rng))


def held_out_loss(reference: Subject, weights: Any, data: DataSet, rng: Rng) -> float:
    """Return the mean Huber loss of the network with these weights, on held-out images at evenly spread times."""
    pixels = data.test.images[rng.choice(len(data.test), min(HELD_OUT, len(data.test)))][:, None]
    images = pixels / 127.5 - 1
    schedule, count = Schedule.linear(*SCHEDULE), SCHEDULE[2]
    t, noise = np.arange(len(images)) % count, rng.normal(*images.shape)
    noisy = schedule.noised(images, t, noise).astype(np.float32)
    setting = {"weights": weights, "noisy": noisy, "t": t, "width": BUDGET["width"]}
    predicted = reference.on_theirs(probes.ddpm.training.predict, **setting).tensor(shape=noisy.shape)
    return huber(np.clip(predicted, -1e6, 1e6) - noise)


def _show_losses(trained: Evidence, show: Show, window: int = 20) -> None:
    losses = trained.tensor("losses", shape=(BUDGET["steps"],), finite=False)
    means = losses.reshape(-1, window).mean(axis=1)
    steps = [window * (index + 0.5) for index in range(len(means))]
    show.curves(
        "The loss that your p_losses returned in our short training",
        {"loss": (steps, [float(mean) for mean in means])},
        xlabel="step",
        ylabel="loss",
        alt="the loss of the short training, step by step",
    )


def _show_samples(student: Subject, weights: Any, show: Show) -> None:
    """Show samples by the student's own loop with the trained network; they do not count for points."""
    setting: dict[str, Any] = {"schedule": list(SCHEDULE), "width": BUDGET["width"], "kept": list(MOMENTS)}
    got = student.run(probes.ddpm.training.generate, weights=weights, shape=[SAMPLES, 1, 28, 28], **setting)
    if got.is_none() or got.shape() != (len(MOMENTS), SAMPLES, 1, 28, 28):
        return
    images = (got.tensor(finite=False)[:, :, 0] + 1) / 2
    show.images("Samples after the short training", images[-1], columns=8, alt="16 samples by your own p_sample_loop")
    show.images(
        "From noise to an image: the same samples after more and more steps",
        images[:, :STRIPS].swapaxes(0, 1).reshape(-1, 28, 28),
        columns=len(MOMENTS),
        alt=f"{STRIPS} rows of {len(MOMENTS)} images each, from noise on the left to a sample on the right",
    )
