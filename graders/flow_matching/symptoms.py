"""Symptoms of mistakes in flow matching, where the student's code draws random numbers itself.

All other evidence follows from the inputs alone, and is compared directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.shares import describe_noise
from graders.flow_matching.coins import are_together
from graders.flow_matching.gaussian_paths import Powers
from graders.flow_matching.processes import AffineField

SAME = 1e-3  # numbers nearer than this count as equal
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)  # times whose distribution function is compared
EARLY, ENOUGH = 1e-3, 10_000  # among so many times from [0, 1), some are earlier than this
CALLS = ("path", "target", "model")
KINDS = ("", "field", "score")  # of targets


@symptoms_of("flow_matching.simulation:euler_maruyama")
def euler_maruyama(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the weight of the drift in a step, the law of its noise, and whether the next step has the same noise."""
    x, h = np.asarray(inputs["x"], dtype=np.float64), float(inputs["h"])
    points = got.tensor("points", shape=(int(inputs["steps"]) + 1, *x.shape), finite=False)
    field = AffineField(inputs["matrix"], inputs["slope"])
    sigma, weight = (float(inputs["noise"][name]) for name in ("sigma", "weight"))
    noises = []
    if len(x) == 1:  # of a single point, the noise of all its steps
        before, after = points[:-1, 0], points[1:, 0]
        return {"noise of one point": (float(np.abs(np.diff(after - before, axis=0)).mean() > SAME), 0.0)}
    for step in (0, 1):
        before = points[step]
        spread = sigma * (1 + weight * np.abs(before)) * np.sqrt(h)
        noises.append((points[step + 1] - before - h * field(before, step * h)) / spread)
    drift = h * field(points[0], 0.0) / (sigma * np.sqrt(h))
    share = float((noises[0] * drift).sum() / max(float((drift**2).sum()), 1e-12))
    spread = sigma * (1 + weight * np.abs(points[0]))
    return {
        "noise in the next step as well": (_same(*noises), 0.1),
        "weight of the drift": (share, 0.15 + 0.1 * abs(share)),
        **describe_noise(spread * noises[0], np.sign(drift), spread),
    }


