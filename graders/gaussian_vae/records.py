"""Records of the evidence that the probes of a VAE with Gaussian encoder and decoder return.

Images are [B, 1, 32, 32], latents [B, z_dim].
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from torch import Tensor

from graders.probing.records import State


class Gradients(TypedDict):
    """The gradients of a value's sum with respect to the parameters of a Gaussian."""

    attached: bool  # whether there are any
    mean_gradient: NotRequired[Tensor]  # [B, d], if there are any
    logvar_gradient: NotRequired[Tensor]  # [B, d], if there are any, and a log-variance was given


class Draws(Gradients):
    """Two draws, with the gradients of the first."""

    draw: Tensor  # [B, d]
    second_draw: Tensor  # [B, d]


class Divergence(Gradients):
    """A divergence from the prior, with its gradients."""

    divergence: Tensor  # [B], in nats


class Surprise(Gradients):
    """A negative log-density, with its gradients."""

    surprise: Tensor  # [B], in nats


class Parts(TypedDict):
    """The distributions that encode and decode give."""

    mean: Tensor  # [B, z_dim], of encode
    logvar: Tensor  # [B, z_dim], of encode
    few: Tensor  # [2, FEW, z_dim]: mean and log-variance of encode for the last images alone, in reverse order
    image: Tensor  # images: the mean of decode
    image_logvar: Tensor  # images: the log-variance of decode
    mean_driven: Tensor  # [2, B, z_dim], after a model was trained to bring the mean to a target, in both modes
    logvar_driven: Tensor  # [2, B, z_dim], the log-variance likewise


class Latents(TypedDict):
    """What the decoder was given."""

    latents: Tensor  # [N, z_dim], in order


class Forward(Latents):
    """The results of the model's forward, with a known decoder."""

    reconstruction: Tensor  # images
    nll: Tensor  # [B]
    kl: Tensor  # [B]
    mean: Tensor  # [B, z_dim], of the posterior of the same images
    logvar: Tensor  # [B, z_dim]
    nll_reaches: bool  # whether nll has a gradient with respect to the encoder's parameters
    kl_reaches: bool  # whether kl has one
    repeats: bool  # whether encode gives the same posterior in a second call
    predicted_slopes: Tensor  # [ways, 2]: the slopes of both losses' sums that their gradients predict
    moved: Tensor  # [ways, 2, 2, B, z_dim]: mean and logvar of the posterior to either side


class Samples(Latents):
    """The model's samples, with a known decoder."""

    images: Tensor  # images
    again: Tensor  # [N, z_dim], what the decoder was given in a second call


class LogLikelihood(Latents):
    """An estimate of log p(x), with a known decoder."""

    log_likelihood: Tensor  # [B]
    asked: bool  # whether encode was called, so that the injected posterior was used


class ByInjected(LogLikelihood):
    """An estimate with the injected posterior."""

    strayed: float  # the largest difference of a pixel between the images that encode was given and those of x


class ByOwn(LogLikelihood):
    """An estimate with the model's own posterior."""

    mean: Tensor  # [B, z_dim]
    logvar: Tensor  # [B, z_dim]


class Interpolate(Latents):
    """An interpolation, with a known decoder."""

    images: Tensor  # [n, 1, 32, 32]


class Train(TypedDict):
    """A short training with our loop."""

    weights: State


class Code(TypedDict):
    """The posterior of images."""

    mean: Tensor  # [N, z_dim]
    logvar: Tensor  # [N, z_dim]


class Pictures(TypedDict):
    """Pictures by the student's functions; other checks judge whether these fail."""

    samples: Tensor | None  # [32, 1, 32, 32]; None if `sample` fails
    walks: list[Tensor]  # [n, 1, 32, 32] each; none if `interpolate` fails
