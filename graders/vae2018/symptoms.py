"""Symptoms of mistakes in a VAE's bound, parts and loop that do not depend on its architecture or the bound's sign."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.special import expit, ndtr

from gengrade.arrays import Array
from gengrade.grading import Evidence, Mismatch, UpTo
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.bernoulli import are_means
from graders.common.latents import MOST_NUMBERS
from graders.common.networks import STRAIGHT, bend, narrowest
from graders.vae2018.averages import is_near, is_summed, per_image, right_averages, sizes_of
from graders.vae2018.parameterisations import MOST_ZEROS
from graders.vae2018.sizes import MOST_DRAWS, MOST_LATENTS

SAME = 1e-3  # numbers this close count as equal; by chance about one pair in a thousand is
POINTS = (-2.0, -1.0, -0.3, 0.3, 1.0, 2.0)  # in standard deviations
EDGES = (0.2, 0.8)  # these divide probabilities into low, middling and high ones
FEW = 1e-9  # a spread below this means that there is no noise


@symptoms_of("vae2018:passes")
def passes(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the bounds for injected numbers, the distribution of z's noise, and the composition of the gradients."""
    seen = got.integer("encoder_seen") > 0 and got.integer("decoder_seen") > 0
    bounds = got.tensor("bounds", finite=False)
    sign = -1.0 if bounds.size and bounds.flat[0] < 0 else 1.0
    numbers: Numbers = {"seen": (float(seen), 0.0), "numbers": (float(bounds.size), 0.0)}
    if bounds.size and bounds.size == len(inputs["codes"]):
        bounds = sign * bounds.ravel()
        numbers["first bound"] = (bounds[0], 1e-3)
        # A divergence is small compared with a reconstruction, so it only shows in the differences.
        numbers["changes of the bound"] = (bounds[1:] - bounds[0], 1e-3 + 1e-5 * float(np.abs(bounds).max()))
    if not seen:
        return numbers
    codes = np.asarray(inputs["codes"], dtype=np.float64)
    mean, second = codes[:, 0], codes[:, 1]
    z = got.tensor("z", shape=(len(codes), UpTo(MOST_DRAWS), *mean.shape[1:]), finite=False)
    numbers |= _noise(z[:, 0] - mean, second)
    attached = got.flag("bound_attached"), got.flag("z_attached")
    numbers["attached"] = (np.array(attached, dtype=np.float64), 0.0)
    if "mean_gradient" in got:
        numbers |= _gradients(sign, mean[0], z[0], got)
    return numbers


def _noise(noise: Array, second: Array) -> Numbers:
    """Return the share of repeated noise, its spread at each level of the second output, and its shape."""
    rows = noise.reshape(-1, noise.shape[-1])
    shared = [float(np.mean(np.abs(np.diff(rows, axis=axis)) < SAME)) for axis in (0, 1)]
    repeated = float(np.mean(np.abs(noise[0] - noise[1]) < SAME))
    alike = [_likeness(rows), _likeness(rows.T)]  # shared noise may have been scaled, so values alone do not show it
    numbers: Numbers = {
        "noise shared by rows, by columns, by passes": (np.array([*shared, repeated]), 0.1),
        "correlation of rows, of columns": (np.array(alike), 0.3),
    }
    if max(*shared, *alike) > 0.5:
        return numbers  # there are too few independent draws to describe their distribution
    levels = np.unique(second)
    spreads = np.array([float(np.std(noise[second == level])) for level in levels])
    if not np.isfinite(spreads).all() or spreads.min() < FEW:
        return numbers | {"levels without noise": (float(np.sum(spreads < FEW)), 0.0)}
    fewest = min(int(np.sum(second == level)) for level in levels)
    numbers["logarithms of spreads"] = (np.log(spreads), 7 / float(np.sqrt(fewest)))
    numbers["their mean"] = (float(np.log(spreads).mean()), 7 / float(np.sqrt(noise.size)))
    standardised = noise / spreads[np.searchsorted(levels, second)]
    shares = np.array([float(np.mean(standardised < point)) for point in POINTS])
    numbers["noise"] = (shares, 7 / float(np.sqrt(standardised.size)))
    return numbers


