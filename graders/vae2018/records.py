"""Records of the evidence that the probes of a VAE in any parameterisation return.

The encoder's second output is a standard deviation, a variance, or the logarithm of either.
"""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor

from graders.probing.records import Registration, State


class BoundGradients(TypedDict, total=False):
    """The gradients of the mean of the first bound; only the first two keys if one of these is false."""

    bound_attached: bool  # whether the bound has a gradient
    z_attached: bool  # whether the latents have one
    mean_gradient: Tensor  # [B, z_dim], with respect to the encoder's first output
    second_gradient: Tensor  # [B, z_dim], with respect to its second output
    z_gradient: Tensor  # [draws, B, z_dim], with respect to the latents


class Seen(TypedDict):
    """What the first pass called."""

    encoder_seen: int  # how often it called the encoder
    decoder_seen: int  # how often it called the decoder
    shown: Tensor  # [R, 784], the images that the encoder was given


class Incomplete(Seen, BoundGradients):
    """The first pass of the model that did not call both networks."""

    bounds: Tensor  # [passes, …], of which each is one number in a right answer


class Passes(Incomplete):
    """Passes of the model with injected outputs of both networks."""

    z: Tensor  # [passes, draws, B, z_dim], the latents that the decoder was given


class Latents(TypedDict):
    """The latents that the model decodes, even if a part of it fails."""

    encoder_seen: int  # how often the encoder was called in all passes
    decoder_seen: int  # how often the decoder was called in the last pass
    bounds: Tensor  # [passes], NaN where computing it fails
    z: Tensor | None  # [passes, draws, B, z_dim]; None if the decoder is not given latents of that shape
    z_attached: bool  # whether those of the last pass have a gradient


class Encoder(Registration):
    """An encoder's two outputs in eval mode."""

    mean: Tensor  # [B, z_dim]
    second: Tensor  # [B, z_dim]
    alone: Tensor  # [2, 1, z_dim], both for the first image alone
    line: Tensor  # [2, 3, z_dim], both for three equidistant points on a line through zero
    driven: Tensor  # [2, B, z_dim], the first after an encoder was trained to bring it to a target, in both modes
    second_driven: Tensor  # [2, B, z_dim], the second likewise


class Decoder(Registration):
    """A decoder's outputs in eval mode."""

    outputs: Tensor  # [B, 784]
    alone: Tensor  # [1, 784], for the first latent alone
    line: Tensor  # [3, 784], for three equidistant points on a line through zero
    driven: Tensor  # [2, B, 784], after the decoder was trained towards a target, in both modes of `drive`


class Sample(TypedDict):
    """Samples and their means as returned, and what the decoder was asked meanwhile."""

    samples: Tensor  # [n, 784] in a right answer
    means: Tensor  # [n, 784] in a right answer
    z: Tensor | None  # [N, z_dim], the decoder's inputs; None if it was not called
    outputs: Tensor | None  # [N, 784], the decoder's outputs; None if it was not called


class Samples(Sample):
    """The results of two calls of `sample`."""

    again: Sample


class Epoch(TypedDict):
    """One epoch of the student's loop."""

    returned: list[float]  # of each pass, the mean bound that the model itself returned
    sizes: list[int]  # of each pass, the size of its batch
    images: Tensor  # [N, 784], those that reach the model, as far as there is room
    modes: list[float]  # of each pass, 1 in training mode and 0 otherwise
    own: list[float]  # of each step, cosine of the used gradient and that of the latest −ELBO
    moved: int  # how many parameters changed
    unmoved: str  # the first parameter that had a gradient and did not change, or ""
    average: float | None  # what the loop returned; None if that is nothing


class Average(TypedDict):
    """Two keys of an epoch in eval mode; no sizes and None if the loop fails, which another check judges."""

    sizes: list[int]
    average: float | None


class Train(TypedDict):
    """A short training with our loop."""

    model: State
    decoder: State
    curve: Tensor  # [epochs], the mean returned bound of each
    samples: list[Tensor | None]  # [64, 784] each, before and after; None if `sample` fails


class Code(TypedDict):
    """An encoder's two outputs."""

    mean: Tensor  # [N, z_dim]
    second: Tensor  # [N, z_dim]
