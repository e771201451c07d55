"""Recognises networks for images of another size than the hand-out's 28×28, such as 32×32 or 64×64.

The hand-out fixes no size in its text, so such networks may be right. The checks' images and expected values are those
of 28×28, so a person has to look. A size that no data set has, such as 783 pixels, is left to the checks, and fails.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import product
from math import isqrt

import torch
from torch import Tensor, nn

from gengrade.sandbox.guest.errors import Undecided

Size = tuple[int, int]  # channels, and pixels of each side

SIDE = 28
ROWS = 5  # images or latents in a trial
SIDES = (SIDE, 14, 16, 20, 24, 32, 48, 56, 64, 96, 128)  # usual sizes of digits that were cropped, padded or scaled
CHANNELS = (1, 3)


@contextlib.contextmanager
def on_trial(network: nn.Module) -> Iterator[None]:
    """Run a network in eval mode, without gradients; leave its mode and torch's random numbers as they were."""
    training, state = network.training, torch.get_rng_state()
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(training)
        torch.set_rng_state(state)


def expect_digits_from(network: nn.Module, latents: int) -> None:
    """Raise Undecided if a network makes images of another usual size from latents [B, `latents`].

    Whatever else is wrong with its outputs is left to the checks.
    """
    with on_trial(network):
        made = _output(network, torch.randn(ROWS, latents))
    if made is not None and made.dim() > 1 and len(made) == ROWS:
        size = _size_of(made)
        if size is not None and size != (1, SIDE):
            raise _undecided(network, "makes", size)


def expect_digits_for(network: nn.Module) -> None:
    """Raise Undecided if a network takes images of another usual size, and none of 28×28, flat or square.

    A network that takes no images of any usual size is left to the checks.
    """
    with on_trial(network):
        size = next((size for size in product(CHANNELS, SIDES) if _takes(network, *size)), None)
    if size is not None and size != (1, SIDE):
        raise _undecided(network, "needs", size)


def takes_digits(network: nn.Module) -> bool:
    """Return whether a network can be called with images of 28×28, flat or square."""
    with on_trial(network):
        return _takes(network, 1, SIDE)


def _undecided(network: nn.Module, does: str, size: Size) -> Undecided:
    channels, side = size
    words = f"{side}×{side} pixels" + (f" with {channels} channels" if channels > 1 else "")
    return Undecided(
        f"{type(network).__name__} {does} images of {words}, and only networks for the hand-out's images of "
        f"{SIDE}×{SIDE} pixels can be checked here: a person has to look"
    )


def _takes(network: nn.Module, channels: int, side: int) -> bool:
    """Return whether a network returns something for each of some images, flat or square, or one number for all."""
    square = torch.rand(ROWS, channels, side, side)
    found = (_output(network, form) for form in (square.flatten(1), square))
    return any(output is not None and (output.dim() == 0 or len(output) == ROWS) for output in found)


def _output(network: nn.Module, inputs: Tensor) -> Tensor | None:
    """Return the first tensor that a network returns; None if it fails."""
    device = next((parameter.device for parameter in network.parameters()), inputs.device)
    with contextlib.suppress(Exception):  # the checks call the network again, and report what it raises
        output = network(inputs.to(device))
        output = output[0] if isinstance(output, tuple | list) and len(output) else output
        return output if isinstance(output, Tensor) else None
    return None


def _size_of(images: Tensor) -> Size | None:
    """Return the channels and the side of square images [B, …] of a usual size, which may be flat; else None."""
    pixels = images[0].numel()
    channels = images.shape[1] if images.dim() == 4 else 1 if pixels == isqrt(pixels) ** 2 else 3
    side = isqrt(pixels // channels)
    return (channels, side) if channels * side**2 == pixels and channels in CHANNELS and side in SIDES else None