def _likeness(rows: Array) -> float:
    """Return the mean correlation between each row and the next one."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.maximum(np.linalg.norm(centred, axis=1), FEW)
    return float(np.mean((centred[1:] * centred[:-1]).sum(axis=1) / (norms[1:] * norms[:-1])))


def _gradients(sign: float, mean: Array, z: Array, got: Evidence) -> Numbers:
    """Return the weights of the paths through z and through the divergence in the mean's gradient; both should be 1."""
    through = got.tensor("z_gradient", shape=z.shape, finite=False).sum(axis=0).ravel()
    gradient = sign * got.tensor("mean_gradient", shape=mean.shape, finite=False).ravel()
    parts = np.stack([sign * through, mean.ravel() / len(mean)], axis=1)
    if not (np.isfinite(gradient).all() and np.isfinite(parts).all()):
        return {"gradients are finite": (0.0, 0.0)}
    scales = np.maximum(np.abs(parts).max(axis=0), 1e-30)
    shares, *_ = np.linalg.lstsq(parts / scales, gradient, rcond=None)
    second = got.tensor("second_gradient", finite=False)
    return {
        "gradient of the mean, through the draw and the divergence": (shares / scales, 0.03),
        "no gradient of the second output": (float(np.mean(second == 0)), 0.1),
    }


