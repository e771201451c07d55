"""Symptoms of mistakes in a diffusion process: the distribution and the use of noise that it draws itself.

All other evidence follows from the injected inputs alone, and is compared directly.
"""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.shares import POINTS, share_of
from graders.ddpm.diffusion import broken_huber, huber

EXACT = 1e-3
SAME = 1e-3
TIMES = (0.02, 0.98)  # shares of the range of times near its ends, where most mistakes are made


@symptoms_of("ddpm:q_sample_draws")
def q_sample_draws(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the weights of image and noise in x_t, at early and at late times."""
    images, t = np.asarray(inputs["x_start"], dtype=np.float64), np.asarray(inputs["t"])
    signal, spread = (np.asarray(sequence, dtype=np.float64)[t] for sequence in inputs["coefficients"])
    draws = [got.tensor(name, shape=images.shape, finite=False) for name in ("noisy_images", "second_noisy_images")]
    late = t >= np.median(t)
    found: Numbers = _repeated(*draws)
    for name, rows in (("early", ~late), ("late", late)):
        weights = (part[rows].reshape(-1, 1, 1, 1) for part in (signal, spread))
        found |= _mixture(name, draws[0][rows], images[rows], *weights)
    return found


@symptoms_of("ddpm:p_sample_draws")
def p_sample_draws(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the weights of x_t, the predicted noise and new noise in x_{t−1}."""
    x, predicted = (np.asarray(inputs[name], dtype=np.float64) for name in ("x", "predicted"))
    draws = [got.tensor(name, shape=x.shape, finite=False) for name in ("next_images", "second_next_images")]
    basis = np.stack([x.ravel(), predicted.ravel()], axis=1)
    weights, *_ = np.linalg.lstsq(basis, draws[0].ravel(), rcond=None)
    rest = draws[0] - (basis @ weights).reshape(x.shape)
    tolerance = 6 * float(rest.std()) / np.sqrt(rest.size) + EXACT
    return _repeated(*draws) | {"weights of x and ε": (weights, tolerance)} | _noise("noise", rest)


@symptoms_of("ddpm:loop")
def loop(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the order of the steps, the images that they start from and return, and the noise of all of these."""
    injected = np.asarray(inputs["injected"], dtype=np.float64)
    images = got.tensor("images", finite=False)
    found: Numbers = {
        "shape of the result": (np.array(images.shape, dtype=np.float64), 0.0),
        "steps": (np.array([step.integer() for step in got.list("indices")], dtype=np.float64), 0.0),
    }
    if not got.flag("replaced"):
        return found
    found["times"] = (np.stack([step.tensor() for step in got.list("times")]), 0.0)
    found["model and whole times"] = (np.array([float(got.flag(name)) for name in ("model", "whole")]), 0.0)
    shown = np.stack([x.tensor(shape=injected.shape[1:], finite=False) for x in got.list("image_of_step")])
    found["where steps begin"] = (np.array([_place(x, [shown[0], *injected]) for x in shown[1:]]), 0.0)
    if images.shape[1:] == injected.shape[1:]:
        found["what is returned"] = (np.array([_place(x, [shown[0], *injected]) for x in images]), 0.0)
    noises = [None if step.is_none() else step.tensor(finite=False) for step in got.list("noise_of_step")]
    if "noise" in inputs:
        given = [*np.asarray(inputs["noise"], dtype=np.float64)]
        found["noise of the start"] = (float(_place(shown[0], given)), 0.0)
        places = [-1.0 if noise is None else _place(noise, given) for noise in noises[:-1]]
        # The student may choose which step uses which noise.
        proper = len({*places, -1.0, 0.0}) == len(places) + 2
        found["noises"] = (np.zeros(1) if proper else np.array(places), 0.0)
        return found
    return found | _noise("start", shown[0]) | _handed([noise for noise in noises[:-1] if noise is not None], shown[0])


@symptoms_of("ddpm:samples")
def samples(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the times of the steps, and the rough mean and spread of the final images."""
    images = got.tensor("images", finite=False)
    times = [step.tensor(finite=False) for step in got.list("times")]
    found: Numbers = {
        "shape": (np.array(images.shape, dtype=np.float64), 0.0),
        "steps": (np.array([time.flat[0] if time.size else -1.0 for time in times]), 0.0),
        "shape of times": (np.array([time.shape for time in times[:1]], dtype=np.float64), 0.0),
    }
    if images.ndim != 1 + len(inputs["shape"]) or not np.isfinite(images).all():
        return found
    last = images[-1].reshape(len(images[-1]), -1)
    scale = float(last.std()) + 1e-6
    error = 6 * scale / np.sqrt(len(last))
    return found | {"mean": (last.mean(axis=0), error), "spread": (last.std(axis=0), error)}


@symptoms_of("ddpm:loss")
def loss(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the symptoms of one call, and whether both calls have the same noise."""
    calls = got.list(exactly=2)
    found = dict(_loss(inputs, calls[0]))
    if "noise" in inputs or any(not call.flag("replaced") or call.is_none("noise") for call in calls):
        return found
    shape = np.asarray(inputs["x_start"]).shape
    return found | _repeated(*(call.tensor("noise", shape=shape, finite=False) for call in calls))


def _loss(inputs: Inputs, got: Evidence) -> Numbers:
    """Return what the model was given, the noise, and which known loss formula gives the student's loss."""
    images, predicted = (np.asarray(inputs[name], dtype=np.float64) for name in ("x_start", "predicted"))
    noisy, t = np.asarray(inputs["noisy"], dtype=np.float64), np.asarray(inputs["t"])
    value, times = got.tensor("loss", finite=False), got.tensor("shown_times", finite=False)
    shown = got.tensor("shown_images", shape=images.shape, finite=False)
    found: Numbers = {
        "shape of the loss": (np.array(value.shape, dtype=np.float64), 0.0),
        "attached": (float(got.flag("attached")), 0.0),
        "shown the noisy, the clean": (np.array([_same(shown, noisy), _same(shown, images)]), 0.0),
        "shape of the times": (np.array(times.shape, dtype=np.float64), 0.0),
        "times": (times - t.reshape(-1, *[1] * (times.ndim - 1)), 0.0),
    }
    if not got.flag("replaced"):
        # q_sample was not called: the noise follows from the images that the model was given.
        signal, spread = (np.asarray(part, np.float64)[t].reshape(-1, 1, 1, 1) for part in inputs["coefficients"])
        used = (shown - signal * images) / spread
    elif got.is_none("noise"):
        return found | {"noise passed on": (0.0, 0.0)}
    else:
        used = got.tensor("noise", shape=images.shape, finite=False)
    if "noise" in inputs:
        found["noise as given"] = (_same(used, np.asarray(inputs["noise"], dtype=np.float64)), 0.0)
    for name, target in (("noise", used), ("image", images), ("noisy image", noisy)):
        found[f"loss of the {name}"] = (_which(float(value.mean()), predicted - target), 0.0)
    return found | ({} if "noise" in inputs else _noise("noise", used))


@symptoms_of("ddpm:times")
def times(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the shares of the smallest and largest times, and if times are whole, shared by a batch, or repeated."""
    steps = int(inputs["steps"])
    first, second = (got.tensor(name, finite=False) for name in ("times", "second_times"))
    shares = [float(np.mean(first == value)) for value in (0, 1, steps - 2, steps - 1, steps)]
    return {
        "shape": (np.array(first.shape, dtype=np.float64), 0.0),
        "whole": (np.array([float(got.flag("whole")), float(np.all(first == np.round(first)))]), 0.0),
        "one for all": (float(np.ptp(first) == 0), 0.0),
        "as before": (float(np.array_equal(first, second)), 0.0),
        "shares": (np.array(shares) if np.ptp(first) > 0 else 0.0, 0.01),
    }


def _mixture(name: str, draws: Array, images: Array, signal: Array, spread: Array) -> Numbers:
    """Return the weight of the image in units of √ᾱ, and the noise in units of √(1 − ᾱ)."""
    weight = float(np.sum(draws * images / signal) / np.sum(images**2))
    noise = (draws - weight * signal * images) / spread
    error = 6 * float(noise.std() + 1) / np.sqrt(noise.size)
    return {f"weight of the image, {name}": (weight, 0.05 + error)} | _noise(f"noise, {name}", noise)


def _noise(name: str, noise: Array) -> Numbers:
    """Return the shares of noise below some points, or the shares that images or pixels have in common."""
    rows = noise.reshape(len(noise), -1)
    shared = [share_of(np.abs(np.diff(rows, axis=axis)) < SAME) for axis in (0, 1)]
    if max(shared) > 0.5:
        return {f"{name}, shared by images and pixels": (np.array(shared), 0.1)}
    shares = np.array([share_of(rows < point) for point in (*POINTS, 0.0)])
    return {f"{name}, shares below points": (shares, 4 * 0.5 * float(np.sqrt(2 / rows.size)))}


def _handed(noises: list[Array], start: Array) -> Numbers:
    """Of the noise that a loop draws for its steps, the share that is zero, and the share that repeats other noise.

    Repeated noise is that of the start or of the first step. A loop that draws no noise itself is right as well.
    """
    zeros = float(np.mean([not noise.any() for noise in noises])) if noises else 0.0
    same = float(np.mean([_place(noise, [start, noises[0]]) >= 0 for noise in noises[1:]])) if noises[1:] else 0.0
    return {"noise of the steps, zero or shared": (np.array([zeros, same]), 0.0)}


def _repeated(first: Array, second: Array) -> Numbers:
    return {"same in both calls": (share_of(np.abs(first - second) < SAME), 0.1)}


def _which(value: float, residuals: Array) -> float:
    """Return the number of the known loss formula that gives this value for these residuals, or −1 if there is none."""
    distance = np.abs(residuals)
    terms = np.where(distance <= 1, 0.5 * residuals**2, distance - 0.5)
    others = (broken_huber(residuals), huber(residuals, bend=0.5))
    guesses = (terms.mean(), (residuals**2).mean(), distance.mean(), terms.sum(), -terms.mean(), *others)
    for number, guess in enumerate(guesses):
        if abs(value - guess) <= EXACT * abs(guess):
            return float(number)
    return -1.0


def _place(x: Array, among: list[Array]) -> float:
    """Return the index of the array among others that equals x, or −1 if there is none."""
    for index, each in enumerate(among):
        if each.shape == x.shape and _same(x, each):
            return float(index)
    return -1.0


def _same(left: Array, right: Array) -> float:
    return float(left.shape == right.shape and np.allclose(left, right, rtol=1e-3, atol=1e-3))
