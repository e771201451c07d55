"""Batches of a training of ours."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def batches(images: Tensor, size: int) -> Iterator[Tensor]:
    """Full batches in a new random order, as float."""
    order = torch.randperm(len(images), device=images.device)
    for start in range(0, len(images) - size + 1, size):
        yield images[order[start : start + size]].float()


def rolled(batch: Tensor, most: int) -> Tensor:
    """The images [B, 1, H, W], all moved by one random step of at most that many pixels each way."""
    if most == 0:
        return batch
    down, right = torch.randint(-most, most + 1, (2,)).tolist()
    return batch.roll((down, right), dims=(2, 3))
