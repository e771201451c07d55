"""Symptoms of mistakes in GANs, which depend neither on the networks nor on the random numbers that were drawn.

A step is described by its loss as a function of the scores, which the probe has set: how the loss of a real or of a
generated image changes with its score, at a few scores. An update in the loop is described by the losses whose
gradients it combines, and an interpolation by the geometry of its latents.
"""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence, Mismatch, UpTo
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms
from gengrade.grading.symptoms import symptoms_of as of
from graders.common.gan_losses import MOST_ROWS, judge_discriminator, judge_generator, observed_step
from graders.common.gan_steps import describe_latents, describe_step
from graders.common.latents import (
    MOST_NUMBERS,
    arrangements,
    arrangements_of,
    coordinates,
    is_mixed,
    line_problem,
    trace,
)
from graders.gan.sizes import MOST_STEPS
from graders.probing.sizes import PIXELS

NETWORKS = ("generator", "discriminator")
GREYS = np.array([-0.9, -0.5, -0.1, 0.1, 0.5, 0.9])  # pixels for which the change that `sample` makes is compared
DRIVEN_IMAGE, DRIVEN_SCORE = 1.5, 2.0  # ranges are compared up to these values only


@of("gan:generators", "gan:discriminators")
def networks(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe shapes, unregistered layers, and whether outputs are random or depend on the batch."""
    results = got.list()
    outputs = [result.tensor("images" if "images" in result else "scores", finite=False) for result in results]
    numbers: Numbers = {
        **{f"shape {index}": (np.array(output.shape, dtype=np.float64), 0.0) for index, output in enumerate(outputs)},
    }
    if any(result.integer("unregistered") > 0 for result in results):
        return {**numbers, "hidden layers": (1.0, 0.0)}  # eval() does not reach them, so outputs may be random too.
    pairs = list(zip(outputs, results, strict=True))
    random = any(not _same(output, result.tensor("again", finite=False)) for output, result in pairs)
    mixed = any(not _same(output[:1], result.tensor("first", finite=False)) for output, result in pairs)
    return {**numbers, "random": (float(random), 0.0), "mixed": (float(mixed and not random), 0.0)}


@of("gan:parameter_counts")
def parameter_counts(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe which changes of hidden_dims change the number of parameters."""
    counts = [count.integer() for count in got.list()]
    matters = np.array([float(count != counts[0]) for count in counts[1:]])
    if matters.all() or not matters.any():  # Either is right.
        return {"all or none": (1.0, 0.0)}
    return {"matters": (matters, 0.0)}


@of("gan:use")
def use(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe whether some parameter changes no output."""
    return {"idle": (float(got.text() != ""), 0.0)}


@of("gan:generator_range")
def generator_range(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the smallest and the largest pixel that the generator can be trained to."""
    return {"range": (_range(got.tensor("driven"), DRIVEN_IMAGE), 0.1)}


@of("gan:discriminator_range")
def discriminator_range(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the smallest and the largest score that the discriminator can be trained to."""
    scores = got.tensor()
    if scores.size and scores.min() >= 0 and not 0.5 < scores.max() <= 1:
        return {"never negative": (1.0, 0.0)}  # Whether such scores can grow is chance: a ReLU may be dead.
    return {"range": (_range(scores, DRIVEN_SCORE), 0.15)}


@of("gan:step")
def step(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe how a step's loss depends on the scores of real and generated images, and the noise of the latter."""
    found = dict(describe_step(inputs["which"], inputs["images"], got))
    if "again" in got:
        latents, again = (
            got.tensor(name, shape=(UpTo(MOST_ROWS), UpTo(MOST_NUMBERS))) for name in ("latents", "again")
        )
        found["latents of another step repeat"] = (float(_same(latents, again)), 0.0)
    return found


@of("gan:step_if_it_runs")
def step_if_it_runs(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe which labels the step uses, if that is known."""
    labels = "unknown"
    if not got.is_none():
        try:
            seen = observed_step(got, inputs["images"], inputs["scores"])
            labels = (judge_generator if inputs["which"] == "generator" else judge_discriminator)(seen).labels
        except Mismatch:
            pass
    return {f"{labels} labels": (1.0, 0.0)}


@of("gan:sample")
def sample(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe how `sample` changes the generator's pixels, and the noise of its latents."""
    images, decoded = got.tensor("images"), got.tensor("decoded")
    latents, again = (got.tensor(name, shape=(UpTo(MOST_ROWS), UpTo(MOST_NUMBERS))) for name in ("latents", "again"))
    numbers: Numbers = {
        "shape": (np.array(images.shape, dtype=np.float64), 0.0),
        "repeated": (float(latents.shape == again.shape and np.array_equal(latents, again)), 0.0),
    }
    if images.size == decoded.size:
        numbers["greys"] = (_function(decoded.ravel(), images.ravel(), GREYS), 0.02)
    return numbers | describe_latents(latents)


@of("gan:sample_of")
def sample_of(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe whether the generator gets the given noise, or else which noise it gets."""
    if got.is_none():
        return {}
    latents = got.tensor("latents", shape=(UpTo(MOST_ROWS), UpTo(MOST_NUMBERS)))
    given = _same(latents, inputs["z"])
    return {"as given": (float(given), 0.0)} | ({} if given else describe_latents(latents))


@of("gan:interpolate_between")
def interpolate_between(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the latents of strips between given ends, and the share of the given ends that is decoded."""
    if got.is_none():
        return {}
    ends = np.asarray(inputs["ends"], dtype=np.float64).reshape(2, inputs["ends"].shape[1], -1)  # [2, n, z_dim]
    latents = got.tensor("latents", shape=(UpTo(MOST_ROWS), UpTo(MOST_NUMBERS)))
    found = dict(interpolate({**inputs, "n": inputs["ends"].shape[1]}, got))
    if latents.shape[1] == ends.shape[2]:
        shares = [np.mean([np.isclose(latents, end, atol=1e-3).all(axis=1).any() for end in each]) for each in ends]
        found["given ends that are decoded"] = (np.array(shares), 0.0)
    return found


@of("gan:interpolate")
def interpolate(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the latents of strips relative to their ends, and the distribution of the ends."""
    images, latents = got.tensor("images"), got.tensor("latents", shape=(UpTo(MOST_ROWS), UpTo(MOST_NUMBERS)))
    decoded, n = got.tensor("decoded", shape=(len(latents), PIXELS)), inputs["n"]
    if images.size % PIXELS:
        return {"size": (float(images.size), 0.0)}
    flat = images.reshape(-1, PIXELS)
    found = trace(flat, decoded, latents)
    if found is None:
        mixed = any(is_mixed(strips, decoded) for strips in arrangements(flat, n))
        return {"pixels mixed": (float(mixed), 0.0), "images": (len(flat) / n, 0.0)}
    possible = arrangements_of(found, images.shape, n)
    if not possible:
        return {"images": (len(flat) / n, 0.0)}
    straight = [strips for strips in possible if line_problem(strips) is None]
    otherwise = not straight and any(line_problem(strips) is None for strips in arrangements(found, n))
    return _strips((straight or possible)[0]) | {"straight in another order": (float(otherwise), 0.0)}


@of("gan:interpolations")
def interpolations(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the shapes of the results, and how many of them are lists."""
    results = got.list()
    shapes = {f"shape {index}": result.shape("images") for index, result in enumerate(results)}
    return {
        "lists": (float(sum(result.flag("listed") for result in results)), 0.0),
        **{name: (np.array(shape, dtype=np.float64), 0.0) for name, shape in shapes.items()},
    }


@of("gan:alternation")
def alternation(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe which losses' gradients each network's updates combine."""
    losses = [loss.text() for loss in got.list("losses", most=MOST_STEPS)]
    steps = got.list("steps", most=MOST_STEPS)
    holders = [[name.text() for name in each.list("holds")] for each in steps]
    if any(len(holds) != 1 for holds in holders):
        return {"networks of an optimiser": (float(max(len(holds) for holds in holders)), 0.0)}
    seen = [each.integer("losses") for each in steps]
    fresh = [later > earlier for earlier, later in zip([0, *seen], seen, strict=False)]
    numbers: Numbers = {"steps without a new loss": (_mean([float(not each) for each in fresh]), 0.05)}
    for name in NETWORKS:
        own = [each for each, holds in zip(steps, holders, strict=True) if holds == [name]]
        moved = max((each["moved"].number(name) for each in own), default=0.0)
        numbers |= {
            f"{name}: moved": (float(moved > 0), 0.0),
            f"{name}: steps for each loss": (len(own) / max(losses.count(name), 1), 0.05),
        }
        shares = [_shares(each.tensor("shares", shape=(UpTo(MOST_STEPS),)), losses, name) for each in own]
        for part in range(4):
            numbers[f"{name}: share {part}"] = (_mean([share[part] for share in shares]), 0.05)
    return numbers


def _strips(strips: Array) -> Numbers:
    """Describe where the points of strips [B, K, d] lie between their ends, and how the ends are distributed."""
    first, last = strips[:, 0], strips[:, -1]
    distinct = len(np.unique(strips.reshape(len(strips), -1), axis=0))
    numbers: Numbers = {"strips": (distinct / len(strips), 0.0)}
    apart = np.linalg.norm(last - first, axis=1)
    if np.median(apart) < 1e-3 * np.median(np.linalg.norm(first, axis=1)):
        return {**numbers, "ends apart": (0.0, 0.0), "points": (float(strips.shape[1]), 0.0)}
    along, aside = coordinates(strips)
    bends = aside / apart[:, None]
    line, bend = along.mean(axis=0), bends.mean(axis=0)
    errors = [float(6 * np.std(each, axis=0).max() / np.sqrt(len(strips))) for each in (along, bends)]
    spreads = [float(np.sqrt(np.mean(end**2))) for end in (first, last)]
    if _turned(line, spreads):
        line, bend, spreads = 1 - line[::-1], bend[::-1], spreads[::-1]
    numbers |= {"along": (line, 0.02 + errors[0]), "aside": (bend, 0.02 + errors[1])}
    shared = sum(bool(np.all(end == end[0])) for end in (first, last))
    numbers["ends of all strips"] = (float(shared), 0.0)
    numbers["ends at zero"] = (float(sum(spread < 1e-3 for spread in spreads)), 0.0)
    if shared:  # A single draw does not show its distribution.
        return numbers
    error = 6 / np.sqrt(first.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = float(np.corrcoef(first.ravel(), last.ravel())[0, 1])
    ends = np.stack([first, last])
    return numbers | {
        "spread of the ends": (np.array(spreads), error),
        "mean of the ends": (float(ends.mean()), error),
        "correlation of the ends": (correlation, error),
    }


def _turned(line: Array, spreads: list[float]) -> bool:
    """Return whether a strip should be reversed before it is compared: both directions are right."""
    middle = float(np.interp(0.5, np.linspace(0, 1, len(line)), line))
    if abs(middle - 0.5) > 0.05:
        return middle > 0.5
    return spreads[0] > spreads[1] + 0.15


def _shares(shares: Array, losses: list[str], name: str) -> list[float]:
    """Return the shares in an update: the own and the other network's latest loss, then the earlier losses of each."""
    seen = losses[: len(shares)]
    own, others = (
        [float(share) for share, loss in zip(shares, seen, strict=True) if (loss == name) is ours]
        for ours in (True, False)
    )
    largest = max((abs(share) for share in own + others), default=0.0) or 1.0
    return [part / largest for part in (_mean(own[-1:]), _mean(others[-1:]), _mean(own[:-1]), _mean(others[:-1]))]


def _mean(values: list[float]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    known = [value for value in values if not np.isnan(value)]
    return sum(known) / len(known) if known else float("nan")


def _range(values: Array, bound: float) -> Array:
    return np.clip([values.min(), values.max()], -bound, bound) if values.size else np.zeros(0)


def _function(x: Array, y: Array, at: Array) -> Array:
    order = np.argsort(x)
    return np.interp(at, x[order], y[order])


def _same(left: Array, right: Array) -> bool:
    return left.shape == right.shape and np.allclose(left, right, rtol=1e-3, atol=1e-4)
