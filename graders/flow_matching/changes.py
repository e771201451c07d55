"""How the outputs of networks differ between passes, whatever their weights: what depends on what.

Outputs are [K, B, …] for K passes, of which the first is compared with the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from gengrade.arrays import Array, Array32, Mask
from gengrade.grading import Evidence, Mismatch, Rng, expect, probes
from graders.common.networks import expect_registered

MOST_PASSES: Final = 300
_MOST_SEED: Final = 1 << 30
FELT: Final = 1e-5  # an output has changed if it differs by this share of the largest output
CLOSE: Final = 1e-3  # relative tolerance on outputs that should be equal


def passes_of(
    run: Callable[..., Evidence], seed: int, name: str, settings: dict[str, Any], weights: str = "random", **inputs: Any
) -> Evidence:
    """Return the passes of a new network for inputs [K, B, …]. Raises Mismatch if they are not K.

    run: `run` or `again` of a subject. seed: of random weights. The others are those of the probe.
    """
    setting = {"name": name, "settings": settings, "weights": weights, "seed": seed}
    got = run(probes.flow_matching.network.passes, **setting, **inputs)
    got.list("outputs", exactly=len(inputs["x"]))
    return got


def seed_of(rng: Rng) -> int:
    """Return a seed of random weights."""
    return rng.integer(1, _MOST_SEED)


def one_by_one(**inputs: tuple[Any, Any]) -> dict[str, Any]:
    """Return inputs [K + 1, B, …] of passes: first all as they are, then each of the K inputs in its second form."""
    return {
        name: np.stack([first] + [second if other == name else first for other in inputs])
        for name, (first, second) in inputs.items()
    }


def on_a_line(inputs: dict[str, Any], direction: Array32) -> dict[str, Any]:
    """Return inputs of passes [K, B, …] with two more: x of the first pass moved by `direction` [B, …], and twice so.

    These two and the first pass show whether a network is linear in x.
    """
    moved = {name: np.concatenate([each, each[:1], each[:1]]) for name, each in inputs.items()}
    moved["x"][-2] += direction
    moved["x"][-1] += 2 * direction
    return moved


def line_of(outputs: Array) -> Array:
    """Return the outputs [3, B, …] on the line of `on_a_line`, from its beginning to its end."""
    return outputs[[0, -2, -1]]


def outputs_of(got: Evidence, part: int = 0) -> Array:
    """Return one of the tensors that a network gives, in all passes: [K, …]. Raises Mismatch if shapes differ."""
    passes = [each.list() for each in got.list("outputs", most=MOST_PASSES)]
    expect(all(len(each) > part for each in passes), "the network returns fewer tensors than it should")
    found = [each[part].tensor(finite=False) for each in passes]
    if len({each.shape for each in found}) > 1:
        raise Mismatch("the network's output has another shape for the same inputs")
    return np.stack(found)


def changed(outputs: Array, axes: int) -> Mask:
    """Return for each pass but the first which outputs changed, [K − 1, …] with the first `axes` axes of an output."""
    scale = max(float(np.abs(outputs[0]).max()), 1e-12)
    moved = np.abs(outputs[1:] - outputs[0]) > FELT * scale
    return np.asarray(moved.reshape(*moved.shape[: axes + 1], -1).any(axis=-1))


def are_equal(left: Array, right: Array) -> bool:
    """Return whether two arrays of outputs are the same up to rounding."""
    scale = max(float(np.abs(right).max()), 1e-12)
    return left.shape == right.shape and bool(np.abs(left - right).max() <= CLOSE * scale)


def shaped(got: Evidence, shape: tuple[int, ...], what: str) -> Array:
    """Return the first tensor of all passes, [K, *shape]. Raises Mismatch for another shape or hidden layers."""
    expect_registered(got)
    outputs = outputs_of(got)
    expect(
        outputs.shape[1:] == shape,
        f"{what} should have another shape",
        expected=f"shape {list(shape)}",
        got=f"shape {list(outputs.shape[1:])}",
    )
    expect(bool(np.isfinite(outputs).all()), f"{what} should be finite")
    return outputs
