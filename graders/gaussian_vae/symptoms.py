"""Symptoms of mistakes in a Gaussian VAE: the distribution of its draws, and the formulas that its numbers follow.

Evidence that follows from the inputs alone (divergence, likelihood of a known Gaussian, mode) needs no symptoms here,
since it is compared directly.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import logsumexp

from gengrade.arrays import Array
from gengrade.grading import Evidence, UpTo
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.latents import MOST_NUMBERS
from graders.common.networks import narrowest
from graders.common.shares import POINTS, describe_noise
from graders.gaussian_vae.linear_gaussian import LinearGaussian, divergence, log_gaussian, orders
from graders.gaussian_vae.sizes import MOST_LATENTS

EXACT = 1e-3
END = 1.2  # larger outputs are as good as any
SAME = 1e-3
FARTHEST = 20.0  # latents beyond sinh of half of this are cut off
SIGNS = (1.0, 0.0, -1.0)


@symptoms_of("gaussian_vae:draws")
def draws(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the distribution of a draw's noise.

    If the noise was given, whether it was used, and else the draw itself.
    """
    mean, logvar = (np.asarray(inputs[name], dtype=np.float64) for name in ("mean", "logvar"))
    std = np.exp(0.5 * logvar)
    first, second = (got.tensor(name, shape=mean.shape, finite=False) for name in ("draw", "second_draw"))
    found: Numbers = {"attached": (float(got.flag("attached")), 0.0)}
    if "noise" in inputs:
        given = np.asarray(inputs["noise"], dtype=np.float64)
        drawn = (first - mean) / std
        found["noise as given"] = (_same(drawn, given), 0.0)
        # The draw itself is compared if it repeats, but not if the student drew noise of their own.
        return found | ({"draw": (first, EXACT)} if _same(first, second) else {})
    found["same in both calls"] = (float(np.mean(np.abs(first - second) < SAME)), 0.1)
    found |= describe_noise(first, mean, std)
    for name, right in (("mean", np.ones_like(std)), ("logvar", 0.5 * (first - mean))):
        if f"{name}_gradient" in got:
            gradient = got.tensor(f"{name}_gradient", finite=False)
            found[f"right gradient by {name}"] = (float(np.mean(np.isclose(gradient, right, 1e-3, 1e-3))), 0.1)
    return found


