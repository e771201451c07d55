"""A small U-Net of ours that predicts the noise in images, on which students' diffusion functions are run.

The architecture follows Ronneberger et al. 2015, with sinusoidal embeddings of the times (Vaswani et al. 2017, section
3.5).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FREQUENCIES = 32


class Block(nn.Module):
    """Two convolutions with a time-dependent shift of every channel between them, and a shortcut past both."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, padding=1)
        self.norm = nn.GroupNorm(4, outside)
        self.time = nn.Linear(2 * FREQUENCIES, outside)
        self.second = nn.Conv2d(outside, outside, 3, padding=1)
        self.shortcut = nn.Conv2d(inside, outside, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        hidden = torch.nn.functional.silu(self.norm(self.first(x)) + self.time(time)[:, :, None, None])
        return torch.as_tensor(self.second(hidden) + self.shortcut(x))


class UNet(nn.Module):
    """Maps images [B, 1, H, W], with H and W multiples of 4, and times [B] to noise of the images' shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = nn.ModuleList([Block(1, width), Block(width, 2 * width)])
        self.middle = Block(2 * width, 2 * width)
        self.up = nn.ModuleList([Block(4 * width, width), Block(2 * width, width)])
        self.last = nn.Conv2d(width, 1, 1)

    @property
    def device(self) -> torch.device:
        """The device of the weights, which the hand-out's sampling reads."""
        return self.last.weight.device

    def forward(self, x: Tensor, time: Tensor | None = None, t: Tensor | None = None) -> Tensor:
        times = t if time is None else time
        if times is None:
            raise TypeError("the model is called without times")
        shift, kept = _sinusoids(times), []
        for block in self.down:
            x = block(x, shift)
            kept.append(x)
            x = nn.functional.avg_pool2d(x, 2)
        x = self.middle(x, shift)
        for block in self.up:
            x = nn.functional.interpolate(x, scale_factor=2)
            x = block(torch.cat([x, kept.pop()], dim=1), shift)
        return torch.as_tensor(self.last(x))


def _sinusoids(t: Tensor) -> Tensor:
    """Sinusoidal embeddings [B, 2·FREQUENCIES] of times [B]: Vaswani et al. 2017, section 3.5."""
    rates = torch.exp(-math.log(10_000) * torch.arange(FREQUENCIES, device=t.device) / FREQUENCIES)
    angles = t.reshape(-1, 1).float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