@symptoms_of("vae2018:untrained")
def untrained(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how many numbers came back and whether they are finite; their values depend on the network's weights."""
    values = got.tensor(finite=False)
    return {"numbers": (float(values.size), 0.0), "finite": (float(np.isfinite(values).all()), 0.0)}


@symptoms_of("vae2018:encoder", "vae2018:decoder")
def network(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return shapes and ranges of outputs, unregistered layers, and constant, linear or mixed-up outputs."""
    names = ("mean", "second") if "mean" in got else ("outputs",)
    outputs = [got.tensor(name, finite=False) for name in names]
    numbers: Numbers = {"hidden layers": (float(got.integer("unregistered") > 0), 0.0)}
    for name, output in zip(names, outputs, strict=True):
        numbers[f"shape of {name}"] = (np.array(output.shape, dtype=np.float64), 0.0)
        numbers[f"{name} is constant"] = (float(np.ptp(output) < SAME), 0.0)
    line = got.tensor("line", finite=False)
    lines = [*line.reshape(2, 3, -1)] if len(names) == 2 else [line.reshape(3, -1)]
    alone = got.tensor("alone", finite=False).ravel()
    batch = np.concatenate([output[:1].ravel() for output in outputs])
    driven = got.tensor("driven", finite=False)
    return numbers | {
        "straight": (float(bend(lines) <= STRAIGHT), 0.0),
        "mixed": (float(alone.shape != batch.shape or not np.allclose(alone, batch, 1e-3, 1e-4)), 0.0),
        "low and high": (np.clip(narrowest(driven), -1.2, 1.2), 0.15),
        **_second_range(got),
    }


def _second_range(got: Evidence) -> Numbers:
    """Return the signs that an encoder's second output can have, and whether much of it is exactly 0.

    None for a decoder.
    """
    if "second_driven" not in got:
        return {}
    driven = got.tensor("second_driven", finite=False)
    signs = np.array([float(driven.min() < 0), float(driven.max() > 0)])
    zero = float(np.mean(driven == 0) > MOST_ZEROS)
    numbers: Numbers = {"signs of the second output": (signs, 0.0), "second output is often 0": (zero, 0.0)}
    return numbers


@symptoms_of("vae2018:latents")
def latents(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return whether the bounds are finite, and how z spreads at each level of the second output."""
    bounds = got.tensor("bounds", finite=False)
    numbers: Numbers = {"finite": (np.isfinite(bounds).astype(np.float64), 0.0)}
    if got.is_none("z"):
        return numbers
    codes = np.asarray(inputs["codes"], dtype=np.float64)
    z = got.tensor("z", shape=(len(codes), UpTo(MOST_DRAWS), *codes.shape[2:]), finite=False)
    return numbers | _noise(z[:, 0] - codes[:, 0], codes[:, 1])


@symptoms_of("vae2018:sample")
def sample(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how samples relate to means and means to the decoder's outputs, and the distribution of the latents."""
    samples, means = got.tensor("samples", finite=False), got.tensor("means", finite=False)
    numbers: Numbers = {
        "images": (np.array([samples.size, means.size], dtype=np.float64), 0.0),
        "binary": (np.array([float(np.isin(each, (0, 1)).all()) for each in (samples, means)]), 0.0),
        "decoded": (float(not got.is_none("z")), 0.0),
    }
    if got.is_none("z") or samples.size != means.size:
        return numbers
    means = means.ravel()
    edges = (-np.inf, *EDGES, np.inf)
    groups = [samples.ravel()[(means >= low) & (means < high)] for low, high in pairwise(edges)]
    shares = [float(group.mean()) if group.size else -1.0 for group in groups]
    numbers["share of ones where means are low, middling, high"] = (np.array(shares), 0.03)
    outputs = got.tensor("outputs", finite=False)
    right = outputs if are_means(outputs) else expit(outputs)
    for name, candidate in (
        ("right", right),
        ("logits", np.log(right / np.maximum(1 - right, 1e-12))),
        ("twice", expit(right)),
    ):
        same = candidate.size == means.size and np.allclose(means, candidate.ravel(), atol=1e-3)
        numbers[f"means are {name}"] = (float(same), 0.0)
    z = got.tensor("z", shape=(UpTo(MOST_LATENTS), UpTo(MOST_NUMBERS)), finite=False)
    shared = float(np.mean(np.abs(np.diff(z, axis=0)) < SAME)) if len(z) > 1 else 1.0
    numbers["shared latents"] = (shared, 0.1)
    if shared > 0.5 and np.any(z != 0):
        return numbers  # there are too few different draws to describe their distribution
    numbers["latents"] = (np.array([float(np.mean(z < point)) for point in POINTS]), 7 / float(np.sqrt(max(z.size, 1))))
    return numbers


@symptoms_of("vae2018:manifold")
def manifold(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the number of latents and of values on each axis, and whether these or their percentiles are even."""
    latents = got.tensor(shape=(UpTo(MOST_LATENTS), 2))
    axes = [np.unique(np.round(latents[:, column], 4)) for column in (0, 1)]
    if not len(latents) or min(map(len, axes)) < 3:
        return {"latents": (float(len(latents)), 0.0)}
    numbers: Numbers = {"all pairs": (float(len(axes[0]) * len(axes[1]) == len(latents)), 0.0)}
    for name, axis in zip(("first", "second"), axes, strict=True):
        percentiles = ndtr(axis)
        even = float(np.ptp(np.diff(axis)) < 1e-3 * np.ptp(axis)), float(np.ptp(np.diff(percentiles)) < 2e-3)
        numbers[f"{name} is even, in itself and in percentiles"] = (np.array(even), 0.0)
        numbers[f"{name} is never negative"] = (float(axis[0] >= 0), 0.0)
        if even[1]:
            numbers[f"{name}, ends"] = (axis[[0, -1]], 0.3)
    return numbers


@symptoms_of("vae2018.loop:epoch")
def epoch(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the batches and their modes, the gradients that steps followed, and the average up to its sign."""
    sizes = np.array([float(size.integer()) for size in got.list("sizes")])
    own = np.array([step.number(finite=False) for step in got.list("own")])
    if len(sizes) > 1000 or len(own) > 1000:
        raise Mismatch("the loop makes more than 1000 passes or steps over a few batches")
    along = np.round(own)  # +1 or −1; values between depend on the network's weights
    numbers: Numbers = {} if got.is_none("average") else _average(got, inputs, sizes)
    return {
        "sizes": (sizes, 0.0),
        "training": (np.array([mode.number() for mode in got.list("modes")]), 0.0),
        "own gradients": (np.where(np.abs(own) > 0.9999, along, 0.0), 0.0),
        "moved": (float(got.integer("moved") > 0), 0.0),
        "not all moved": (float(bool(got.text("unmoved"))), 0.0),
        **numbers,
    }


def _average(got: Evidence, inputs: Inputs, sizes: Array) -> Numbers:
    """Return whether the average is a right one of the bounds that the model returned; else its value."""
    average = abs(got.number("average", finite=False))
    bounds = np.resize(np.asarray(inputs["bounds"], dtype=np.float64), len(sizes))
    if len(sizes) and is_near(average, right_averages(bounds, sizes, summed=is_summed(got))):
        return {"a right average": (1.0, 0.0)}
    return {"average": (average, 1e-2)}


@symptoms_of("vae2018.loop:average")
def average(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return whether the loop turns sums over batches into an average per image."""
    sizes = sizes_of(got)
    if got.is_none("average") or not len(sizes):
        return {"no average": (1.0, 0.0)}
    bounds = np.resize(np.asarray(inputs["bounds"], dtype=np.float64), len(sizes))
    return {"per image": (float(is_near(abs(got.number("average", finite=False)), per_image(bounds, sizes))), 0.0)}
