"""Probes of linear interpolations in latent spaces: which latents were decoded, and which images were returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.probing.distributions import parts_of, with_parts
from graders.probing.injecting import with_values
from graders.probing.sizes import PIXELS
from graders.probing.stand_ins import stand_in
from graders.probing.watching import Calls, watch, with_items

if TYPE_CHECKING:
    from graders.interpolation.interface import InterpolationPackage
    from graders.interpolation.records import Decodings, VaeWalk, Walk

AFAR = 200.0  # largest injected code; draws from N(0, I) and spreads are so near 0 that they are not mistaken for one


class _Seen:
    """The calls of several networks; their number is that of the first network's calls."""

    def __init__(self, *calls: Calls) -> None:
        self._calls = calls

    def __len__(self) -> int:
        return len(self._calls[0])

    def forget(self) -> None:
        """Drop the calls so far."""
        for each in self._calls:
            each.forget()


def gan(package: InterpolationPackage, start: Tensor, end: Tensor, steps: int) -> Walk:
    """Run the student's interpolation between two latents of a generator, of `start` and `end` [1, n].

    Of these, the generator gets as many numbers as it takes; random images replace its own.
    """
    size = package.interpolation.latent_size()
    if type(size) is not int or size < 1:
        raise Undecided(f"the generator seems to take {size} latents")
    if size > start.shape[1]:
        raise ValueError(f"the generator takes {size} latents: at most {start.shape[1]} are given")
    start, end = start.cpu(), end.cpu()
    generator = package.interpolation.generator()
    stand_in(generator, lowest=0)
    calls = watch(generator)
    returned = package.interpolation.gan(start[:, :size], end[:, :size], steps, calls)
    return _walk(calls, returned, {size}, "the generator")


def vae(package: InterpolationPackage, first: Tensor, second: Tensor, steps: int) -> VaeWalk:
    """Run the student's interpolation between the codes of two images [1, 1, 28, 28] with pixels in [0, 1].

    The encoder's outputs are replaced by random codes, so that each can be recognised.
    """
    encoder, encode = package.interpolation.encoder()
    decoder, decode = package.interpolation.decoder()
    shown = watch(encoder, _injected, encode)
    stand_in(decoder, lowest=0, name=decode)
    calls = watch(decoder, name=decode)

    returned = package.interpolation.vae(first.cpu(), second.cpu(), steps, _Seen(shown, calls))
    asked = [_shown(inputs, "the encoder") for inputs in shown.inputs]
    if any(each.numel() % PIXELS for each in asked):
        raise Missing("the encoder takes images of another size than MNIST's 28×28: only those can be judged here")
    asked = [each.reshape(-1, PIXELS) for each in asked]
    codes = _codes(shown)
    sizes = {size for code in codes for size in (code.shape[1], code.shape[1] // 2)}
    return {
        **_walk(calls, returned, sizes, "the decoder"),
        "asked": torch.cat(asked) if asked else torch.zeros(0, PIXELS),
        "codes": codes,
    }


def _injected(output: Any) -> Any:
    """Return random codes in the place of an encoder's output; spreads, which come last, are positive and of order one.

    If the output is a Gaussian, its mean and its spread are replaced.
    """
    if isinstance(output, Distribution):
        return with_parts(output, _injected(parts_of(output)))
    if isinstance(output, Tensor):
        return with_values(output, AFAR * (2 * torch.rand_like(output) - 1))
    if isinstance(output, tuple | list) and all(isinstance(part, Tensor) for part in output):
        first, *others = output
        spreads = (with_values(part, 0.5 + torch.rand_like(part)) for part in others)
        return with_items(output, [_injected(first), *spreads])
    return output


def _codes(shown: Calls) -> list[Tensor]:
    outputs = [parts_of(each) if isinstance(each, Distribution) else each for each in shown.outputs]
    outputs = [each if isinstance(each, tuple | list) else (each,) for each in outputs]
    outputs = [[part for part in each if isinstance(part, Tensor) and part.dim()] for each in outputs]
    outputs = [[part for part in each if part.numel()] for each in outputs]
    if not outputs or len({len(each) for each in outputs}) != 1:
        return []
    parts = [
        [part.detach().reshape(-1, part.shape[-1]) for part in position] for position in zip(*outputs, strict=True)
    ]
    return [torch.cat(part) for part in parts if len({each.shape[1] for each in part}) == 1]


def _walk(calls: Calls, returned: Any, sizes: set[int], network: str) -> Walk:
    """Return the decoded latents and the returned images.

    Raises Missing if nothing was decoded and no latents came back.
    """
    if len(calls):
        return {**_decodings(calls, network), "images": _rows_of(returned, PIXELS)}
    for size in sorted(sizes - {0}, reverse=True):
        latents = _rows_of(returned, size)
        if latents is not None and len(latents) == (np.shape(returned) or [0])[0]:
            return {"latents": latents, "decoded": torch.zeros(0, PIXELS), "images": None}
    raise Missing(
        f"the walk never calls {network}, and does not return latents of the size that {network} takes: "
        "return the images, or the latents as rows"
    )


def _decodings(calls: Calls, network: str) -> Decodings:
    latents = [_shown(inputs, network) for inputs in calls.inputs]
    outputs = [parts_of(each)[0] if isinstance(each, Distribution) else each for each in calls.outputs]
    if any(images.numel() % PIXELS or not images.numel() for images in outputs):
        raise Missing(f"{network} gives images of another size than MNIST's 28×28: only those can be judged here")
    decoded = [images.detach().reshape(-1, PIXELS) for images in outputs]
    rows = []
    for each, images in zip(latents, decoded, strict=True):
        if each.numel() % len(images):
            raise ValueError(
                f"{network} gives {len(images)} images for latents of shape {list(each.shape)}: it should give one "
                "image for each latent"
            )
        rows.append(each.reshape(len(images), -1))
    if len({each.shape[1] for each in rows}) > 1:
        raise ValueError(f"{network} is given latents of {len({each.shape[1] for each in rows})} different sizes")
    return {"latents": torch.cat(rows), "decoded": torch.cat(decoded)}


def _shown(inputs: tuple[Any, ...], network: str) -> Tensor:
    """Return what a network was given in a call; an error that says so if it was no tensor."""
    if not inputs or not isinstance(inputs[0], Tensor):
        given = type(inputs[0]).__name__ if inputs else "nothing"
        raise TypeError(f"{network} should be given a tensor, and is given {given}")
    return inputs[0].detach()


def _rows_of(returned: Any, size: int) -> Tensor | None:
    """Return returned rows as a tensor [N, size], from a tensor, an array, or a list of either.

    None for anything else.
    """
    parts: list[Callable[[], Any]] = [
        lambda: returned,
        lambda: torch.stack([torch.as_tensor(each) for each in returned]),
    ]
    for part in parts:
        try:
            found = part()
            found = found if isinstance(found, Tensor) else torch.as_tensor(np.asarray(found, dtype=np.float32))
            return found.detach().float().reshape(-1, size)
        except (TypeError, ValueError, RuntimeError):
            continue
    return None
