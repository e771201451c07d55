"""Symptoms of mistakes in a VAE's arithmetic, loss, samples and manifold, whatever its networks are.

Random results are compared by shares of many draws; the tolerance is how far two right sets of draws differ.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from gengrade.arrays import Array
from gengrade.grading import Evidence, UpTo
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.manifolds import CLOSE, tiles_in_a_row, tiles_of
from graders.common.shares import POINTS, describe_noise, share_of, tolerance_of
from graders.common.units import BITS
from graders.vae.loop_symptoms import SAME
from graders.vae.sizes import MOST_DRAWS, MOST_LATENTS

EXACT = 1e-3  # tolerance on results that differ only by rounding
EDGES = (0.2, 0.8)  # probabilities that divide pixels into those that are 1 seldom, at times, and often


# Draws


@symptoms_of("vae:reparameterize")
def reparameterize(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the noise of both draws, and which of the gradients are zero or right."""
    mean, std, weights = (np.asarray(inputs[name], dtype=np.float64) for name in ("mean", "std", "weights"))
    first = got.tensor("first", finite=False)
    symptoms: Numbers = {
        "shape": (np.array(first.shape, dtype=np.float64), 0.0),
        "attached": (float(got.flag("attached")), 0.0),
    }
    if first.shape != mean.shape:
        return symptoms
    second = got.tensor("second", shape=mean.shape, finite=False)
    symptoms |= describe_noise(first, mean, std)
    symptoms["same noise in both calls"] = (share_of(np.abs(first - second) < SAME * std), 0.1)
    if "mean_gradient" in got:
        to_mean, to_std = got.tensor("mean_gradient", finite=False), got.tensor("std_gradient", finite=False)
        for name, gradient, right in (
            ("mean", to_mean, weights),
            ("std", to_std, weights * (first - mean) / std),
        ):
            symptoms[f"no gradient to {name}"] = (share_of(gradient == 0), 0.1)
            symptoms[f"right gradient to {name}"] = (share_of(np.isclose(gradient, right, 1e-3, 1e-4)), 0.1)
    return symptoms


# The loss


