"""Symptoms of mistakes in the written answers, whichever examples were chosen and however a term is averaged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence, Mismatch
from gengrade.grading.symptoms import Inputs, Symptoms, symptoms_of
from graders.theory.answers import LARGE, SMALL, cross_entropy, gaussian_kl, standard_kl

FLAG = 0.0  # tolerance of a symptom that is a matter of yes or no, or a count

# Interpretations of an example's four numbers, each of which returns (mu_q, mu_p, var_q, var_p).
ORDERS_OF_NUMBERS: dict[str, Callable[[float, float, float, float], tuple[float, float, float, float]]] = {
    "as asked": lambda mu_q, mu_p, var_q, var_p: (mu_q, mu_p, var_q, var_p),
    "q and p exchanged": lambda mu_q, mu_p, var_q, var_p: (mu_p, mu_q, var_p, var_q),
    "a mean and its variance": lambda mu_q, var_q, mu_p, var_p: (mu_q, mu_p, var_q, var_p),
    "log variances": lambda mu_q, mu_p, log_q, log_p: (mu_q, mu_p, float(np.exp(log_q)), float(np.exp(log_p))),
}


@symptoms_of("theory:kl_examples")
def kl_examples(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe which interpretation would make both examples right; if none does, the sizes of their divergences."""
    examples = [got.tensor(name, shape=(4,)).tolist() for name in ("small", "large")]
    sizes = {name: [_size(ordered(*numbers)) for numbers in examples] for name, ordered in ORDERS_OF_NUMBERS.items()}
    served = {name: (found == [0, 2], FLAG) for name, found in sizes.items()}
    served["the other way round"] = (sizes["as asked"] == [2, 0], FLAG)
    if any(serves for serves, _ in served.values()):
        return served
    return {"sizes": (sizes["as asked"], FLAG)}


def _size(numbers: tuple[float, float, float, float]) -> int:
    """Return 0 for a very small divergence, 2 for a very large one, 1 for one between, −1 if there is none."""
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
    """Describe the student's reconstruction term relative to the right one."""
    return _term(got, cross_entropy(inputs["x"], inputs["logits"]))


@symptoms_of("theory:regularization_loss")
def regularization_loss(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the student's regularization term relative to the right one."""
    mean, log_std = (np.asarray(inputs[name], dtype=np.float64) for name in ("mean", "log_std"))
    return _term(got, standard_kl(mean, log_std))


def _term(got: Evidence, right: Array) -> Symptoms:
    """Describe a term by the ratio of its total to the right total, up to powers of the batch's size.

    So a mean over the batch equals a sum. The shape counts too, unless it is one number or one for each image.
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
    """Describe the number, to two decimals."""
    return {"value": (got.number(finite=False), 0.01)}


@symptoms_of("theory:cubic_density")
def cubic_density(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe all values of the density, or that a complex number was computed."""
    if got.flag("complex"):
        return {"complex": (True, FLAG)}
    values = got.tensor("density", finite=False)
    if values.ndim != 1:
        raise Mismatch("cubic_density does not give one number for each point")
    return {"density": (values, 1e-4)}
