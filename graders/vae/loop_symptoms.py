"""Symptoms of mistakes in a VAE's loops; losses and gradients depend on the model, so they count only as ratios."""

from __future__ import annotations

from itertools import product

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence, UpTo
from gengrade.grading.symptoms import Inputs, Symptoms, symptoms_of
from graders.common.batches import ALIGNED
from graders.vae.sizes import MOST_PASSES

EXPLAINED = 1e-2  # largest relative residual at which a combination of losses explains a gradient
FLAG = 0.0  # tolerance of a symptom that is a matter of yes or no, or a count
SHARE = 0.05  # tolerance on a loss's share in a gradient
RATIO = 0.1  # tolerance on the ratio of an average to the right one: another model has other losses
DIVERGENCE_RATIO = 0.5  # the same for L_reg, which varies most between untrained models
SAME = 1e-3  # relative tolerance at which a value counts as an average
COLUMNS = (2, 0, 1)  # the positions of bpd, L_rec and L_reg among the losses that the model returned


@symptoms_of("vae.loop:train")
def train(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the passes, the gradients that the steps followed, which parameters moved, and the averages."""
    steps = got.list("steps")
    idle = all(_is_zero(step) for step in steps)
    return {
        **_passes(inputs, got, training=True),
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
    """Describe the passes, whether the model was trained, and the averages."""
    passes = _passes(inputs, got, training=False)
    return {**passes, "parameters moved": (got.integer("trained") > 0, FLAG), **_averages(got)}


def _passes(inputs: Inputs, got: Evidence, *, training: bool) -> Symptoms:
    """Describe the batches that reached the model: their sizes, their order in the loader, and the model's mode.

    `training` is the right mode; for a model whose losses do not depend on it, none is wrong.
    """
    images, size = inputs["images"], int(inputs["batch_size"])
    densities = np.array([images[start : start + size].mean() for start in range(0, len(images), size)])
    modal = got.flag("modal")
    ink = np.array([batch.number() for batch in got.list("ink")])
    return {
        "sizes": (np.array([batch.integer() for batch in got.list("sizes")]), FLAG),
        "batches": (np.abs(ink[:, None] - densities).argmin(axis=1), FLAG),
        "different images": (got.integer("different"), FLAG),
        "wrong mode": (np.array([modal and mode.flag() != training for mode in got.list("training")]), FLAG),
        "tracking": (np.array([mode.flag() for mode in got.list("tracking")]), FLAG),
    }


def _is_zero(step: Evidence) -> bool:
    return step.number("own") == 0 and step.number("before") == 0 and step.number("all") == 0


def _direction(step: Evidence) -> tuple[float, ...]:
    """Return the shares of the batch's L_rec and L_reg in a step, and whether earlier batches explain it instead."""
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
    """Describe what the loop returned: how many values, and which multiple of which loss's average each one is.

    An average over batches and one over images are both right.
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
    """Return the index of the right average that each value is nearest to, up to a factor shared by all three."""
    logs = np.log(np.maximum(np.abs(values), 1e-12))
    rights = np.log(np.maximum(np.abs(right), 1e-12))

    def unevenness(which: tuple[int, ...]) -> float:
        factors = logs - rights[[*which]]
        # The usual order is preferred if it fits about as well as another.
        return float(np.ptp(factors)) + (0.0 if which == (0, 1, 2) else 1.0)

    return min(product(range(3), repeat=3), key=unevenness)
