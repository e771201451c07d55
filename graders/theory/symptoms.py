"""Symptoms of the written answers: examples may be any that serve, a term of the loss may be of an image or a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import Evidence, Mismatch
from gengrade.grading.symptoms import Inputs, Symptoms, symptoms_of
from graders.theory.checks import LARGE, SMALL, cross_entropy, gaussian_kl, standard_kl

Array = NDArray[np.float64]

FLAG = 0.0  # the tolerance of what is a matter of yes or no

# What (mu_q, mu_p, var_q, var_p) may have been taken for
ORDERS_OF_NUMBERS: dict[str, Callable[[float, float, float, float], tuple[float, float, float, float]]] = {
    "as asked": lambda mu_q, mu_p, var_q, var_p: (mu_q, mu_p, var_q, var_p),
    "q and p exchanged": lambda mu_q, mu_p, var_q, var_p: (mu_p, mu_q, var_p, var_q),
    "a mean and its variance": lambda mu_q, var_q, mu_p, var_p: (mu_q, mu_p, var_q, var_p),
    "log variances": lambda mu_q, mu_p, log_q, log_p: (mu_q, mu_p, float(np.exp(log_q)), float(np.exp(log_p))),
}


@symptoms_of("theory:kl_examples")
def kl_examples(inputs: Inputs, got: Evidence) -> Symptoms:
    """What would make both examples right; or, where nothing does, whether each is small (0), large (2) or neither."""
    examples = [got.tensor(name, shape=(4,)).tolist() for name in ("small", "large")]
    sizes = {name: [_size(reading(*numbers)) for numbers in examples] for name, reading in ORDERS_OF_NUMBERS.items()}
    served = {name: (found == [0, 2], FLAG) for name, found in sizes.items()}
    served["the other way round"] = (sizes["as asked"] == [2, 0], FLAG)
    if any(serves for serves, _ in served.values()):
        return served
    return {"sizes": (sizes["as asked"], FLAG)}


def _size(numbers: tuple[float, float, float, float]) -> int:
    """0 for a small divergence, 2 for a large one, 1 for one between; −1 for what has none."""
    _, _, var_q, var_p = numbers
    if not (var_q > 0 and var_p > 0):
        return -1
    try:
        kl = gaussian_kl(*numbers)
    except OverflowError:
        return -1
    return 0 if kl <= SMALL else 2 if kl >= LARGE else 1


@symptoms_of("theory:reconstruction_loss")
def reconstruction_loss(inputs: Inputs, got: Evidence) -> Symptoms:
    """The term over the right one."""
    return _term(got, cross_entropy(inputs["x"], inputs["logits"]))


@symptoms_of("theory:regularization_loss")
def regularization_loss(inputs: Inputs, got: Evidence) -> Symptoms:
    """The term over the right one."""
    mean, log_std = (np.asarray(inputs[name], dtype=np.float64) for name in ("mean", "log_std"))
    return _term(got, standard_kl(mean, log_std))


def _term(got: Evidence, right: Array) -> Symptoms:
    """The total over the right total, but for powers of the batch's size: a mean over it is as good as a sum.

    A term of another shape than one number or one for each image is compared by its shape too.
    """
    values = got.tensor(finite=False)
    ratio = float(values.sum() / right.sum())
    size = len(right)
    if np.isfinite(ratio) and ratio != 0:
        ratio *= float(size) ** -float(np.round(np.log(abs(ratio)) / np.log(size)))
    shape = () if values.shape in ((), right.shape) else values.shape
    return {"over the right one": (ratio, 1e-3), "shape": (shape, FLAG)}


@symptoms_of("theory:gan_value")
def gan_value(inputs: Inputs, got: Evidence) -> Symptoms:
    """The number, to two decimals."""
    return {"value": (got.number(finite=False), 0.01)}


@symptoms_of("theory:cubic_density")
def cubic_density(inputs: Inputs, got: Evidence) -> Symptoms:
    """All values; or that there was a complex number."""
    if got.flag("complex"):
        return {"complex": (True, FLAG)}
    values = got.tensor("density", finite=False)
    if values.ndim != 1:
        raise Mismatch("the densities are not one for each point")
    return {"density": (values, 1e-4)}
