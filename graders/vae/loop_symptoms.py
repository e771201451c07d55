"""Symptoms of a VAE's own loops: losses and gradients are the model's, so they count only as multiples."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import Evidence, UpTo
from gengrade.grading.symptoms import Inputs, Symptoms, symptoms_of
from graders.vae.loop import MOST_PASSES

Array = NDArray[np.float64]

ALIGNED = 0.9999  # the cosine of equal gradients, but for rounding
EXPLAINED = 1e-2  # what a combination may leave of a gradient that it explains
FLAG = 0.0  # the tolerance of what is either so or not
SHARE = 0.05  # of a loss's part in a gradient
RATIO = 0.1  # of an average to the right one: batches of another model have other losses
DIVERGENCE_RATIO = 0.5  # the divergence of an untrained model varies most
SAME = 1e-3  # of a value and the average that it is
COLUMNS = (2, 0, 1)  # where bpd, L_rec and L_reg stand among the losses that the model returned


@symptoms_of("vae.loop:train")
def train(inputs: Inputs, got: Evidence) -> Symptoms:
    """What went through the model, which gradients the steps followed, what came of them, and the averages."""
    steps = got.list("steps")
    idle = all(_is_zero(step) for step in steps)
    return {
        **_passes(inputs, got),
        "steps": (len(steps), FLAG),
        "directions": (np.array([_direction(step) for step in steps]), SHARE),
        "parameters moved": (got.integer("trained") > 0, FLAG),
        "parameters unmoved": (bool(got.text("unmoved")), FLAG),
        "gradients arrived": (got.flag("arrived"), FLAG),
        "gradients left over": (idle and got.flag("gradients_left"), FLAG),
        **_averages(got),
    }


@symptoms_of("vae.loop:test")
def test(inputs: Inputs, got: Evidence) -> Symptoms:
    """What went through the model, whether it was trained, and the averages."""
    return {**_passes(inputs, got), "parameters moved": (got.integer("trained") > 0, FLAG), **_averages(got)}


def _passes(inputs: Inputs, got: Evidence) -> Symptoms:
    """The sizes of the batches that went through the model, which of the loader's they were, and in which modes."""
    images, size = inputs["images"], int(inputs["batch_size"])
    densities = np.array([images[start : start + size].mean() for start in range(0, len(images), size)])
    ink = np.array([batch.number() for batch in got.list("ink")])
    return {
        "sizes": (np.array([batch.integer() for batch in got.list("sizes")]), FLAG),
        "batches": (np.abs(ink[:, None] - densities).argmin(axis=1), FLAG),
        "different images": (got.integer("different"), FLAG),
        "training": (np.array([mode.flag() for mode in got.list("training")]), FLAG),
        "tracking": (np.array([mode.flag() for mode in got.list("tracking")]), FLAG),
    }


def _is_zero(step: Evidence) -> bool:
    return step.number("own") == 0 and step.number("before") == 0 and step.number("all") == 0


def _direction(step: Evidence) -> tuple[float, ...]:
    """The shares of L_rec and L_reg when the batch's own gradients explain the step; whether earlier ones do."""
    own, before, total = (_aligned(step.number(name)) for name in ("own", "before", "all"))
    if step.is_none("parts"):
        return own, own, before, total
    rec, reg = step.tensor("parts", shape=(2,))
    if step.number("left") > EXPLAINED:
        rec = reg = 0.0
    largest = max(abs(rec), abs(reg), 1e-30)
    return rec / largest, reg / largest, before, total


def _aligned(cosine: float) -> float:
    return float(np.sign(cosine)) if abs(cosine) > ALIGNED else 0.0


def _averages(got: Evidence) -> Symptoms:
    """How many values there are; and of the first three, of which loss's average each is which multiple.

    An average over batches, and one over images, are both right.
    """
    if got.is_none("averages"):
        return {}
    values = np.array([value.number() for value in got.list("averages")])
    losses, sizes = got.tensor("losses", shape=(UpTo(MOST_PASSES), 3)), [size.integer() for size in got.list("sizes")]
    symptoms = {"averages": (float(len(values)), FLAG)}
    if len(values) < 3 or len(losses) != len(sizes) or min(sizes, default=0) <= 0 or not np.isfinite(losses).all():
        return symptoms
    over_images = np.average(losses, axis=0, weights=sizes)[[*COLUMNS]]
    over_batches = losses.mean(axis=0)[[*COLUMNS]]
    which = [*_assignment(values[:3], over_images)]
    ratios = values[:3] / np.where(over_images[which] == 0, 1e-30, over_images[which])
    ratios[np.isclose(values[:3], over_batches[which], rtol=SAME, atol=0)] = 1.0
    for place, index, ratio in zip(("first", "second", "third"), which, ratios, strict=True):
        tolerance = DIVERGENCE_RATIO if index == 2 else RATIO
        symptoms[f"{place} average is of"] = (float(index), FLAG)
        symptoms[f"{place} average is times"] = (float(ratio), tolerance * max(1.0, abs(float(ratio))))
    return symptoms


def _assignment(values: Array, right: Array) -> tuple[int, ...]:
    """Which of the right averages each value is nearest to, up to a factor that all three share."""
    logs = np.log(np.maximum(np.abs(values), 1e-12))
    rights = np.log(np.maximum(np.abs(right), 1e-12))

    def unevenness(which: tuple[int, ...]) -> float:
        factors = logs - rights[[*which]]
        # In their own order when that fits about as well.
        return float(np.ptp(factors)) + (0.0 if which == (0, 1, 2) else 1.0)

    return min(product(range(3), repeat=3), key=unevenness)