@symptoms_of("gaussian_vae:parts")
def parts(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how mean and logvar relate, their range, and what decode made of the known decoder's output."""
    mean, logvar, few = (got.tensor(name, finite=False) for name in ("mean", "logvar", "few"))
    driven = [got.tensor(f"{name}_driven", finite=False) for name in ("mean", "logvar")]
    # Outputs that do not differ between images are described by other numbers.
    ends = [np.clip(narrowest(each), -END, END) if np.ptp(each) else np.zeros(2) for each in driven]
    return {
        "shapes": (np.array([*mean.shape, *logvar.shape], dtype=np.float64), 0.0),
        "mean and logvar are one": (_same(mean, logvar), 0.0),
        "logvar is constant": (float(logvar.flat[0]) if np.ptp(logvar) == 0 else np.nan, EXACT),
        "each image on its own": (_same(few, np.stack([mean, logvar])[:, ::-1][:, : few.shape[1]]), 0.0),
        "range of mean and logvar": (np.stack(ends), 0.15),
        "image": (got.tensor("image", finite=False), EXACT),
        "logvar of the image": (got.tensor("image_logvar", finite=False), EXACT),
    }


@symptoms_of("gaussian_vae:forward")
def forward(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the noise of z, and which formulas give the reconstruction, the likelihood and the divergence."""
    x, model = np.asarray(inputs["x"], dtype=np.float64), _model(inputs)
    z, mean, logvar = (got.tensor(name, finite=False) for name in ("latents", "mean", "logvar"))
    nll, kl, reconstruction = (got.tensor(name, finite=False) for name in ("nll", "kl", "reconstruction"))
    found: Numbers = {
        "shapes": (np.array([*z.shape, *nll.shape, *kl.shape, *reconstruction.shape], dtype=np.float64), 0.0),
        "gradients": (np.array([float(got.flag(f"{name}_reaches")) for name in ("nll", "kl")]), 0.0),
    }
    if z.shape != mean.shape or reconstruction.size != x.size:
        return found
    decoded, flat = model.decode(z), x.reshape(len(x), -1)
    drawn = (z - mean) / np.exp(0.5 * logvar)
    if "noise" in inputs:
        found["noise as given"] = (float(np.allclose(drawn, inputs["noise"], rtol=0.01, atol=0.01)), 0.0)
    else:
        found |= _drawn(z[None], mean, logvar)
    misfit = reconstruction.reshape(flat.shape) - decoded
    found["misfit of the reconstruction"] = (float(np.sqrt(np.mean(misfit**2))), 0.05)
    unit = np.zeros(1)
    values = {
        "likelihood": -log_gaussian(flat, decoded, unit),
        "divergence": divergence(mean, logvar),
        "likelihood of the mode": -log_gaussian(decoded, decoded, unit),
        "divergence of the decoder": divergence(decoded, np.zeros_like(decoded)),
    }
    for name, claimed in (("nll", nll), ("kl", kl)):
        matches = [_same(claimed, right if claimed.size > 1 else right.mean()) for right in values.values()]
        found[name] = (np.array(matches), 0.0)
    return found


@symptoms_of("gaussian_vae:samples")
def samples(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the distribution of the latents, and how far the samples are from the decoder's images."""
    images, z, again = (got.tensor(name, finite=False) for name in ("images", "latents", "again"))
    found: Numbers = {
        "shapes": (np.array([*images.shape, *z.shape], dtype=np.float64), 0.0),
        "same in both calls": (float(np.array_equal(z, again)), 0.0),
    }
    if "noise" in inputs:
        found["noise as given"] = (_same(z, np.asarray(inputs["noise"], dtype=np.float64)), 0.0)
    elif len(z) > 1 and np.allclose(z, z[0]):
        found["one latent"] = (1.0, 0.0)
    else:
        shares = np.array([float(np.mean(z < point)) for point in (*POINTS, 0.0)])
        found["latents"] = (shares, 2 * float(np.sqrt(2 / max(z.size, 1))))
    if len(images) == len(z):
        misfit = images.reshape(len(images), -1) - _model(inputs).decode(z)
        found["misfit"] = (float(np.sqrt(np.mean(misfit**2))), 0.05)
    return found


@symptoms_of("gaussian_vae:interpolate")
def interpolate(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return positions of the images along the line between the ends, in either direction, and beside it."""
    model, ends = _model(inputs), np.asarray(inputs["ends"], dtype=np.float64)
    images = got.tensor("images", finite=False)
    rows = images.reshape(len(images), -1)
    latents = np.sinh(np.clip((rows - model.offset) @ model.matrix / model.strengths, -FARTHEST, FARTHEST) / 2)
    way = ends[1] - ends[0]
    along = (latents - ends[0]) @ way / float(way @ way)
    beside = rows - model.decode_bent(ends[0] + along[:, None] * way)
    direction = np.subtract(*model.decode_bent(ends[::-1]))
    if along[0] > along[-1]:
        along = 1 - along
    return {
        "shape": (np.array(images.shape, dtype=np.float64), 0.0),
        "along": (along, 0.01 + 6 * float(beside.std() / np.sqrt(direction @ direction))),
        "beside": (np.sqrt(np.mean(beside**2, axis=1)), 0.1 * float(beside.std()) + EXACT),
        "decoded": (float(len(got.tensor("latents")) >= int(inputs["n"])), 0.0),
    }


@symptoms_of("gaussian_vae:log_likelihood")
def log_likelihood(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the number and the distribution of the draws, and the densities' formula that gives the estimate."""
    x, model, count = np.asarray(inputs["x"], dtype=np.float64), _model(inputs), int(inputs["draws"])
    injected = [np.asarray(inputs[name], dtype=np.float64) for name in ("mean", "logvar")]
    own = [] if got.flag("asked") else [got.tensor(name, shape=injected[0].shape) for name in ("mean", "logvar")]
    mean, logvar = own or injected
    logvar = np.clip(logvar, -60, 60)
    estimate, z = (
        got.tensor("log_likelihood", finite=False),
        got.tensor("latents", shape=(UpTo(MOST_LATENTS), UpTo(MOST_NUMBERS)), finite=False),
    )
    found: Numbers = {
        "shape": (np.array(estimate.shape, dtype=np.float64), 0.0),
        "draws": (len(z) / len(x), 0.0),
        "asked": (float(got.flag("asked")), 0.0),
        "finite": (float(np.isfinite(estimate).mean()), 0.1),
    }
    too_many = len(z) > 8 * count * len(x)  # they would take too much memory below
    if len(z) == 0 or len(z) % len(x) or too_many or not np.isfinite(estimate).all():
        return found
    candidates = sorted(orders(z, len(x)), key=lambda each: float(np.mean((each - mean) ** 2 / np.exp(logvar))))
    found |= _drawn(candidates[0], mean, logvar)
    formulas = (
        _formula(estimate, _terms(x.reshape(len(x), -1), drawn, model, mean, logvar), count) for drawn in candidates
    )
    found["formula"] = (next((formula for formula in formulas if formula != -1.0), -1.0), 0.0)
    if found["formula"][0] == -1.0:
        away = estimate - model.log_prob(x)
        found["away from log p(x)"] = (float(away.mean()), 1.0 + 6 * float(away.std()) / np.sqrt(away.size))
    return found


def _drawn(z: Array, mean: Array, logvar: Array) -> Numbers:
    """Return the standardised distribution of latents [K, B, d] under the posterior, and if all draws are the same."""
    standardised = (z - mean) / np.exp(0.5 * logvar)
    shares = np.array([float(np.mean(standardised < point)) for point in (*POINTS, 0.0)])
    return {
        "z": (shares, 2 * float(np.sqrt(2 / z.size))),
        "z repeated": (float(len(z) > 1 and len(np.unique(z.reshape(-1, z.shape[2]), axis=0)) <= z.shape[1]), 0.0),
    }


def _terms(x: Array, z: Array, model: LinearGaussian, mean: Array, logvar: Array) -> tuple[Array, ...]:
    """Return log p(x|z), log p(z), log q(z|x) and the divergence, [K, B] each."""
    none = np.zeros(1)
    densities = (log_gaussian(x, model.decode(z), none), log_gaussian(z, none, none), log_gaussian(z, mean, logvar))
    return (*densities, np.broadcast_to(divergence(mean, logvar), z.shape[:2]))


def _formula(estimate: Array, terms: tuple[Array, ...], count: int) -> float:
    """Identify the formula of an estimate: 10 times the number of its signs plus that of its reduction, or −1."""
    for number, signs in enumerate(product(SIGNS, SIGNS, SIGNS, (0.0, -1.0))):
        weights = np.sum([sign * term for sign, term in zip(signs, terms, strict=True) if sign], axis=0)
        if np.ndim(weights) == 0:
            continue
        summed = logsumexp(weights, axis=0)
        mean = summed - np.log(count)
        hundredth = summed - np.log(100)
        reductions = (mean, summed, weights.mean(axis=0), weights.max(axis=0), summed / count, -mean, hundredth)
        for kind, value in enumerate(reductions):
            right = value if estimate.size > 1 else value.mean()
            if np.allclose(estimate, right, rtol=3e-5, atol=0.01):
                return float(10 * number + kind)
    return -1.0


def _model(inputs: Inputs) -> LinearGaussian:
    matrix, offset = (np.asarray(inputs["map_"][name], dtype=np.float64) for name in ("matrix", "offset"))
    return LinearGaussian(matrix, offset)


def _same(left: Array, right: Array | float) -> float:
    """1 if two arrays agree within a tolerance of 1e-3, else 0."""
    return float(np.shape(left) in (np.shape(right), (1,)) and np.allclose(left, right, rtol=1e-3, atol=EXACT))
