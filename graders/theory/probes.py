"""Probes that call the functions of the optional written answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from graders.theory.interface import TheoryPackage
    from graders.theory.records import CubicDensity, KlExamples


def kl_examples(package: TheoryPackage) -> KlExamples:
    """Return the student's examples of a small and a large divergence."""
    small, large = package.theory.kl_small(), package.theory.kl_large()
    return {"small": torch.tensor(small, dtype=torch.float64), "large": torch.tensor(large, dtype=torch.float64)}


def reconstruction_loss(package: TheoryPackage, x: Tensor, logits: Tensor) -> Any:
    """Return the student's reconstruction term of the loss, for x and logits [B, M]."""
    return package.theory.reconstruction_loss(x, logits)


def regularization_loss(package: TheoryPackage, mean: Tensor, log_std: Tensor) -> Any:
    """Return the student's regularization term of the loss, for mean and log_std [B, D]."""
    return package.theory.regularization_loss(mean, log_std)


def gan_value(package: TheoryPackage) -> Any:
    """Return the student's value of the GAN's objective at convergence."""
    return package.theory.gan_value()


def cubic_density(package: TheoryPackage, x: Tensor, a: float, b: float) -> CubicDensity:
    """Return the student's density at x [N]."""
    try:
        return {"density": package.theory.cubic_density(x.cpu(), a, b), "complex": False}
    except TypeError as error:
        if "complex" not in str(error):
            raise
        return {"density": None, "complex": True}
