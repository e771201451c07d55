"""Random images in the places of a network's own, by which what others do with them can be told whatever it makes."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from graders.probing.distributions import parts_of, with_parts

IMAGE = 28 * 28


def stand_in(module: nn.Module, lowest: float, name: str = "forward") -> None:
    """Gives `module` images of random pixels in (lowest, 1), in the shape and with the gradients of its own.

    Where it gives a Bernoulli or normal distribution of images, its mean is that.

    Two images of a call are never the same; what is asked for again in another call has the image that it had, as it
    would have of the network.
    """
    original: Callable[..., Any] = getattr(module, name)

    def forward(*args: Any, **kwargs: Any) -> Any:
        given = original(*args, **kwargs)
        if isinstance(given, Distribution):
            return with_parts(given, [pictured(parts_of(given)[0], args, kwargs), *parts_of(given)[1:]])
        return pictured(given, args, kwargs)

    def pictured(images: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        if not isinstance(images, Tensor):
            raise TypeError(f"an image should be a tensor, and is a {type(images).__name__}")
        if images.numel() == 0:
            return images
        n = images.numel() // IMAGE if images.numel() % IMAGE == 0 else len(images)
        asked = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        pixels = torch.stack([_pixels(images.numel() // n, seed) for seed in _seeds(asked, n)])
        wanted = lowest + (1 - lowest) * pixels.reshape(images.shape).to(images)
        return images + (wanted - images).detach()

    setattr(module, name, forward)


def _seeds(asked: list[Tensor], n: int) -> list[int]:
    """A number for each of n images, by what was asked for, and how often it was in this call."""
    times: Counter[int] = Counter()
    seeds = []
    columns = [_rows(tensor, n) for tensor in asked]
    for index in range(n):
        key = zlib.crc32(b"".join(rows[index] for rows in columns))
        seeds.append(zlib.crc32(times[key].to_bytes(4, "little"), key))
        times[key] += 1
    return seeds


def _rows(tensor: Tensor, n: int) -> list[bytes]:
    """What of an argument belongs to each image: its row, or all of it."""
    flat = tensor.detach().cpu()
    rows = flat.reshape(n, -1) if flat.numel() % n == 0 else flat.reshape(1, -1).expand(n, -1)
    return [row.tobytes() for row in rows.double().numpy()]


def _pixels(count: int, seed: int) -> Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed))
