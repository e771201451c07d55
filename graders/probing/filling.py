"""Fills a network's parameters with known numbers, so that two networks of the same layers can be compared exactly."""

from __future__ import annotations

import zlib
from collections import Counter

import numpy as np
import torch
from torch import Tensor, nn

GAIN = 1.5  # of a layer's weights, for signals that neither vanish nor explode behind its activation
BIAS = 0.3  # standard deviation of offsets, so that each of them matters


@torch.no_grad()
def fill(network: nn.Module, seed: int) -> None:
    """Give every parameter and every running average numbers that follow from `seed`, and its layer's kind and size.

    The order and the names of the layers do not matter, unless several are alike: then the first comes first.
    """
    seen: Counter[str] = Counter()
    for layer in network.modules():
        norm = isinstance(layer, nn.modules.batchnorm._BatchNorm)
        size = tuple(getattr(getattr(layer, "weight", None), "shape", ()))
        own = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
        for name, each in own:
            if not each.is_floating_point():
                continue  # a counter of batches
            what = f"{'norm' if norm else 'layer'} {size}: {name if norm else tuple(each.shape)}"
            numbers = np.random.default_rng([seed, zlib.crc32(what.encode()), seen[what]])
            each.copy_(_numbers(numbers, name if norm else "", each))
            seen[what] += 1


def _numbers(random: np.random.Generator, name: str, like: Tensor) -> Tensor:
    """Return random numbers in the shape of a parameter; `name` is that of a parameter or average of a batch norm."""
    if name == "running_var":
        drawn = random.uniform(0.5, 2, like.shape)
    elif name == "weight":
        drawn = random.uniform(0.5, 1.5, like.shape)
    elif like.dim() < 2:
        drawn = BIAS * random.standard_normal(like.shape)
    else:
        drawn = GAIN / np.sqrt(like[0].numel()) * random.standard_normal(like.shape, dtype=np.float32)
    return torch.as_tensor(drawn).to(like)
