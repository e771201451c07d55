"""Symptoms of mistakes in a GAN that one function trains: in its losses, loop, networks and interpolations."""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence, UpTo
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.gan_losses import MOST_ROWS
from graders.common.gan_steps import describe_step
from graders.common.latents import coordinates
from graders.common.networks import narrowest
from graders.gan2018.sizes import LATENTS, MOST_STEPS, WALKS

NETWORKS = ("generator", "discriminator")
STEPS = 9
WALK = 0.4  # distance from the line, relative to its length, beyond which a walk is random; a quarter circle has 0.21


@symptoms_of("gan2018:turn")
def turn(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how each network's loss depends on the scores, and which latents its images come from."""
    numbers: Numbers = {}
    for name in NETWORKS:
        missing = got.is_none(name) or got[name].shape("loss") != (1,)
        numbers[f"{name}: no step, or one without a loss"] = (float(missing), 0.0)
        if not missing:
            found = describe_step(name, inputs["images"], got[name])
            numbers |= {f"{name}, {key}": (np.asarray(value), tolerance) for key, (value, tolerance) in found.items()}
    return numbers


@symptoms_of("gan2018:loop")
def loop(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the order in which the optimisers step, and whether a step uses only the gradients of its own losses."""
    steps = got.list("steps", most=MOST_STEPS)
    holds = [[name.text() for name in each.list("holds")] for each in steps]
    agreements = [np.nan if each.is_none("agreement") else each.number("agreement", finite=False) for each in steps]
    owners = np.array(
        [float(NETWORKS.index(each[0])) if len(each) == 1 and each[0] in NETWORKS else -1 for each in holds]
    )
    return {
        "owners": (owners, 0.0),
        "steps without a loss": (np.array([float(each.integer("losses") == 0) for each in steps]), 0.0),
        "own gradients alone": (np.array([float(value >= 0.999) for value in agreements]), 0.0),
        "of no loss": (np.array([float(each.number("unexplained") > 0.01) for each in steps]), 0.0),
        "moved": (
            np.array([[float(each["moved"].number(name) > 0) for name in NETWORKS] for each in steps]),
            0.0,
        ),
    }


@symptoms_of("gan2018:latents_of_batches")
def latents_of_batches(inputs: Inputs, got: Evidence) -> Symptoms:
    """For each batch, the share of its latents that an earlier batch has used."""
    earlier: set[bytes] = set()
    shares = []
    for batch in got.list():
        drawn = {row.tobytes() for row in batch.tensor(shape=(UpTo(MOST_ROWS), LATENTS))}
        shares.append(len(drawn & earlier) / max(len(drawn), 1))
        earlier |= drawn
    return {"used before": (np.array(shares), 0.0)}


@symptoms_of("gan2018:generator", "gan2018:discriminator")
def network(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return unregistered layers, outputs that are constant, random or mix up the batch, and their range."""
    outputs = got.tensor("outputs", finite=False)
    driven = got.tensor("driven", finite=False)
    again, alone = got.tensor("again", finite=False), got.tensor("alone", finite=False)
    random = again.shape != outputs.shape or not np.allclose(again, outputs, 1e-3, 1e-4)
    mixed = alone.shape != outputs[:1].shape or not np.allclose(alone, outputs[:1], 1e-3, 1e-4)
    limit = 1.2 if outputs.ndim == 2 else 2.0
    return {
        "hidden layers": (float(got.integer("unregistered") > 0), 0.0),
        "constant": (float(np.ptp(outputs, axis=0).max() == 0), 0.0),
        "random": (float(random), 0.0),
        "mixed": (float(mixed and not random), 0.0),
        "range": (np.clip(narrowest(driven), -limit, limit), 0.15),
    }


def _spreads(got: Evidence) -> Array:
    """Return the root mean squares of the first and of the last latents, over all different interpolations."""
    ends = np.unique(got.tensor("ends", shape=(UpTo(WALKS), 2, LATENTS)), axis=0)
    return np.asarray(np.sqrt(np.mean(ends**2, axis=(0, 2))))


@symptoms_of("gan2018:interpolate")
def interpolate(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the number of latents, their positions along and beside the line between the ends, and their spread."""
    latents = got.tensor("latents", shape=(UpTo(MOST_ROWS), LATENTS))
    if not len(latents) or len(latents) % STEPS:
        few: Numbers = {"latents": (float(len(latents)), 0.0)}
        ends = got.tensor("ends", shape=(UpTo(WALKS), 2, LATENTS))
        return few | ({"spread of the ends": (_spreads(got), 0.05)} if len(ends) else {})
    strip = latents[:STEPS][None]
    ends = np.linalg.norm(strip[0, [0, -1]], axis=1)
    apart = float(np.linalg.norm(strip[0, -1] - strip[0, 0]))
    numbers: Numbers = {"apart": (float(apart > 1e-3 * ends.max()), 0.0)}
    if apart <= 1e-3 * ends.max():
        return numbers
    along, aside = coordinates(strip)
    if float(aside.max()) > WALK * apart:
        return {"a walk at random": (1.0, 0.0)}
    return numbers | {
        "along": (along[0], 0.1),
        "beside": (aside[0] / apart, 0.1),
        "spread of the ends": (_spreads(got), 0.05),
        "mean of the ends": (strip[0, [0, -1]].mean(axis=1), 0.35),
    }
