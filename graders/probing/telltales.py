"""Decoders of ours whose images show the latents that they were made of, for a student's picture of a latent space.

The upper half of an image tells z₀, and the lower half z₁.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from graders.probing.pictures import picture
from graders.probing.watching import watch

SURE = 40.0  # distance of the logit of a level from all others: no draw gives another level
MOVED = 10.0  # logits by which all levels of an image may be moved


def pictured(decoder: nn.Module, show: Callable[[], Any]) -> tuple[Tensor, Tensor]:
    """Return the picture [C, height, width] that `show` makes of a decoder, and the latents [N, 2] that it decoded."""
    decoded = watch(decoder)
    with torch.no_grad():
        grid = picture(show())
    latents = [inputs[0].reshape(-1, 2) for inputs in decoded.inputs]
    return grid, torch.cat(latents) if latents else torch.zeros(0, 2)


class Telltale(nn.Module):
    """A decoder of binary images: the halves have the logits gain·z₀ and gain·z₁."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))  # A parameter, since some students read its device.
        self.z_dim = 2

    def forward(self, z: Tensor) -> Tensor:
        halves = self.gain * _pairs(z).unsqueeze(2).to(self.gain)
        return halves.repeat_interleave(14, dim=1).expand(-1, -1, 28).unsqueeze(1)

    @property
    def device(self) -> torch.device:
        return self.gain.device


class LayeredTelltale(nn.Module):
    """A decoder of images of several levels: the halves have the levels ⌊levels · Φ(z) + offset⌋, with certainty.

    All logits of an image are moved by the same number, which is another for each latent: that changes no softmax over
    the levels, but any other use of the logits.
    """

    def __init__(self, levels: int, offset: float) -> None:
        super().__init__()
        self.sure = nn.Parameter(torch.tensor(SURE))  # A parameter, since some students read its device.
        self.z_dim = 2
        self.levels, self.offset = levels, offset

    def forward(self, z: Tensor) -> Tensor:
        places = (self.levels * torch.special.ndtr(_pairs(z).double()) + self.offset).floor().clamp(0, self.levels - 1)
        chosen = nn.functional.one_hot(places.long(), self.levels).transpose(1, 2)  # [B, levels, 2]
        moved = MOVED * torch.sin(z.reshape(-1, 2) @ z.new_tensor([9.0, 5.0])).reshape(-1, 1, 1)
        halves = self.sure * chosen.to(self.sure) + moved.to(self.sure)
        return halves.repeat_interleave(14, dim=2).unsqueeze(3).expand(-1, -1, -1, 28)

    @property
    def device(self) -> torch.device:
        return self.sure.device


def _pairs(z: Tensor) -> Tensor:
    if z.shape[-1:] != (2,):
        raise ValueError(f"the decoder takes latents of shape [B, 2], and was given {list(z.shape)}")
    return z.reshape(-1, 2)
