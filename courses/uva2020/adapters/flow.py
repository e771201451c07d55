"""Adapter for part 3 of the practical: the densities of a toy problem, and a normalising flow between them.

The hand-out's part 3 uses no device, so everything here runs on the CPU.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from gengrade.sandbox.guest.old_torch import behave_like
from graders.adapting.calling import call
from graders.adapting.loading import Modules

GAUSSIAN = "MultivariateGaussianDiag"
Batches = DataLoader[tuple[Tensor, ...]]


class FlowContract:
    """`package.flow`."""

    def __init__(self, modules: Modules) -> None:
        behave_like("1.6")
        self._modules = modules
        self._own: dict[str, type | None] = {}
        modules.provide("train", device="cpu")

    def gaussian(self, mu: Tensor, sigma: Tensor, dims: int) -> Any:
        """Return the student's N(mu, diag(sigma²)), with .log_prob and .sample; mu and sigma are [dims]."""
        build = self._modules.find(GAUSSIAN, "distributions")
        return call(build, {"mu": mu.cpu(), "sigma": sigma.cpu(), "dims": dims})

    def bimodal(self, mus: Sequence[Tensor], sigmas: Sequence[Tensor], dims: int, gaussian: type | None = None) -> Any:
        """Return the student's equal mixture of two such Gaussians, given their means and standard deviations [dims].

        `gaussian`: a class that replaces the student's Gaussian from now on.
        """
        build = self._modules.find("BimodalGaussianDiag", "distributions")
        space = vars(sys.modules[build.__module__])
        own = self._own.setdefault("gaussian", space.get(GAUSSIAN))
        if own is not None:
            space[GAUSSIAN] = gaussian or own
        settings = {"mu": [mu.cpu() for mu in mus], "sigma": [sigma.cpu() for sigma in sigmas], "dims": dims}
        return call(build, settings)

    def model(self, base: object, dim: int, num_flows: int, num_hidden: int) -> nn.Module:
        """Return a new flow to the density `base`: forward(x [B, dim]) → nll [B].

        Transform(z, inverse) → (z, log_det).
        """
        settings = {"base_density": base, "dim": dim, "num_flows": num_flows, "num_hidden": num_hidden}
        model: nn.Module = call(self._modules.find("NormalizingFlow", "model"), settings)
        return model

    def train_epoch(self, model: nn.Module, loader: Batches, optimizer: Optimizer) -> float | None:
        """Run one epoch of the student's loop, and returns its average bits per dimension, or None."""
        asked = {"model": model, "train_loader": loader, "optimizer": optimizer}
        average = call(self._modules.find("train_nf", "train"), asked)
        if isinstance(average, tuple | list):
            average = average[0]
        return None if average is None else float(average)


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.flow.interface import Flow

    def _adapter(modules: Modules) -> Flow:
        return FlowContract(modules)
