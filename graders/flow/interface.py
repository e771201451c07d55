"""What the probes of a flow ask an adapter for, as `package.flow`.

A method raises Missing, or whatever the student's code raises. A result of type Any is what the student's code gave:
its docstring says what a right one is. Only a type checker reads this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn, optim
from torch.utils.data import DataLoader


class Flow(Protocol):
    """Densities of a toy problem, the flow between them, and its training. All of it stays on the CPU."""

    def gaussian(self, mu: Tensor, sigma: Tensor, dims: int) -> Any:
        """Return their N(mu, diag(sigma²)), both [dims]: log_prob(x [..., dims]) → [...], sample(n) → [n, dims]."""

    def bimodal(self, mus: Sequence[Tensor], sigmas: Sequence[Tensor], dims: int, gaussian: type | None = None) -> Any:
        """Return the student's equal mixture of two Gaussians, each with a mean and a standard deviation [dims].

        It has the methods of `gaussian`.

        `gaussian`: a class that replaces the student's Gaussian in the mixture.
        """

    def model(self, base: object, dim: int, num_flows: int, num_hidden: int) -> nn.Module:
        """Return a flow onto the density `base`, which has log_prob, sample, and the names of the hand-out's Gaussian.

        forward(x [B, dim]) → the negative log-likelihood [B]; transform(z [B, dim], inverse=False) → the point that z
        is mapped to [B, dim], and log_det [B].
        """

    def train_epoch(
        self, model: nn.Module, loader: DataLoader[tuple[Tensor, ...]], optimizer: optim.Optimizer
    ) -> float | None:
        """Train for one epoch of the student's loop: its average in bits per dimension; None where it returns nothing.

        `loader` gives batches of one tensor, points [B, dim].
        """


class FlowPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def flow(self) -> Flow:
        """The adapter of that part."""