@symptoms_of("vae:loss")
def loss(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the losses, which follow from the injected code and logits; the noise of z; and the gradients."""
    seen = got.flag("encoder_seen") and got.flag("decoder_seen")
    symptoms: Numbers = {"seen": (float(seen), 0.0)}
    for name in ("rec", "reg", "bpd"):
        symptoms[name] = (got.tensor(name, finite=False), EXACT)
    if not seen:
        return symptoms
    mean, log_std = (np.asarray(values, dtype=np.float64) for values in inputs["code"])
    z = got.tensor("z", shape=(UpTo(MOST_DRAWS), *mean.shape), finite=False)
    draws = [describe_noise(draw, mean, np.exp(log_std)) for draw in z]
    symptoms |= draws[0] if draws else {}
    if "mean_gradient" not in got:
        return symptoms
    symptoms["z attached"] = (float(got.flag("z_attached")), 0.0)
    symptoms["decoder trained"] = (float(got.flag("decoder_trained")), 0.0)
    through_z = got.tensor("z_gradient", shape=z.shape, finite=False)
    unit = BITS / inputs["images"].size
    sources = {
        "mean": (through_z.sum(axis=0), unit * mean),
        "log_std": ((through_z * (z - mean)).sum(axis=0), unit * (np.exp(2 * log_std) - 1)),
    }
    for name, (through_draw, through_kl) in sources.items():
        gradient = got.tensor(f"{name}_gradient", finite=False)
        symptoms |= _composition(f"gradient of {name}", gradient, through_draw, through_kl)
    return symptoms


def _composition(name: str, gradient: Array, through_draw: Array, through_kl: Array) -> Numbers:
    """Describe a gradient as a weighted sum of the one through the draw and the one through the KL divergence.

    Weights of 1 and 1 are right. If the gradient is no such sum, the draw or the divergence itself is wrong, which
    other symptoms show.
    """
    parts = np.stack([through_draw.ravel(), through_kl.ravel()], axis=1)
    if not np.isfinite(gradient).all() or not np.isfinite(parts).all():
        return {f"{name} is finite": (0.0, 0.0)}
    scales = np.maximum(np.abs(parts).max(axis=0), 1e-30)
    shares, *_ = np.linalg.lstsq(parts / scales, gradient.ravel(), rcond=None)
    missed = np.abs(gradient.ravel() - parts / scales @ shares).max()
    if missed > 1e-3 * max(float(np.abs(gradient).max()), 1e-30):
        return {f"{name} is made of both": (0.0, 0.0)}
    return {f"{name}, through the draw and the KL divergence": (shares / scales, 0.03)}


@symptoms_of("vae:untrained_loss")
def untrained_loss(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the loss's shape and whether it is finite; its value depends on the student's networks."""
    values = got.tensor(finite=False)
    return {"shape": (np.array(values.shape, dtype=np.float64), 0.0), "finite": (share_of(np.isfinite(values)), 0.0)}


# Samples


@symptoms_of("vae:sample")
def sample(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe shapes, how the means follow from the logits and the samples from the means, and the latents."""
    samples, means = got.tensor("samples", finite=False), got.tensor("means", finite=False)
    symptoms: Numbers = {
        "shape of samples": (np.array(samples.shape, dtype=np.float64), 0.0),
        "shape of means": (np.array(means.shape, dtype=np.float64), 0.0),
        "latents seen": (float(not got.is_none("z")), 0.0),
    }
    if got.is_none("z"):
        return symptoms
    z, logits, n = got.tensor("z", finite=False), got.tensor("logits", finite=False), int(inputs["n"])
    if len(z) == len(logits) and len(z) > n and len(z) % n == 0:  # The batch was decoded more than once.
        passes = z.reshape(-1, n, *z.shape[1:])
        symptoms["latents decoded again"] = (float(np.all(passes == passes[0])), 0.0)
        z, logits = z[:n], logits[:n]
    symptoms |= spread_of(z)
    if logits.shape != means.shape or logits.shape != samples.shape:
        return symptoms
    probabilities = expit(logits)
    candidates = {"logits": logits, "sigmoid": probabilities, "sigmoid of sigmoid": expit(probabilities)}
    for what, values in {"samples": samples, "means": means}.items():
        symptoms[f"{what} are 0 or 1"] = (share_of(np.isin(values, (0, 1))), 0.01)
        for name, candidate in candidates.items():
            symptoms[f"{what} are {name}"] = (float(np.allclose(values, candidate, 1e-3, 1e-4)), 0.0)
    symptoms["samples are rounded"] = (share_of(samples == (probabilities > 0.5)), 0.1)
    shares = _by_probability(samples, probabilities)
    for name, share, tolerance in zip(("seldom", "at times", "often"), shares, (0.1, 0.25, 0.1), strict=True):
        symptoms[f"samples that should {name} be 1"] = (share, tolerance)
    draws = samples - shares[np.digitize(probabilities, EDGES)]
    for axis, who in ((0, "images"), (-1, "pixels")):
        symptoms[f"draws shared by {who}"] = (_shared(draws, axis), 0.25)
    return symptoms


def _shared(draws: Array, axis: int) -> float:
    """Return 1 if neighbours along an axis are equal, about 0 if they are independent, NaN if there are none."""
    if draws.shape[axis] < 2:
        return np.nan
    return 1 - float(np.mean(np.diff(draws, axis=axis) ** 2)) / max(2 * float(np.mean(draws**2)), 1e-9)


def spread_of(z: Array) -> Numbers:
    """Describe latents [N, …]: whether all latents are equal, or else the shares of their numbers below `POINTS`."""
    rows = z.reshape(len(z), -1)
    if len(rows) > 1 and np.allclose(rows, rows[0]):
        return {"latents are one and zero": (np.array([1.0, float(np.allclose(rows, 0))]), 0.0)}
    shares = np.array([share_of(rows < point) for point in (*POINTS, 0.0)])
    return {"latents": (shares, tolerance_of(rows.size))}


def _by_probability(samples: Array, probabilities: Array) -> Array:
    """Return the mean of the samples in three groups of pixels, which should be 1 seldom, at times, and often."""
    which = np.digitize(probabilities, EDGES).ravel()
    counts = np.bincount(which, minlength=len(EDGES) + 1)
    means: Array = np.bincount(which, samples.ravel(), minlength=len(EDGES) + 1) / np.maximum(counts, 1)
    return means


# The manifold


@symptoms_of("vae:manifold")
def manifold(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the spacing and the pairs of the latents, the layout of the tiles, and what their brightness shows.

    grid_size or grid_size + 1 latents per axis, their order, the padding and the brightness are the student's choice.
    """
    grid_size, gain = int(inputs["grid_size"]), float(inputs["gain"])
    latents, picture = (
        got.tensor("latents", shape=(UpTo(MOST_LATENTS), 2), finite=False),
        got.tensor("picture", finite=False),
    )
    symptoms, tiles = layout_of(latents, picture, grid_size)
    if tiles is None:
        return symptoms
    return symptoms | {"what is shown": (_shown(tiles, gain * latents), 0.0)}


def layout_of(latents: Array, picture: Array, grid_size: int) -> tuple[Numbers, Array | None]:
    """Describe the latents [N, 2] of a picture and its tiles; return the brightness of both halves of these, [N, 2].

    There is no brightness, but None, if the picture is no grid of N tiles.
    """
    axes = sorted((np.unique(np.round(column, 4)) for column in latents.T), key=len)
    pairs = np.unique(np.round(latents, 4), axis=0)
    extents = [_extent(count, grid_size) for count in (len(latents), len(pairs), *map(len, axes))]
    symptoms: Numbers = {
        "latents, pairs, and values on the axes": (np.array(extents), 0.2),
        "dimensions of the picture": (float(picture.ndim), 0.0),
    }
    symptoms["spacing"] = (_spacing(axes[-1], grid_size), 0.1)
    side = round(np.sqrt(len(latents)))
    if picture.ndim != 3 or side**2 != len(latents):
        return symptoms, None
    columns = tiles_in_a_row(picture, len(latents))
    symptoms["tiles in a row"] = (float(columns - side if abs(columns - side) <= 1 else columns), 0.0)
    tiles = tiles_of(picture, side)
    return symptoms, None if tiles is None else tiles.reshape(-1, 2)


def _extent(count: int, grid_size: int) -> float:
    """Return 0 if `count` is the length of an axis, 1 if it is the size of the grid, otherwise 2 + log1p(count)."""
    for power in (1, 2):
        if count in (grid_size**power, (grid_size + 1) ** power):
            return power - 1
    return 2 + float(np.log1p(count))


def _spacing(axis: Array, grid_size: int) -> Array:
    """Describe the values on one axis of the grid, in order, by a code of numbers.

    The first two say whether the axis starts and ends at infinity. The third is 1 if its percentiles are evenly spaced,
    2 if its values are, 0 if neither. The rest describes the ends. For even percentiles: −1 if an end is right, else
    the probability that it leaves out. Otherwise: whether all values are ≥ 0 (1) or ≥ ½ (2), whether they are ≤ 1, and
    whether ≤ 0.4, which tells percentiles, distribution functions and densities apart.
    """
    inner = axis[np.isfinite(axis)]
    infinite = np.isinf([*axis[:1], *axis[-1:]]).astype(float)
    if len(inner) < 3:
        return np.array([*infinite, len(inner)])
    percentiles = ndtr(inner)
    if np.ptp(np.diff(percentiles)) < 2e-3:
        unit, ends = 1 / (grid_size + 1), (percentiles[0], 1 - percentiles[-1])
        away = [-1.0 if 0.4 * unit <= end <= 1.6 * unit else end for end in ends]
        return np.array([*infinite, 1.0, *away, 0.0])
    even = np.ptp(np.diff(inner)) < 1e-3 * np.ptp(inner)
    return np.array([*infinite, 2.0 if even else 0.0, sum(inner[0] >= [0, 0.5]), inner[-1] <= 1, inner[-1] <= 0.4])


def _shown(tiles: Array, logits: Array) -> float:
    """Return the number of the function of the logits [N, 2] that gives the tiles' brightness [N, 2], in any order.

    Without such a function, −1 if all tiles are 0 or 1, else −2.
    """
    with np.errstate(invalid="ignore"):
        guesses = [
            expit(logits),
            _stretched(expit(logits)),
            logits,
            _stretched(logits),
            expit(expit(logits)),
            (logits > 0).astype(np.float64),
        ]
        shown = np.sort(tiles, axis=0)
        for number, guess in enumerate(guesses):
            if np.allclose(shown, np.sort(guess, axis=0), rtol=0, atol=CLOSE, equal_nan=True):
                return float(number)
    return -1.0 if np.isin(tiles, (0, 1)).all() else -2.0


def _stretched(values: Array) -> Array:
    """Rescale values to the range from 0 to 1, as make_grid(normalize=True) does."""
    stretched: Array = (values - values.min()) / np.ptp(values)
    return stretched