@symptoms_of(
    "flow_matching.simulation:brownian_motion",
    "flow_matching.simulation:ou_process",
    "flow_matching.simulation:langevin",
)
def coefficients(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the coefficients of two calls; of one that is random, only that it is."""
    found: Numbers = {}
    for name in ("drift", "diffusion"):
        first, second = (got.tensor(each, finite=False) for each in (name, f"second_{name}"))
        found[f"shape of the {name}"] = (np.array(first.shape, dtype=np.float64), 0.0)
        random = first.shape != second.shape or not np.allclose(first, second)
        found[f"random {name}"] = (float(random), 0.0)
        if not random:
            found[name] = (first, 1e-4)
    return found


@symptoms_of("flow_matching:path_draws")
def path_draws(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the weight of z in draws, the law of their noise, and whether two calls draw the same."""
    schedule, z, t = Powers(**inputs["schedule"]), np.asarray(inputs["z"], dtype=np.float64), inputs["t"]
    draws = [got.tensor(name, shape=z.shape, finite=False) for name in ("draws", "second_draws")]
    early = (t < np.median(t))[:, 0]
    found: Numbers = {"same in both calls": (_same(*draws), 0.1)}
    for name, rows in (("early", early), ("late", ~early)):
        mean, spread = schedule.alpha(t[rows]) * z[rows], schedule.beta(t[rows])
        if not mean.size or not spread.all():
            continue
        weight = float((draws[0][rows] * mean).sum() / max(float((mean**2).sum()), 1e-12))
        found[f"weight of z, {name}"] = (weight, 0.1)
        law = describe_noise(draws[0][rows], mean, np.broadcast_to(spread, mean.shape))
        found |= {f"{what}, {name}": value for what, value in law.items()}
    return found


@symptoms_of("flow_matching:linear_draw")
def linear_draw(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the draws, if x₀ came from p_simple; otherwise whether it came from the data."""
    asked = np.array([each.integer() for each in got.list("asked")], dtype=np.float64)
    blend, z, t = got.tensor("blend", finite=False), np.asarray(inputs["z"], dtype=np.float64), inputs["t"]
    if asked.size or blend.shape != z.shape:
        return {"asked of p_simple": (asked, 0.0), "blend": (blend, 1e-3)}
    return {"asked of p_simple": (asked, 0.0), "start is the data": (_equal((blend - t * z) / (1 - t), z), 0.0)}


@symptoms_of("flow_matching.loss:dropped")
def dropped(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how many labels are dropped, whether together, and what other labels the model was given."""
    labels = [np.asarray(each, dtype=np.float64) for each in inputs["labels"]]
    batches = got.list("batches", exactly=len(labels))
    if any(each.is_none() for each in batches):
        return {"labels": (-1.0, 0.0)}
    given = [each.tensor(finite=False) for each in batches]
    alike = [float(each.shape == right.shape) for each, right in zip(given, labels, strict=True)]
    found: Numbers = {"shapes of labels": (np.array(alike), 0.0)}
    if not all(alike):
        return found
    away = [each == got.integer("null_label") for each in given]
    flat, drawn, gone = np.concatenate(given), np.concatenate(labels), np.concatenate(away)
    others = flat[~gone & (flat != drawn)]
    pairs = [(one, other) for one, other in pairwise(away) if len(one) == len(other)]
    together, error = are_together(away) and 0 < gone.mean() < 1, 3.0 / np.sqrt(flat.size)
    neighbours = np.concatenate([each[: len(each) // 2 * 2].reshape(-1, 2) for each in away])
    return found | {
        "together": (float(together), 0.0),
        "share of dropped labels": (0.0 if together else float(gone.mean()), error),
        "neighbours alike": (float((neighbours[:, 0] == neighbours[:, 1]).mean()), 2 * error),
        "the same places in all batches": (float(all((one == other).all() for one, other in pairs)), 0.0),
        "share of other labels": (float(others.size) / flat.size, error),
        "other label": (float(others[0]) if others.size and np.ptp(others) == 0 else -2.0, 0.0),
        "whole": (float(got.flag("whole")), 0.0),
    }


@symptoms_of("flow_matching.loss:guided")
def guided(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the symptoms of a loss, and whether the model was given labels.

    Where the trainer is told the null label, as in 2026, times [B] are as good as times [B, 1, 1, 1].
    """
    given = any(not each.is_none("labels") for each in loss_calls(inputs, got)[0].list("model"))
    found = {**losses(inputs, got), "labels given": (float(given), 0.0)}
    shapes, _ = found.get("shapes of times", (None, 0.0))
    if shapes is not None and got.integer("null_label") == int(inputs["null_label"]):
        found["shapes of times"] = (np.where(np.asarray(shapes) == 1, len(inputs["x"].shape), shapes), 0.0)
    return found


@symptoms_of("flow_matching.loss:flow_matching", "flow_matching.loss:score_matching")
def losses(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the symptoms of a trainer's first loss, of the whole batch, and whether the next has the same times."""
    calls = loss_calls(inputs, got)
    return loss(inputs, calls[0]) | same_times(calls)


def same_times(calls: Sequence[Evidence]) -> Numbers:
    """Return whether the model gets the same times for the first two batches, which have the same size."""
    times = [each.tensor("times", finite=False) for call in calls[:2] for each in call.list("model")[-1:]]
    if len(times) < 2 or times[0].size < 2 or not np.ptp(times[0]):
        return {}
    return {"same times in the next batch": (float(np.array_equal(times[0], times[1])), 0.0)}


def loss_calls(inputs: Inputs, got: Evidence) -> list[Evidence]:
    """Return the evidence of each loss of a trainer."""
    return got.list("calls", exactly=len(inputs["sizes"]))


def loss(inputs: Inputs, got: Evidence) -> Numbers:
    """Return what path, target and model were given, the law of the times, and which formula gives the loss."""
    data, drawn = (np.asarray(inputs[name], dtype=np.float64) for name in ("z", "x"))
    which = got.text("which")
    found: Numbers = {
        "asked of path, target and model": (
            np.array([float(name in got) for name in ("path", "target", "model")]),
            0.0,
        ),
        "draws of data": (float(len(got.list("asked"))), 0.0),
        "target": (float(KINDS.index(which)) if which in KINDS else -1.0, 0.0),
        "attached": (float(got.flag("attached")), 0.0),
    }
    calls = {name: got.list(name)[-1] for name in CALLS if got.list(name)}
    given = {name: call.tensor("points", finite=False) for name, call in calls.items()}
    for name, points in given.items():
        found[f"points of the {name}"] = (np.array([_equal(points, data), _equal(points, drawn)]), 0.0)
    if {"path", "target"} <= given.keys():
        source = calls["target"].tensor("source", finite=False)
        found["same z in path and target"] = (np.array([_equal(source, given["path"]), _equal(source, drawn)]), 0.0)
    found |= _times(list(calls.values()))
    if which in inputs:
        residuals = np.asarray(inputs["outputs"], dtype=np.float64) - inputs[which]
        found["formula"] = (_formula(got["loss"].number(finite=False), residuals), 0.0)
    return found


def _times(calls: list[Evidence]) -> Numbers:
    """Return the shapes of the times, whether all calls have the same ones, and their distribution."""
    times = [call.tensor("times", finite=False) for call in calls if not call.is_none("times")]
    if not times:
        return {"times": (-1.0, 0.0)}
    flat = [each.reshape(-1) for each in times]
    error = 3.0 / np.sqrt(flat[0].size)
    begins = flat[0].size < ENOUGH or float(flat[0].min()) < EARLY
    shares = np.array([[np.mean(each < share) for share in SHARES] for each in flat])
    return {
        "shapes of times": (np.array([[each.ndim, each.size] for each in times], dtype=np.float64), 0.0),
        "same times": (np.array([_equal(flat[0], each) for each in flat]), 0.0),
        "begin at 0": (float(begins), 0.0),
        "one time for all": (np.array([float(np.ptp(each) == 0) for each in flat]), 0.0),
        "distribution of times": (np.where(np.ptp(flat[0]) == 0, 0.0, shares), error),
    }


def _formula(value: float, residuals: Array) -> float:
    """Return the number of the known formula that gives this loss for these residuals, or −1 if there is none.

    A mean of squares over coordinates counts as their sum, since both are right.
    """
    n, rows = len(residuals), residuals.reshape(len(residuals), -1)
    squares, distances = (rows**2).sum(axis=1), np.abs(rows)
    guesses = (
        (squares.mean(), (rows**2).mean()),
        (squares.sum(), (rows**2).mean() * n),
        (np.sqrt(squares).mean(),),
        (distances.mean(), distances.sum(axis=1).mean()),
        (np.sqrt(squares.sum()) / n,),
        (np.sqrt(squares.sum()),),
        (np.sqrt(squares.mean()), np.sqrt((rows**2).mean())),
    )
    for number, alike in enumerate(guesses):
        if any(abs(value - guess) <= SAME * abs(guess) for guess in alike):
            return float(number)
    return -1.0


def _equal(left: Array, right: Array) -> float:
    return float(left.shape == right.shape and np.allclose(left, right, rtol=SAME, atol=SAME))


def _same(first: Array, second: Array) -> float:
    """Return the share of numbers that two draws have in common."""
    return float(np.mean(np.abs(first - second) < SAME))
