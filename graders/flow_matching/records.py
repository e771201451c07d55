"""Records of the evidence that the probes of flow matching return. Points are [B, d]."""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor

from graders.probing.records import State


class Trajectory(TypedDict):
    """The points of an integrator's steps."""

    points: Tensor  # [steps + 1, B, d], with the first ones


class Coefficients(TypedDict):
    """A process's coefficients at some points, in the shapes in which they were given, from two calls each."""

    drift: Tensor
    diffusion: Tensor
    second_drift: Tensor
    second_diffusion: Tensor


class Draws(TypedDict):
    """Two calls that draw points from a path for the same z and times."""

    draws: Tensor
    second_draws: Tensor


class Blend(TypedDict):
    """A draw from a linear path whose `p_simple` is known."""

    blend: Tensor
    asked: list[int]  # for each call of p_simple.sample, how many points were asked for


class Field(TypedDict):
    """A vector field and a score at the same points. A sequence of points gives one result for each."""

    field: Tensor  # [..., B, d]
    score: Tensor  # [B, d]


class Losses(TypedDict):
    """The losses of one trainer, one after another."""

    calls: list[Loss]  # for each size of a batch


class GuidedLosses(Losses):
    """The losses of a trainer with labels. The last call of the model has labels."""

    null_label: int  # the label that stands for none


class Loss(TypedDict):
    """A loss and what was asked of the path and of the model for it, whose answers are known."""

    loss: Tensor  # in the shape in which it was given
    attached: bool  # whether it has a graph
    gradient: Tensor  # with respect to the model's output, of its shape; zeros if there is none
    asked: list[int]  # for each call of p_data.sample, how many points were asked for
    path: list[Seen]  # the last call of sample_conditional_path, if there is one
    target: list[Seen]  # the last call of conditional_vector_field or conditional_score, if there is one
    which: str  # "field" or "score": the last target that was asked for; "" for none
    model: list[Seen]  # the last call of the model, if there is one


class Seen(TypedDict):
    """The arguments of a call, in the shapes in which they were given. None: it was not given."""

    points: Tensor  # what sample_conditional_path was given as z, or target and model as x
    times: Tensor | None
    source: Tensor | None  # what the target was given as z
    labels: Tensor | None  # what the model was given


class Labels(TypedDict):
    """The labels that the model is given in several batches."""

    batches: list[Tensor | None]  # for each batch those of the model's last call; None if it got none
    whole: bool  # whether all of them are of an integer type
    null_label: int  # the label that stands for none


class Train(TypedDict):
    """A short training."""

    weights: State
    losses: Tensor  # [steps]


class Passes(TypedDict):
    """What a network gives in K passes."""

    outputs: list[list[Tensor]]  # of each pass: one tensor, or several if the network returns several
    parameters: int  # how many trainable numbers are in use
    unregistered: int  # how many tensors require gradients, but are not among the network's parameters


class Slopes(TypedDict):
    """The slope of a random sum of a network's outputs along its gradient."""

    length: float  # of the gradient; 0 if none reaches the leaves
    ratio: float  # of a difference of the sum and what the gradient predicts; 0 without a gradient


class Training(TypedDict):
    """A network in eval mode and in training mode, in which dropout layers drop nothing."""

    eval: list[Tensor]  # its outputs
    train: list[Tensor]
    varies: bool  # whether its outputs in training mode are still random, or it has a batch norm
    of_weights: Slopes  # in training mode, along the parameters
    of_inputs: Slopes  # and along x and c
    idle: str  # the name of a weight without effect; "" if there is none


class Image(TypedDict):
    """The images that a network is for."""

    channels: int
    side: int  # in pixels


class VaeGradients(TypedDict):
    """The gradients of an autoencoder's loss; zeros for what it does not depend on."""

    z_mean: Tensor  # [B, …], like the latents
    z_logvar: Tensor  # []
    x_mean: Tensor  # [B, …], like the images
    x_logvar: Tensor  # []


class VaeLoss(TypedDict):
    """An autoencoder's loss."""

    gradients: list[VaeGradients]  # for each β


class LatentLosses(TypedDict):
    """The losses of one trainer on the latents of images, one after another."""

    calls: list[LatentLoss]  # for each size of a batch


class LatentLoss(Loss):
    """A loss on the latents of images. The last call of the model has labels."""

    encoded: list[Tensor]  # the images that the autoencoder was last given, if it was asked
    through: bool  # whether the latents were given on with gradients
