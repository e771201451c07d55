"""Records of the evidence that the probes of a GAN of two networks and a function that trains both return."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from torch import Tensor

from graders.probing.records import OfNetworks, Registration


class Network(Registration):
    """The outputs of a network in eval mode, for inputs [B, …]: images [B, 784], or scores [B]."""

    outputs: Tensor
    again: Tensor  # for the same inputs once more
    alone: Tensor  # for the first input alone
    lines: Tensor  # [3·(B − 1), …]: for all inputs but the last, for the points halfway to the next, for the next
    driven: Tensor  # [2, …], for the same inputs after training towards a target, in both modes of `drive`


class Generator(Network):
    """The images of a generator."""

    far: Tensor  # [B, 784], for latents that are 50 times as large


class Losses(TypedDict):
    """The losses that a step belongs to, and the scores that they depend on."""

    loss: Tensor  # [1], their sum; [0] if there are none
    rows: Tensor  # [R, 784], the images that were scored
    scores: Tensor  # [R]
    places: Tensor  # [R], the index of each among the injected scores
    gradients: Tensor  # [R], those of the loss with respect to the scores


class FirstStep(Losses):
    """What the first step of a network follows from."""

    reached: OfNetworks[bool]  # whether the loss depends on each network


class Turn(FirstStep):
    """The loss of a network in one turn of the student's loop."""

    latents: Tensor  # [N, 100], of all generated images
    decoded: Tensor  # [N, 784], all generated images
    bounded: bool  # whether the discriminator's scores are probabilities


class Step(TypedDict):
    """A step of an optimiser in the student's loop."""

    holds: list[str]  # the networks of which the optimiser holds parameters
    losses: int  # how many losses it belongs to
    agreement: float | None  # cosine of the gradients that it uses with those of these losses, if there are any
    unexplained: float  # the share of its gradients that is no combination of those of all losses so far
    moved: NotRequired[dict[str, float]]  # for each network, the largest change of a parameter


class Loop(TypedDict):
    """One epoch of the student's loop."""

    steps: list[Step]
    rows: Tensor  # [R, 784], the images that the discriminator was shown, as far as there is room
    read: int  # how many images were read from the data set


class Interpolate(TypedDict):
    """The latents that an interpolation decodes."""

    latents: Tensor  # [N, 100], of one call, in order
    ends: Tensor  # [calls, 2, 100], the first and the last latents of several calls
