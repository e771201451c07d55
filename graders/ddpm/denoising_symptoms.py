"""Symptoms of mistakes in a diffusion process that is an object: in the noise of a step, in its clamp, and in the loss.

All other evidence follows from the probes' inputs alone, and is compared directly.
"""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence
from gengrade.grading.symptoms import Inputs, Symptoms, symptoms_of
from graders.common.shares import POINTS, share_of
from graders.ddpm.posterior import NOISE

Numbers = dict[str, tuple[Array | float, float]]

EXACT = 1e-3
SAME = 1e-3
ALONG = 0.999  # the least cosine of arrays that count as multiples of each other


@symptoms_of("ddpm.denoising:step_back_draws")
def step_back_draws(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the weights of x_t and x_0 in x_{t−1}, and the distribution and repetition of the rest."""
    x, start = (np.asarray(inputs[name], dtype=np.float64) for name in ("x_t", "start"))
    draws = [got.tensor(name, x.shape, finite=False) for name in ("next_images", "second_next_images")]
    basis = np.stack([x.ravel(), start.ravel(), np.ones(x.size)], axis=1)
    weights, *_ = np.linalg.lstsq(basis, draws[0].ravel(), rcond=None)
    rest = draws[0] - (basis @ weights).reshape(x.shape)
    rows = rest.reshape(len(rest), -1)
    shared = [share_of(np.abs(np.diff(rows, axis=axis)) < SAME) for axis in (0, 1)]
    found: Numbers = {
        "same in both calls": (share_of(np.abs(draws[0] - draws[1]) < SAME), 0.1),
        "shared by images and pixels": (np.array(shared), 0.1),
    }
    if max(shared) > 0.5:
        return found
    error = 6 * float(rest.std()) / float(np.sqrt(rest.size))
    # The intercept is the least certain: x_0 is between 0 and 1.
    found["weights of x_t and x_0"] = (np.asarray(weights[:2], dtype=np.float64), 4 * error + EXACT)
    shares = np.array([share_of(rows < point) for point in (*POINTS, 0.0)])
    return found | {"shares below points": (shares, 4 * 0.5 * float(np.sqrt(2 / rows.size)))}


@symptoms_of("ddpm.denoising:clamped")
def clamped(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how x_{t−1} changes where only x_0 does, so that the noise does not matter, by objective."""
    shape = np.asarray(inputs["x_t"]).shape
    found: Numbers = {}
    for objective in [each for each in ("pred_noise", "pred_x_start") if each in got]:
        steps = got[objective]
        names = ("beyond", "within", "lifted", "bright", "other")
        images = np.stack([steps.tensor(name, shape, finite=False) for name in names])
        found[objective] = (images[:-1] - images[1:], EXACT)
    return found


@symptoms_of("ddpm.denoising:losses")
def losses(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return what q_sample and the model are given, which known formula gives the loss, and what two calls share.

    The first case is enough, since each shows the same.
    """
    case = inputs["cases"][0]
    calls = got.list(exactly=len(inputs["cases"]))[0].list(exactly=2)
    found = dict(_loss({**case, "objective": inputs["objective"]}, calls[0]))
    images, steps = np.asarray(case["images"]), len(case["sequences"]["loss_weight"])
    if any(not call.flag("replaced") or call.is_none("noise") or call.is_none("noised_times") for call in calls):
        return found
    noises = [call.tensor("noise", images.shape, finite=False) for call in calls]
    found["noise of both calls"] = (share_of(np.abs(noises[0] - noises[1]) < SAME), 0.1)
    times = calls[0].tensor("noised_times", finite=False)
    if times.shape == images.shape[:1] and np.ptp(times) > 0:
        found["mean of the times"] = (float(times.mean()) / steps, 6 * 0.3 / float(np.sqrt(len(times))))
    return found


def _loss(inputs: Inputs, got: Evidence) -> Numbers:
    images, noisy, predicted = (np.asarray(inputs[name], dtype=np.float64) for name in ("images", "noisy", "predicted"))
    value = got.tensor("loss", finite=False)
    seen = got.tensor("seen_images", images.shape, finite=False)
    found: Numbers = {
        "shape of the loss": (np.array(value.shape, dtype=np.float64), 0.0),
        "attached, q_sample called": (np.array([float(got.flag(name)) for name in ("attached", "replaced")]), 0.0),
        "without time, without text": (
            np.array([float(got.is_none(name)) for name in ("seen_times", "seen_text")]),
            0.0,
        ),
        "model is given": (np.array([_same(seen, each) for each in (noisy, images, 2 * images - 1)]), 0.0),
    }
    if not got.flag("replaced"):
        return found
    scaled = got.tensor("noised", images.shape, finite=False)
    found["q_sample is given"] = (
        np.array([_same(scaled, each) for each in (images, 2 * images - 1, 4 * images - 3)]),
        0.0,
    )
    if got.is_none("noise") or got.is_none("noised_times") or got.shape("noised_times") != images.shape[:1]:
        return found | {"noise": (0.0, 0.0)}
    noise, times = got.tensor("noise", images.shape, finite=False), got.tensor("noised_times", finite=False)
    sequence = np.asarray(inputs["sequences"]["loss_weight"], dtype=np.float64)
    weights = sequence[np.clip(times, 0, len(sequence) - 1).astype(np.int64)].reshape(-1, 1, 1, 1)
    targets = {"noise": noise, "clean image": 2 * images - 1, "image": images, "noisy image": noisy}
    for name, target in targets.items():
        found[f"loss by the {name}"] = (_which(float(value.mean()), predicted - target, weights), 0.0)
    slopes = got.tensor("gradient", images.shape, finite=False)
    target = noise if inputs["objective"] == NOISE else targets["clean image"]
    right = float((weights * (predicted - target) ** 2).mean())
    if all(found[f"loss by the {name}"][0] < 0 for name in targets):
        found["loss, in units of the right one"] = (float(value.mean()) / right, 0.1)
    along = [
        float(_cosine(slopes, weighted * (predicted - each)) > ALONG)
        for each in targets.values()
        for weighted in (weights, 1.0)
    ]
    found["the gradient, with weights and without, by each target"] = (np.array(along), 0.0)
    found["pixels without a gradient"] = (share_of(slopes == 0), 0.02)
    repeated = share_of(np.abs(np.diff(noise.reshape(len(noise), -1), axis=0)) < SAME)
    spread = (np.array([noise.mean(), noise.std()]), 12 / float(np.sqrt(noise.size)))
    return found | {
        "noise": spread,
        "noise shared by images": (repeated, 0.1),
        "one time": (float(np.ptp(times) == 0), 0.0),
    }


def _cosine(left: Array, right: Array) -> float:
    """Return the cosine of the angle between two arrays; 0 where one of them is zero."""
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(np.sum(left * right)) / lengths if lengths > 0 else 0.0


def _which(value: float, residuals: Array, weights: Array) -> float:
    """Return the number of the known formula that gives this value for these residuals and weights, or −1."""
    squares, count = residuals**2, len(residuals)
    guesses = (
        (weights * squares).mean(),
        squares.mean(),
        weights.mean() * squares.mean(),
        (weights * squares).sum(),
        (weights * squares).sum() / count,
        (weights * np.abs(residuals)).mean(),
        np.sqrt((weights * squares).mean()),
        0.5 * (weights * squares).mean(),
        (weights**2 * squares).mean(),
        (np.sqrt(weights) * squares).mean(),
        (squares / weights).mean(),
        -(weights * squares).mean(),
    )
    for number, guess in enumerate(guesses):
        if abs(value - guess) <= EXACT * abs(guess):
            return float(number)
    return -1.0


def _same(left: Array, right: Array) -> float:
    return float(left.shape == right.shape and np.allclose(left, right, rtol=EXACT, atol=EXACT))
