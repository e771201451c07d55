"""A short training of our small network on a student's path and loss, judged by its distance from the exact field.

Only the network's weights leave the training. For data from a mixture of Gaussians, the vector field that the loss has
as its minimum is known, so the host computes the mean squared distance of the network from it on fresh points, which a
guest without student code evaluates. That distance is the loss less its irreducible part, E Var[u(x|z) | x, t]: no
number of the student's enters. It is divided by the mean squared length of the exact field, so that a network that
returns 0 has the distance 1.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gengrade.arrays import Array, Array32
from gengrade.grading import CheckKind, Evidence, Record, Rng, Show, Subject, check, expect, probes
from graders.flow_matching.gaussian_paths import Mixture, Powers

MEASURE = "flow_matching.field_distance"
BUDGET: Final[dict[str, Any]] = {"steps": 1_500, "batch": 256, "rate": 1e-2, "width": 64}
DATA = 20_000  # points that the network is trained on
FRESH = 4_000  # points of the marginal at which its field is compared
LATEST = 0.9  # the schedules' derivative has a pole at 1
RADIUS, SPREAD = 2.0, 0.5  # of the modes
SHOWN = (0.25, 0.5, 0.75)  # times of the figures
GRID, REACH = 60, 3.5  # cells and half the width of the figures
WALKS, HOPS = 1_500, 50  # points that are moved along the learned field, and their steps


@check(MEASURE, kind=CheckKind.TRAIN, needs=("flow_matching.flow_loss",))
def test_short_training(student: Subject, reference: Subject, rng: Rng, record: Record, show: Show) -> None:
    """The distance of a network from the exact vector field, after a short training by your path and your loss."""
    mixture = _modes(rng)
    points = mixture.sample(rng, DATA).astype(np.float32)
    trained = student.run(probes.flow_matching.training.train, points=points, budget=BUDGET)
    weights = trained.state("weights")
    expect(
        all(bool(np.isfinite(values).all()) for values in weights.values()),
        "after the short training with your loss, the network's weights are not finite",
    )
    _show_losses(trained, show)
    _show_lengths(reference, weights, mixture, show)
    _show_samples(reference, weights, mixture, rng, show)
    record(MEASURE, distance(reference, weights, mixture, rng))


def distance(reference: Subject, weights: Any, mixture: Mixture, rng: Rng) -> float:
    """Return the mean squared distance of a network from the marginal field, as a share of the field's mean square."""
    t = rng.uniform(0, LATEST, FRESH, 1)
    x = mixture.sample_path(rng, t).astype(np.float32)
    exact = mixture.field(x, t)
    learned = _learned(reference, weights, x, t)
    return float(((np.clip(learned, -1e6, 1e6) - exact) ** 2).mean() / (exact**2).mean())


def _modes(rng: Rng) -> Mixture:
    """Return three modes on a circle, turned by a random angle, with random weights, on the path of the hand-out."""
    angles = 2 * np.pi * (np.arange(3) / 3 + float(rng.uniform(0, 1, 1)[0]))
    weights = rng.uniform(0.6, 1.4, 3).astype(np.float64)
    means = RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Mixture(weights / weights.sum(), means, np.full(3, SPREAD), Powers())


def _learned(reference: Subject, weights: Any, x: Array32, t: Array32) -> Array:
    setting = {"weights": weights, "x": x, "t": t, "width": BUDGET["width"]}
    return reference.on_theirs(probes.flow_matching.training.predict, **setting).tensor(shape=x.shape)


def _show_losses(trained: Evidence, show: Show, window: int = 50) -> None:
    losses = trained.tensor("losses", shape=(BUDGET["steps"],), finite=False)
    means = losses.reshape(-1, window).mean(axis=1)
    steps = [window * (index + 0.5) for index in range(len(means))]
    show.curves(
        "The loss that your get_train_loss returned in our short training",
        {"loss": (steps, [float(mean) for mean in means])},
        xlabel="step",
        ylabel="loss",
        alt="the loss of the short training, step by step",
    )


def _show_lengths(reference: Subject, weights: Any, mixture: Mixture, show: Show) -> None:
    """Show the first coordinate of the learned field beside the exact one."""
    axis = np.linspace(-REACH, REACH, GRID)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2).astype(np.float32)
    pictures = {}
    for time in SHOWN:
        t = np.full((len(x), 1), time, np.float32)
        for name, field in (("learned", _learned(reference, weights, x, t)), ("exact", mixture.field(x, t))):
            pictures[f"{name}, t = {time:g}"] = np.clip(field[:, 0], -6, 6).reshape(GRID, GRID)
    show.densities(
        "The first coordinate of the vector field that a network learned by your loss, and of the exact one",
        pictures,
        extent=(-REACH, REACH, -REACH, REACH),
        alt="Pairs of pictures of a vector field at three times, the learned one beside the exact one",
    )


def _show_samples(reference: Subject, weights: Any, mixture: Mixture, rng: Rng, show: Show) -> None:
    """Show the density of points that are moved along the learned field, beside that of the data."""
    x, h = rng.normal(WALKS, 2), 1 / HOPS
    for hop in range(HOPS):
        t = np.full((WALKS, 1), hop * h, np.float32)
        x = np.clip(x + h * _learned(reference, weights, x, t), -1e3, 1e3).astype(np.float32)
    edges = np.linspace(-REACH, REACH, GRID // 2 + 1)
    pictures = {}
    for name, points in (("along the learned field", x), ("data", mixture.sample(rng, WALKS))):
        pictures[name] = np.histogram2d(points[:, 1], points[:, 0], bins=(edges, edges), density=True)[0]
    show.densities(
        "Points that began as noise and moved along the learned field, and points of the data",
        pictures,
        extent=(-REACH, REACH, -REACH, REACH),
        alt="Two densities with three modes each",
    )
