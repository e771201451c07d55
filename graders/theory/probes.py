"""Probes that call the functions of the optional written answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from graders.theory.interface import TheoryPackage


def kl_examples(package: TheoryPackage) -> dict[str, Tensor]:
    """Returns both examples of question 1.3, each as mu_q, mu_p, var_q, var_p."""
    examples = {"small": package.theory.kl_small(), "large": package.theory.kl_large()}
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in examples.items()}


def reconstruction_loss(package: TheoryPackage, x: Tensor, logits: Tensor) -> Any:
    """Returns the student's reconstruction term of the loss, for x and logits [B, M]."""
    return package.theory.reconstruction_loss(x, logits)


def regularization_loss(package: TheoryPackage, mean: Tensor, log_std: Tensor) -> Any:
    """Returns the student's regularization term of the loss, for mean and log_std [B, D]."""
    return package.theory.regularization_loss(mean, log_std)


def gan_value(package: TheoryPackage) -> Any:
    """Returns the student's value of the GAN's objective at convergence."""
    return package.theory.gan_value()


def cubic_density(package: TheoryPackage, x: Tensor, a: float, b: float) -> dict[str, Any]:
    """Returns the student's density at x [N]; or None with `complex`, if the code compares with a complex number."""
    try:
        return {"density": package.theory.cubic_density(x.cpu(), a, b), "complex": False}
    except TypeError as error:
        if "complex" not in str(error):
            raise
        return {"density": None, "complex": True}
