"""Batches for our own training loops."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def batches(images: Tensor, size: int) -> Iterator[Tensor]:
    """Return full batches of images [N, …] in random order, as floats; a smaller rest is left out."""
    order = torch.randperm(len(images), device=images.device)
    for start in range(0, len(images) - size + 1, size):
        yield images[order[start : start + size]].float()


def rolled(batch: Tensor, most: int) -> Tensor:
    """Return the images [B, 1, H, W], all shifted by one random number of pixels, at most `most` in each direction."""
    if most == 0:
        return batch
    down, right = torch.randint(-most, most + 1, (2,)).tolist()
    return batch.roll((down, right), dims=(2, 3))


def scaled(images: Tensor) -> Tensor:
    """Return images of bytes, as floats from −1 to 1."""
    return images.float() / 127.5 - 1
