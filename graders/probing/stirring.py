"""Adds noise to the parameters of a new model, since many mistakes do not show in one whose outputs are about zero."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


@torch.no_grad()
def add_noise(model: nn.Module, level: float, is_still: Callable[[], bool]) -> None:
    """Add noise to every parameter, in steps of `level`, until `is_still` returns False, whatever the architecture.

    The standard deviation of the noise is `level` after the first step, and at most 1.
    """
    parameters = list(model.parameters())
    directions = [torch.randn_like(parameter) for parameter in parameters]
    for _ in range(round(1 / level)):
        for parameter, direction in zip(parameters, directions, strict=True):
            parameter.add_(level * direction)
        if not is_still():
            return
