"""Symptoms of encoders and decoders: the architecture is the student's, so no number of an untrained network counts.

What counts is where its outputs can and cannot go, what they depend on, and which sizes decide how large it is.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import Evidence, UpTo
from gengrade.grading.symptoms import Inputs, Symptoms, symptoms_of
from graders.vae.networks import MOST_NETWORKS, MOST_OUTPUTS

Array = NDArray[np.float64]

NAMES = {"mlp_encoder": ("mean", "log_std"), "cnn_encoder": ("mean", "log_std")}
FAR = 1.2  # to where outputs are driven at least: how much farther they get depends on the architecture
NEAR = 1e-4  # of equality, relative to the largest number
STRAIGHT = 1e-4  # as the grader has it
FLAG = 0.0  # the tolerance of what is either so or not
START = 0.15  # four standard errors of the mean output of 32 fresh networks, where it is largest
ZEROS = 0.25  # a ReLU at the end gives zeros to a half of the outputs
END = 0.17  # how far apart two architectures get towards the end of a saturating activation


@symptoms_of("vae:network")
def network(inputs: Inputs, got: Evidence) -> Symptoms:
    """Shapes; whether rows, and calls, have a part in each other; which parameters take part; whether it is linear.

    A ReLU at the end may give zeros only, by chance: nothing is said of those.
    """
    outputs, agains, alones, lines = (
        [item.tensor() for item in got.list(role)] for role in ("outputs", "again", "alone", "line")
    )
    missing = len(outputs) == 2 and (_same(*outputs) or not outputs[1].any())  # log_std, whose layer has no use then
    symptoms: dict[str, tuple[Array | float, float]] = {
        "unregistered": (got.integer("unregistered") > 0, FLAG),
        "nothing registered": (got.integer("parameters") == 0, FLAG),
        "unreached": (bool(got.text("unreached")) and not missing, FLAG),
        "same outputs": (len(outputs) == 2 and _same(*outputs), FLAG),
        "linear": (_is_linear(lines), FLAG),
        "blind": (np.array([output.flag() for output in got.list("blind")]), FLAG),
    }
    for name, output, again, alone in zip(_names(inputs, len(outputs)), outputs, agains, alones, strict=False):
        symptoms[f"shape of {name}"] = (np.array(output.shape, dtype=np.float64), FLAG)
        symptoms[f"{name} again"] = (_near(output, again), FLAG)
        symptoms[f"{name} alone"] = (_near(output, alone), FLAG)
        symptoms[f"{name} of all rows"] = (_is_constant(output), FLAG)
        symptoms[f"{name} of all rows alone"] = (_is_constant(alone), FLAG)
        symptoms[f"columns of {name}"] = (_is_constant(output.reshape(len(output), -1).T), FLAG)
    return symptoms


@symptoms_of("vae:reach")
def reach(inputs: Inputs, got: Evidence) -> Symptoms:
    """The range that outputs can be driven through, up to ±1.2; where they start, and how they go together there."""
    if got.is_none():
        return {"nothing to train": (1.0, FLAG)}
    starts = got.tensor("starts", shape=(UpTo(MOST_NETWORKS), UpTo(MOST_NETWORKS), UpTo(MOST_OUTPUTS)))
    if "lowest" not in got:
        return {"outputs": (starts.shape[2], FLAG)}
    lowest, highest = (
        got.tensor(name, shape=(UpTo(MOST_NETWORKS), UpTo(MOST_OUTPUTS))) for name in ("lowest", "highest")
    )
    names = _names(inputs, 2 if inputs["which"] in NAMES else 1)
    parts = zip(*(np.array_split(values, len(names), axis=-1) for values in (lowest, highest, starts)), strict=True)
    symptoms: dict[str, tuple[Array | float, float]] = {}
    for name, (low, high, start) in zip(names, parts, strict=True):
        if np.abs(start.sum(axis=2) - 1).max() <= NEAR:  # how far they are driven tells nothing: the sum stays
            symptoms[f"{name} sums to 1"] = (1.0, FLAG)
            continue
        symptoms[f"lowest {name}"] = (max(float(low.min()), -FAR), END)
        symptoms[f"highest {name}"] = (min(float(high.max()), FAR), END)
        symptoms[f"{name} starts at"] = (float(start.mean()), START)
        symptoms[f"zeros of {name}"] = (float(np.mean(start == 0)), ZEROS)
        symptoms[f"columns of {name}"] = (bool(np.ptp(start, axis=2).max() <= NEAR), FLAG)
    return symptoms


@symptoms_of("vae:parameter_counts")
def parameter_counts(inputs: Inputs, got: Evidence) -> Symptoms:
    """Which of the sizes need equally many parameters, pair by pair; and whether there are any."""
    counts = [item.integer() for item in got.list()]
    equal = [one == other for one, other in combinations(counts, 2)]
    return {"equal sizes": (np.array(equal, dtype=np.float64), FLAG), "no parameters": (max(counts) == 0, FLAG)}


def _names(inputs: Inputs, count: int) -> tuple[str, ...]:
    return NAMES.get(inputs["which"], ("logits",))[:count]


def _near(left: Array, right: Array) -> bool:
    if left.size != right.size:
        return False
    largest = max(np.abs(left).max(initial=0.0), 1e-3)
    return bool(np.abs(left.ravel() - right.ravel()).max(initial=0.0) <= NEAR * largest)


def _same(left: Array, right: Array) -> bool:
    return left.shape == right.shape and bool(left.any()) and np.array_equal(left, right)


def _is_constant(rows: Array) -> bool:
    """Whether all rows are equal, and not zero."""
    return bool(rows.any()) and _near(rows, np.broadcast_to(rows[:1], rows.shape))


def _is_linear(lines: list[Array]) -> bool:
    if any(line.shape[:1] != (3,) for line in lines):
        return False
    first, middle, last = (np.concatenate([line[row].ravel() for line in lines]) for row in range(3))
    length = np.abs(first - last).max(initial=0.0)
    return bool(length > 0 and np.abs(middle - (first + last) / 2).max() <= STRAIGHT * length)
