"""Symptoms of mistakes in encoders and decoders, whatever their architecture.

Since the architecture is the student's choice, outputs of an untrained network tell nothing by their values. Symptoms
are the range of the outputs, what they depend on, and which sizes change the number of parameters.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence, UpTo
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.networks import STRAIGHT, are_slopes_wrong, bend, narrowest
from graders.vae.sizes import MOST_NETWORKS, MOST_OUTPUTS, STARTS

NAMES = {"mlp_encoder": ("mean", "log_std"), "cnn_encoder": ("mean", "log_std")}
FAR = 1.2  # ranges are compared up to ±1.2 only: how much farther outputs get depends on the architecture
NEAR = 1e-4  # numbers count as equal up to this, relative to the largest of them
FLAG = 0.0  # tolerance of a symptom that is a matter of yes or no, or a count
START = 0.15  # tolerance on the mean first output: at most four standard errors over 32 new networks
ZEROS = 0.25  # tolerance on the share of zeros: a ReLU at the end sets about half of the outputs to zero
END = 0.17  # tolerance on an end of the range: architectures differ in how near they come to a saturated activation


@symptoms_of("vae:network")
def network(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe shapes, unregistered parameters, linearity, and dependence on other rows and on chance.

    An output of zeros only is left out, since a ReLU at the end may give one by chance.
    """
    outputs, agains, alones, lines = (
        [item.tensor() for item in got.list(role)] for role in ("outputs", "again", "alone", "line")
    )
    symptoms: Numbers = {
        "unregistered": (got.integer("unregistered") > 0, FLAG),
        "nothing registered": (got.integer("parameters") == 0, FLAG),
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
        for axis in range(1, output.ndim):
            symptoms[f"{name} sum to 1 over axis {axis}"] = (_is_softmax(output, axis), FLAG)
    return symptoms


@symptoms_of("vae:slopes", "vae:slopes_of_input")
def slopes(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return whether gradients are no derivatives."""
    return {"wrong": (float(are_slopes_wrong(got)), FLAG)}


def _summing_axis(starts: Array, levels: int) -> int:
    """Return the axis of [B, levels, side, side] along which a softmax makes all outputs add up to 1.

    0 if there is none.

    `starts` are the first outputs of networks, [networks, B, n].
    """
    side = round(np.sqrt(starts.shape[2] / levels))
    if levels == 1 or levels * side**2 != starts.shape[2]:
        return 0
    outputs = starts.reshape(-1, levels, side, side)
    return next((axis for axis in (1, 2, 3) if _is_softmax(outputs, axis)), 0)


def _is_softmax(output: Array, axis: int) -> bool:
    """Return whether the numbers along an axis, such as those of a row or of a pixel, are positive and add up to 1."""
    return (
        min(output.shape) > 0
        and output.shape[axis] > 1
        and bool(output.min() > 0 and np.abs(output.sum(axis=axis) - 1).max() <= NEAR)
    )


@symptoms_of("vae:reach")
def reach(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the range that outputs can be trained to, up to ±1.2, and the outputs of new networks."""
    if got.is_none():
        return {"nothing to train": (1.0, FLAG)}
    starts = got.tensor("starts", shape=STARTS)[1]
    if "lowest" not in got:
        return {"outputs": (starts.shape[2], FLAG)}
    lowest, highest = (
        got.tensor(name, shape=(2, UpTo(MOST_NETWORKS), UpTo(MOST_OUTPUTS))) for name in ("lowest", "highest")
    )
    names = _names(inputs, 2 if inputs["which"] in NAMES else 1)
    parts = zip(*(np.array_split(values, len(names), axis=-1) for values in (lowest, highest, starts)), strict=True)
    symptoms: Numbers = {}
    for name, (low, high, start) in zip(names, parts, strict=True):
        if np.abs(start.sum(axis=2) - 1).max() <= NEAR:  # A softmax: its range would tell nothing, since the sum is 1.
            symptoms[f"{name} sums to 1"] = (1.0, FLAG)
            continue
        axis = _summing_axis(start, int(inputs.get("levels", 1)))
        if axis:
            symptoms[f"{name} sums to 1 over axis"] = (float(axis), FLAG)
            continue
        symptoms[f"lowest {name}"] = (max(narrowest(low)[0], -FAR), END)
        symptoms[f"highest {name}"] = (min(narrowest(high)[1], FAR), END)
        symptoms[f"{name} starts at"] = (float(start.mean()), START)
        symptoms[f"zeros of {name}"] = (float(np.mean(start == 0)), ZEROS)
        symptoms[f"columns of {name}"] = (bool(np.ptp(start, axis=2).max() <= NEAR), FLAG)
    return symptoms


@symptoms_of("vae:parameter_counts")
def parameter_counts(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe which pairs of hidden sizes need equally many parameters, and whether there are any parameters."""
    counts = [item.integer() for item in got.list()]
    equal = [one == other for one, other in combinations(counts, 2)]
    return {"equal sizes": (np.array(equal, dtype=np.float64), FLAG), "no parameters": (max(counts) == 0, FLAG)}


@symptoms_of("vae:use")
def use(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe whether some parameter changes no output."""
    return {"idle": (got.text() != "", FLAG)}


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
    """Return whether all rows are equal and not zero."""
    return bool(rows.any()) and _near(rows, np.broadcast_to(rows[:1], rows.shape))


def _is_linear(lines: list[Array]) -> bool:
    if any(line.shape[:1] != (3,) for line in lines):
        return False
    return bool(sum(line.size for line in lines)) and bend(lines) <= STRAIGHT
