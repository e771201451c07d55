"""What the probes of the written answers ask an adapter for, as `package.theory`.

A method raises Missing, or whatever the student's code raises, also where an answer is none of its form. Only a type
checker reads this file.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Theory(Protocol):
    """Answers that are numbers or functions."""

    def kl_small(self) -> list[float]:
        """Return mu_q, mu_p, var_q and var_p of two Gaussians with a small divergence."""

    def kl_large(self) -> list[float]:
        """Return mu_q, mu_p, var_q and var_p of two Gaussians with a large divergence."""

    def gan_value(self) -> float:
        """Return the value of the game of a GAN at its optimum."""

    def reconstruction_loss(self, x: Tensor, logits: Tensor) -> Tensor:
        """Return the first term of a VAE's loss, a number, for x and logits [B, M]."""

    def regularization_loss(self, mean: Tensor, log_std: Tensor) -> Tensor:
        """Return the second term of a VAE's loss, a number, for mean and log_std [B, D]."""

    def cubic_density(self, x: Tensor, a: float, b: float) -> Tensor:
        """Return the density of a number whose cube is uniform on (a, b), at each x: [N] → [N]."""


class TheoryPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def theory(self) -> Theory:
        """The adapter of that part."""
