"""Records of the evidence that the probes of a GAN with prescribed networks return."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from torch import Tensor

from graders.probing.records import State


class Noise(TypedDict):
    """The noise of two calls."""

    first: Tensor  # [B, noise_dim]
    second: Tensor  # [B, noise_dim]


class Layers(TypedDict):
    """The parameters of a new network."""

    parameters: int  # how many numbers are trainable
    shapes: list[list[int]]  # of each parameter, as the network lists them


class Loss(TypedDict):
    """A loss for scores of one shape, and its gradients; these are absent if the loss does not depend on its scores."""

    loss: Tensor  # a number
    attached: bool  # whether the loss has a graph
    real: NotRequired[Tensor]  # [N], the gradients by the scores of real images
    fake: NotRequired[Tensor]  # [N], the gradients by the scores of generated images


class Losses(TypedDict):
    """A loss for scores of the shapes for which it can be computed, of which there is at least one."""

    column: NotRequired[Loss]  # for scores [N, 1]
    flat: NotRequired[Loss]  # for scores [N]
    refused: NotRequired[str]  # the error for scores [N, 1], if the student's own discriminator gives such scores


class Batches(TypedDict):
    """How a network took batches of several sizes."""

    usual: str  # what is wrong with a batch of the usual size, or ""
    other: str  # what is wrong with a batch of a few of its rows, or ""
    of_usual: Tensor  # [few, n], what it gives for the first rows of the usual batch; [0] if something is wrong with it
    of_other: Tensor  # [few, n], what it gives for these rows alone; likewise


class Train(TypedDict):
    """The generator's weights, and both losses [steps] of a short training."""

    trained: State
    generator_losses: Tensor
    discriminator_losses: Tensor
