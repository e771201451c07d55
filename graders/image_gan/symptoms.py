"""Symptoms of mistakes in a GAN with prescribed networks, which depend neither on chance nor on the form of scores.

All other evidence follows from the probes' inputs alone, and is compared directly.
"""

from __future__ import annotations

import numpy as np

from gengrade.grading import Evidence
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.shares import share_of
from graders.image_gan.adam import ADAM

SAME = 1e-3  # two numbers nearer than this count as equal
POINTS = np.array([-1.5, -1.0, -0.75, -0.5, -0.25, -0.02, 0.02, 0.25, 0.5, 0.75, 1.0, 1.5])
USUAL = 4 * 0.5 * np.sqrt(2)  # four standard deviations of a difference of two shares, at most, for one draw


@symptoms_of("image_gan:noise")
def noise(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how the noise is distributed, and which rows, columns and calls share it."""
    first, second = (got.tensor(name, finite=False) for name in ("first", "second"))
    found: Numbers = {"shape": (np.array(first.shape, dtype=np.float64), 0.0)}
    if first.ndim != 2 or first.shape != second.shape or not first.size:
        return found
    shared = [share_of(np.abs(np.diff(first, axis=axis)) < SAME) for axis in (0, 1)]
    found["shared by rows, columns and calls"] = (np.array([*shared, share_of(np.abs(first - second) < SAME)]), 0.1)
    independent = first.size if max(shared) < 0.5 else min(first.shape)
    shares = np.array([share_of(first < point) for point in POINTS])
    return found | {"shares below points": (shares, USUAL / np.sqrt(independent))}


@symptoms_of("image_gan:loss")
def loss(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the loss and its gradients, for scores [N, 1], or for scores [N] if it can be computed for these only."""
    form = got["column" if "column" in got else "flat"]
    found: Numbers = {
        "loss": (form.tensor("loss", finite=False).reshape(-1), SAME),
        "attached": (float(form.flag("attached")), 0.0),
    }
    if not form.flag("attached"):
        return found
    return found | {name: (form.tensor(name, finite=False), 1e-5) for name in ("real", "fake")}


@symptoms_of("image_gan:batches")
def batches(inputs: Inputs, got: Evidence) -> Symptoms:
    """For which of two sizes of a batch the network works."""
    return {"works": (np.array([float(not got.text(name)) for name in ("usual", "other")]), 0.0)}


@symptoms_of("image_gan:trajectory")
def trajectory(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how far the parameters have moved after each step, in units of the right learning rate."""
    start = np.asarray(inputs["start"], dtype=np.float64)
    return {"moved": ((got.tensor(finite=False) - start) / ADAM["rate"], 0.005)}
