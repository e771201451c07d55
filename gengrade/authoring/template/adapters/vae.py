"""Adapt part 1: answer what checks ask by calling the student's code by the names that this course uses."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from graders.adapting.loading import Modules


class VaeContract:
    """The adapter that probes call as `package.vae`; graders/vae/interface.py lists what they may call."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def kld(self, mean: Tensor, log_std: Tensor) -> Any:
        """Return the student's KL divergence of N(mean, exp(log_std)²) from N(0, I): [..., d] and [..., d] → [...]."""
        return self._modules.find("kl_divergence", "solution")(mean, log_std)
