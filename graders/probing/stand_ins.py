"""Replaces a network's images by random ones, so that later uses of each image can be recognised."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from graders.probing.distributions import parts_of, with_parts
from graders.probing.sizes import PIXELS


def stand_in(module: nn.Module, lowest: float, name: str = "forward") -> None:
    """Make `module` return images of random pixels in (lowest, 1), with the shape and the gradients of its own.

    If it returns a Bernoulli or normal distribution of images, the mean of the distribution is replaced. All images of
    a call are different; the same inputs in another call get the same images, as from the network. `name` is the method
    that returns the images.
    """
    original: Callable[..., Any] = getattr(module, name)

    def forward(*args: Any, **kwargs: Any) -> Any:
        given = original(*args, **kwargs)
        if isinstance(given, Distribution):
            return with_parts(given, [pictured(parts_of(given)[0], args, kwargs), *parts_of(given)[1:]])
        return pictured(given, args, kwargs)

    def pictured(images: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        if not isinstance(images, Tensor):
            raise TypeError(f"the network should return images as a tensor, but returned a {type(images).__name__}")
        if images.numel() == 0:
            return images
        if images.dim() == 0:
            raise ValueError("the network should return an image for each row of its input, but returned one number")
        n = images.numel() // PIXELS if images.numel() % PIXELS == 0 else len(images)
        asked = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        pixels = torch.stack([_pixels(images.numel() // n, seed) for seed in _seeds(asked, n)])
        wanted = lowest + (1 - lowest) * pixels.reshape(images.shape).to(images)
        return images + (wanted - images).detach()

    setattr(module, name, forward)


def _seeds(asked: list[Tensor], n: int) -> list[int]:
    """Return a seed for each of n images, from the inputs of the image and how often they occurred in this call."""
    times: Counter[int] = Counter()
    seeds = []
    columns = [_rows(tensor, n) for tensor in asked]
    for index in range(n):
        key = zlib.crc32(b"".join(rows[index] for rows in columns))
        seeds.append(zlib.crc32(times[key].to_bytes(4, "little"), key))
        times[key] += 1
    return seeds


def _rows(tensor: Tensor, n: int) -> list[bytes]:
    """Return the bytes of an argument that belong to each of n images: its row, or the whole argument."""
    flat = tensor.detach().cpu()
    rows = flat.reshape(n, -1) if flat.numel() % n == 0 else flat.reshape(1, -1).expand(n, -1)
    return [row.tobytes() for row in rows.double().numpy()]


def _pixels(count: int, seed: int) -> Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed))
