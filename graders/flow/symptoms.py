"""Symptoms of mistakes in a flow, whatever its layers are and in whichever order samples come.

A model is described by the calls of its layers (the ledger), by how its results follow from its own parts, and by what
it does to points. Samples are described by statistics with a tolerance of about five standard errors of a difference.
"""

from __future__ import annotations

import itertools

import numpy as np

from gengrade.arrays import Array, Mask
from gengrade.grading import Evidence, UpTo
from gengrade.grading.symptoms import Inputs, Symptoms, symptoms_of
from graders.flow.densities import is_near, log_gaussian
from graders.flow.sizes import MOST_LAYERS, MOST_STEPS

MOST_CALLS = 10 * MOST_LAYERS  # most calls of layers in one pass
FLAG = 0.0  # tolerance of a symptom that is a matter of yes or no, or a count
FIT = 1e-3  # largest residual of a fit, relative to the fitted values
STILL = 1e-4  # samples count as a single point if their spread is below this, in standard deviations
ANY = 1e9  # tolerance of a symptom that is not compared
ENOUGH = 100  # samples below which no statistics are computed
FEW = 0.05  # a mode with a smaller share of the samples gets no statistics of its own


# The densities


@symptoms_of("flow:gaussian_log_prob", "flow:bimodal_log_prob")
def log_density(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the log-densities, which are fully determined, and whether x was changed."""
    changed = not np.array_equal(got.tensor("x", finite=False), np.asarray(inputs["x"], dtype=np.float64))
    return {"log-density": (got.tensor("log_prob", finite=False), 1e-3), "x changed": (changed, FLAG)}


@symptoms_of("flow:gaussian_sample")
def gaussian_sample(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe mean, spread, shape and dependence of the samples, in standard deviations about the right mean."""
    samples = got.tensor("samples", finite=False)
    mu, sigma = (np.asarray(inputs[name], dtype=np.float64) for name in ("mu", "sigma"))
    if samples.ndim != 2 or samples.shape[1] != len(mu) or len(samples) != inputs["n"]:
        return {"shape": (samples.shape, FLAG)}
    return _statistics((samples - mu) / sigma) | _repeated(got)


@symptoms_of("flow:bimodal_sample")
def bimodal_sample(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the modes' shares in one call and over many, mixed samples, and the statistics of each mode.

    An element belongs to the mode with the nearer mean, so that everything is defined for any samples.
    """
    samples = got.tensor("samples", finite=False)
    mus, sigmas = (np.asarray(inputs[name], dtype=np.float64) for name in ("mus", "sigmas"))
    right_shape = samples.ndim == 2 and samples.shape[1] == mus.shape[1] and len(samples) == inputs["n"]
    if not right_shape or len(samples) < ENOUGH:
        return {"shape": (samples.shape, FLAG)}
    first = _nearer_to_first(samples, mus)
    found: Symptoms = _shares(
        first, [call.tensor(shape=(UpTo(len(samples)), mus.shape[1])) for call in got.list("calls")], mus
    )
    standardised = np.where(first, (samples - mus[0]) / sigmas[0], (samples - mus[1]) / sigmas[1])
    modes = {"first": standardised[first.all(axis=1)], "second": standardised[~first.any(axis=1)]}
    modes["larger"] = max(modes.values(), key=len)
    alone = min(map(len, modes.values())) < FEW * len(samples)
    for name, members in modes.items():
        # If all samples come from one mode, which one may be chance: then only the larger mode is compared.
        counts = alone == (name == "larger")
        values = _statistics(members if counts else modes["larger"])
        found = {
            **found,
            **{f"{name} mode: {key}": (each, by if counts else ANY) for key, (each, by) in values.items()},
        }
    return {**found, **_repeated(got)}


def _nearer_to_first(samples: Array, mus: Array) -> Mask:
    return np.asarray(np.abs(samples - mus[0]) < np.abs(samples - mus[1]), dtype=np.bool_)


def _shares(first: Mask, calls: list[Array], mus: Array) -> Symptoms:
    share = float(first.mean())
    repeated = len({call.tobytes() for call in calls}) < len(calls) / 2
    of_calls = np.array([_nearer_to_first(call, mus).mean() for call in calls])
    return {
        "share of the first mode": (share, ANY if min(share, 1 - share) < FEW else 0.04),
        "distance of this share from a half": (abs(share - 0.5), 0.04),
        "samples between the modes": (float(np.mean(first.any(axis=1) & ~first.all(axis=1))), 0.04),
        # If calls repeat each other, the next two are chance.
        "calls with one mode": (np.nan if repeated else float(np.mean((of_calls == 0) | (of_calls == 1))), 0.15),
        "share of the first mode over calls": (np.nan if repeated else float(of_calls.mean()), 0.25),
    }


def _statistics(values: Array) -> dict[str, tuple[Array | float, float]]:
    """Return statistics of standardised samples [n, d]; if they are a single point, whether that is the mean."""
    n, d = values.shape
    mean, spread = values.mean(axis=0), values.std(axis=0)
    if spread.max() < STILL:
        return {"at the mean": (bool(np.abs(mean).max() < STILL), FLAG)}
    noise = 7 / np.sqrt(n)  # Five standard errors of the difference of two means.
    spread = np.maximum(spread, STILL)
    found: dict[str, tuple[Array | float, float]] = {
        f"mean of element {i + 1}": (float(mean[i]), float(noise * spread[i])) for i in range(d)
    }
    units = (values - mean) / spread
    # Correlations of disjoint pairs of rows, and of neighbouring elements.
    rows = np.mean(units[: n - n % 2 : 2] * units[1::2])
    columns = np.array([np.mean(units[:, i] * units[:, i + 1]) for i in range(d - 1)])
    return found | {
        "log of the spread": (np.log(spread), float(noise)),
        "mean absolute deviation": (np.abs(units).mean(axis=0), float(noise)),
        "skewness": ((units**3).mean(axis=0), float(4 * noise)),
        "correlation of elements": (columns, float(noise)),
        "correlation of samples": (float(rows), float(noise)),
    }


def _repeated(got: Evidence) -> dict[str, tuple[Array | float, float]]:
    calls = [call.tensor(finite=False) for call in got.list("calls")]
    repeated = [np.array_equal(first, second) for first, second in itertools.pairwise(calls)]
    return {"calls that repeat the one before": (float(np.mean(repeated)), 0.1)}


# The map


@symptoms_of("flow:round_trip")
def round_trip(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe which elements move, whether round trips end where they began, and how the layers were called."""
    x = np.asarray(inputs["x"], dtype=np.float64)
    moved = [np.abs(got.tensor(name, shape=x.shape, finite=False) - x).max(axis=0) for name in ("forward", "backward")]
    trips = (("forward", "forward_and_back"), ("backward", "backward_and_forth"))
    off = []
    for there, back in trips:
        near = is_near(got.tensor(there, shape=x.shape, finite=False))
        off.append(np.abs(got.tensor(back, shape=x.shape, finite=False) - x)[near].max(initial=0.0))
    return {
        "elements that move": ([float(np.mean(each > 1e-4)) for each in moved], FLAG),
        "round trips that end elsewhere": ([bool(not each < 1e-2) for each in off], FLAG),
        **_asked("forward", got["ledgers"]["forward"]),
        **_asked("inverse", got["ledgers"]["backward"]),
    }


@symptoms_of("flow:way_back")
def way_back(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the shapes only: the run does not know where its points come from, and `round_trip` describes that."""
    shape = np.shape(inputs["forward"])
    return {name: (float(got.shape(name) == shape), FLAG) for name in ("of_forward", "of_backward")}


@symptoms_of("flow:neighbours")
def neighbours(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe log_det relative to what the layers add, to the numerical value, and to that of the way back."""
    count = len(inputs["x"])
    log_det = got.tensor("log_det", shape=(count,), finite=False)
    h = inputs["step"] if got.flag("double") else inputs["coarse_step"]
    after, before = (got.tensor(name) for name in ("after", "before"))
    with np.errstate(divide="ignore", invalid="ignore"):
        _, right = np.linalg.slogdet(np.moveaxis((after - before) / (2 * h), 0, 1))
        typical = np.median(log_det / right)
    # The worst twentieth of the points is left out, since kinks of activations may lie near them.
    smooth = np.argsort(np.abs(log_det - typical * right))[: int(0.95 * count)]
    slope, loose = _fit(log_det[smooth], right[None, smooth], 0.01 if got.flag("double") else 0.1)
    return {
        "log_det over the right one": (slope, 0.03),
        "log_det is no multiple of the right one": (loose, FLAG),
        "log_det of the way back over it": (
            _fit(got.tensor("back", shape=(count,), finite=False), log_det[None], 0.01)[0],
            0.03,
        ),
        **_asked("", got["ledger"]),
        **_collected(log_det, got["ledger"]),
    }


def _asked(way: str, ledger: Evidence) -> Symptoms:
    """Describe which layers were called, in which order, and whether they were told to invert."""
    layers, order = ledger.integer("layers"), ledger.tensor("order", shape=(UpTo(MOST_CALLS),))
    steps = np.sign(np.diff(order))
    in_order = float(steps[0]) if len(steps) and (steps == steps[0]).all() else 0.0
    between = (order > 0) & (order < layers - 1)
    ends = [bool((order == 0).any()), bool((order == layers - 1).any()), bool(between.any())]
    told = float(ledger.tensor("inverse").mean()) if len(order) else 0.0
    return {
        f"{way} first, last, other layers asked".strip(): (ends, FLAG),
        f"{way} order of the layers".strip(): (in_order, FLAG),
        f"{way} layers told to invert".strip(): (told, FLAG),
    }


def _collected(log_det: Array, ledger: Evidence) -> Symptoms:
    """Describe log_det as a weighted sum of the layers' terms, and whether it is zero, or a mean or sum of points."""
    added = ledger.tensor("added", shape=(UpTo(MOST_CALLS), len(log_det)), finite=False)
    added = added[np.abs(added).max(axis=1) > 0]  # Permutations add nothing.
    whole = added.sum(axis=0)
    # If log_det is the same for all points, a fit would explain nothing.
    weights, loose = _fit(log_det if np.ptp(log_det) > 1e-6 else np.full_like(log_det, np.nan), added)
    ends = [weights[0], *weights[-2:]] if len(weights) > 1 and not loose else [np.nan] * 3
    flags = [bool(np.allclose(log_det, each, rtol=1e-3, atol=1e-4)) for each in (0, whole.mean(), whole.sum())]
    return {
        "weights of first, last but one, last layer": (np.clip(ends, -2, 2), 0.05),
        "none, mean, sum of points": (flags, FLAG),
    }


def _fit(values: Array, parts: Array, tolerance: float = FIT) -> tuple[Array, bool]:
    """Fit `values` [B] by a weighted sum of `parts` [k, B].

    Returns:
        The least-squares weights [k], NaN if the fit is not possible or leaves too much; and whether that is so.
    """
    none = np.full(len(parts), np.nan)
    if not 0 < len(parts) < len(values) or not np.isfinite(values).all() or not np.isfinite(parts).all():
        return none, True
    weights = np.asarray(np.linalg.lstsq(parts.T, values, rcond=None)[0], dtype=np.float64)
    left = float(np.abs(values - weights @ parts).max())
    loose = left > tolerance * max(float(np.abs(values).max()), 1e-3)
    return (none, True) if loose else (weights, False)


@symptoms_of("flow:nll")
def nll(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe how the loss follows from its parts, and which layers its gradient reaches."""
    idle = got.tensor("idle", shape=(UpTo(MOST_LAYERS),))
    ends = [idle[0], idle[-1], idle[1:-1].mean()] if len(idle) > 2 else [np.nan] * 3
    found = _account(inputs, got, len(inputs["x"]))
    # If the loss is no sum of its parts, neither is its gradient, which then depends on the networks.
    known = not np.isnan(found.get("weights of the loss", (0.0, FLAG))[0]).any()
    of_gradient = got.tensor("weights", shape=(2,), finite=False) if known else np.full(2, np.nan)
    return {
        **found,
        "has a gradient": (got.flag("trainable"), FLAG),
        "log_det has a gradient": (got.flag("attached"), FLAG),
        "first, last, other layers without a gradient": (ends, FLAG),
        "weights of the parts in the gradient": (of_gradient, 0.02),
    }


@symptoms_of("flow:stirred_densities")
def stirred_densities(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe how the log-densities of the first points follow from the parts of the loss."""
    return {
        "shape": (got.shape("log_densities"), FLAG),
        **_account(inputs, got["account"], inputs["few"], points="points"),
    }


def _account(inputs: Inputs, got: Evidence, count: int, points: str = "x") -> Symptoms:
    """Describe the loss as a weighted sum of −log p_z(z), −log_det and −log p_z(x)."""
    loss, log_det = got.tensor("nll", finite=False), got.tensor("log_det", shape=(count,), finite=False)
    mu, sigma = (np.asarray(inputs[name], dtype=np.float64) for name in ("mu", "sigma"))
    x = np.asarray(inputs[points], dtype=np.float64)[:count]
    at_z = log_gaussian(got.tensor("z", shape=x.shape, finite=False), mu, sigma)
    found = {**_asked("", got["ledger"]), **_collected(log_det, got["ledger"])}
    if loss.shape != (count,):
        right = -(at_z + log_det)
        flags = [loss.ndim == 0 and bool(np.isclose(loss, each, rtol=1e-3)) for each in (right.mean(), right.sum())]
        return {**found, "shape of the loss": (loss.shape, FLAG), "mean, sum of the points": (flags, FLAG)}
    parts = -np.stack([at_z, log_det, log_gaussian(x, mu, sigma)])
    weights, _ = _fit(loss, parts)
    large = loss > 1e-30  # Smaller numbers have no exact logarithm in single precision.
    of_log, _ = _fit(np.log(loss[large]), parts[:, large])
    return {**found, "weights of the loss": (weights, 0.02), "weights of its logarithm": (of_log, 0.02)}


# The student's own loop


@symptoms_of("flow:training_loop")
def training_loop(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the average, how many gradients were computed and used, and their directions (a loss may be scaled)."""
    gradients = got.tensor("gradients", shape=(UpTo(MOST_STEPS), 2))
    length = np.linalg.norm(gradients, axis=1, keepdims=True)
    directions = np.divide(gradients, length, out=np.zeros_like(gradients), where=length > 1e-6)
    average = np.nan if got.is_none("average") else got.number("average", finite=False)
    start = np.asarray(inputs["location"], dtype=np.float64)
    found: Symptoms = {
        "gradients computed": (got.integer("computed"), FLAG),
        "steps": (len(gradients), FLAG),
        "moved": (not np.array_equal(got.tensor("location", shape=(2,)), start), FLAG),
    }
    if inputs["rate"] > 0:  # The rest depends on how far the model moved, and so on the scale of the loss.
        return found
    found = {**found, "average": (average, 1e-4), "directions": (directions, 0.01)}
    if len(directions) and not directions.any():
        found = {**found, "gradient left at the end": (bool(got.tensor("left").any()), FLAG)}
    return found
