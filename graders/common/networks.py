"""Checks that any network must pass whatever its architecture: registered, nonlinear, and the same when run again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence, Mismatch, assert_close, expect
from graders.probing.sizes import WAYS

RTOL: Final = 1e-3  # relative tolerance on outputs that are computed twice
ATOL: Final = 1e-4  # absolute tolerance on outputs that are computed twice
STRAIGHT: Final = 1e-4  # a network counts as linear if `bend` is at most this: rounding gives 1e-6, activations > 0.01
SATURATED: Final = 1 - 1e-5  # a tanh nearer to 1 than this cannot be inverted in single precision
SLOPE: Final = {"eval": 0.25, "training": 0.6}  # tolerances on slopes: spectral norms move in training mode
ROUNDED: Final = 20.0  # rounding errors that slopes may differ by
MODES: Final = {True: "in training mode", False: "in eval mode"}.get  # names of tests that are run in both
LINEAR: Final = (
    "the {name} is linear, however many layers it has: there should be an activation function between the layers"
)
UNREGISTERED: Final = (
    "some layers of the {name} are not registered, so no optimiser will train them: keep layers in nn.ModuleList or "
    "nn.Sequential, not in a Python list"
)


def bend(outputs: Sequence[Array]) -> float:
    """Measure how nonlinear a network is, from its outputs for three equidistant inputs on a line.

    Args:
        outputs: one array for each output of the network, [3, …]: for the first, the middle and the last input.

    Returns:
        The largest distance of a middle output from the mean of the outer two, divided by the largest distance between
        the outer two: 0 for a linear network. Infinite if the outer outputs are equal (an activation at the end may
        have set all of them to zero), or if there are none.

    Raises Mismatch if an output does not have three rows.
    """
    expect(all(output.shape[:1] == (3,) for output in outputs), "three inputs do not give three rows of outputs")
    first, middle, last = (np.concatenate([output[row].ravel() for output in outputs]) for row in range(3))
    length = float(np.abs(first - last).max(initial=0.0))
    return float(np.abs(middle - (first + last) / 2).max()) / length if length else np.inf


def expect_nonlinear(outputs: Sequence[Array], name: str = "network") -> None:
    """Fail a linear network; `outputs` as in `bend`, `name` is what the student calls the network."""
    expect(bend(outputs) > STRAIGHT, LINEAR.format(name=name))


def vary(*outputs: Array, axis: int = 0) -> bool:
    """Return whether the numbers of some output differ along an axis, such as that of the rows.

    Small weights beside usual biases give outputs that are equal up to rounding. So give outputs of the network with
    weights of a usual size, too, such as those for inputs on a line.
    """
    return any(bool(np.ptp(each, axis=axis).any()) for each in outputs if each.ndim > axis and each.shape[axis])


def narrowest(outputs: Array) -> tuple[float, float]:
    """Return the ends of the range that outputs reach in every mode.

    Args:
        outputs: [modes, …], such as what `graders.probing.networks.drive` reached in training mode and in eval mode.
    """
    rows = outputs.reshape(len(outputs), -1)
    return float(rows.min(axis=1).max()), float(rows.max(axis=1).min())


def expect_registered(registration: Evidence, name: str = "network") -> None:
    """Fail a network with layers that parameters() does not list.

    Args:
        registration: evidence of `graders.probing.networks.registration`.
        name: what the student calls the network.
    """
    expect(
        registration.integer("unregistered") == 0,
        UNREGISTERED.format(name=name),
        expected=f"every parameter of the {name} in its parameters()",
        got=f"{registration.integer('unregistered')} tensors that are not",
    )


def expect_in_use(got: Evidence, name: str = "network") -> None:
    """Fail a network with a parameter on whose value its output does not depend, although it may be in its graph.

    Args:
        got: the evidence that `graders.probing.networks.idle_parameter` returns.
        name: what the student calls the network.
    """
    idle = got.text()
    expect(
        idle == "",
        f"the {name}'s output does not change with its parameter {idle[:80]}, as if that were multiplied by zero: use "
        "its layer in forward, or remove it",
    )


def expect_reproducible(got: Array, expected: Array) -> None:
    """Fail a network whose outputs, when it is created once more and given reordered rows, are not the same rows.

    Args:
        got: outputs [N, …] of the second network.
        expected: outputs of the first network for the same rows.
    """
    assert_close(
        got,
        expected,
        rtol=RTOL,
        atol=ATOL,
        what="what the network gives for the same rows in another order, when it is created once more",
        hint="its outputs should depend only on its input and its initial weights, and these only on torch's random "
        "numbers",
    )


def expect_slopes(got: Evidence, what: str) -> None:
    """Fail unless gradients predict how outputs change, in either mode.

    Args:
        got: evidence of `graders.probing.gradients.output_slopes`.
        what: whose values by what, such as "the scores with respect to the images".
    """
    shape = (len(SLOPE), WAYS)
    slopes, predicted = (got.tensor(name, shape=shape, finite=False) for name in ("slopes", "predicted_slopes"))
    rounding = got.tensor("rounding", shape=(len(SLOPE),), finite=False)
    for mode, right, found, error in zip(SLOPE, slopes, predicted, rounding, strict=True):
        if not np.isfinite(right).all():
            continue  # other checks judge outputs that are not finite
        away, length = float(np.linalg.norm(found - right)), float(np.linalg.norm(right))
        expect(
            away <= SLOPE[mode] * length + ROUNDED * float(error),
            f"in {mode} mode, the gradient of {what} is not the derivative of their values, so training would go "
            "elsewhere: leave out detach, .data, no_grad and numpy",
            got=f"predictions that are {away / max(length, 1e-12):.0%} off",
        )


def are_slopes_wrong(got: Evidence) -> bool:
    """Return whether `expect_slopes` would fail."""
    try:
        expect_slopes(got, "")
    except Mismatch:
        return True
    return False


def difference(left: Sequence[list[int]], right: Sequence[list[int]]) -> list[list[int]]:
    """Return the shapes of `left` that `right` lacks, each as often as it is lacking."""
    rest = list(right)
    lacking = []
    for shape in left:
        if shape in rest:
            rest.remove(shape)
        else:
            lacking.append(shape)
    return lacking


def listed_shapes(shapes: Sequence[list[int]]) -> str:
    """Return the first of some shapes in words."""
    return "some of shape " + ", ".join(map(str, shapes[:4])) + (" …" if len(shapes) > 4 else "")
