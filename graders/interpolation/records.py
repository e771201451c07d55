"""Records of the evidence that the probes of interpolations return."""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor


class Decodings(TypedDict):
    """What was decoded, in order."""

    latents: Tensor  # [K, d]; if the function only returns latents, these
    decoded: Tensor  # [K, 784], the images of the latents; [0, 784] if the function only returns latents


class Walk(Decodings):
    """An interpolation between two latents of a generator."""

    images: Tensor | None  # [N, 784], as returned; None if nothing like images is returned


class VaeWalk(Walk):
    """An interpolation between the codes of two images."""

    asked: Tensor  # [R, 784], the images that the encoder was given
    codes: list[Tensor]  # the encoder's outputs for them, [R, …] each
