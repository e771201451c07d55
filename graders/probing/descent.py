"""The optimiser of our short trainings: Adam with a one-cycle schedule and, where a right network needs it, a clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graders.probing.networks import adam


class Descent:
    """Minimises losses of a network by Adam, with a one-cycle schedule (Smith & Topin 2018) over a number of steps."""

    def __init__(self, network: nn.Module, *, peak: float, steps: int, clip: float | None = None) -> None:
        """Prepare the first step.

        peak: the highest learning rate. clip: the largest norm of a step's gradient; None for any.
        """
        self._network = network
        self._optimizer = adam(network, peak)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(self._optimizer, peak, total_steps=steps)
        self._clip = clip

    def step(self, loss: Tensor) -> None:
        """Take one step along the gradient of a loss, which has one element."""
        self._optimizer.zero_grad()
        loss.backward()
        if self._clip is not None:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._optimizer.step()
        self._schedule.step()
