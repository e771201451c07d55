"""Probes of the optional written answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from graders.theory.interface import TheoryPackage


def kl_examples(package: TheoryPackage) -> dict[str, Tensor]:
    """Both examples of question 1.3, each mu_q, mu_p, var_q, var_p."""
    examples = {"small": package.theory.kl_small(), "large": package.theory.kl_large()}
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in examples.items()}


def reconstruction_loss(package: TheoryPackage, x: Tensor, logits: Tensor) -> Any:
    """The first term of the loss, of x and logits [B, M]."""
    return package.theory.reconstruction_loss(x, logits)


def regularization_loss(package: TheoryPackage, mean: Tensor, log_std: Tensor) -> Any:
    """The second term of the loss, of mean and log_std [B, D]."""
    return package.theory.regularization_loss(mean, log_std)


def gan_value(package: TheoryPackage) -> Any:
    """The value of the game at its optimum."""
    return package.theory.gan_value()


def cubic_density(package: TheoryPackage, x: Tensor, a: float, b: float) -> dict[str, Any]:
    """The density at x [N]; or that a complex number came between, as Python's root of a negative one is."""
    try:
        return {"density": package.theory.cubic_density(x.cpu(), a, b), "complex": False}
    except TypeError as error:
        if "complex" not in str(error):
            raise
        return {"density": None, "complex": True}
