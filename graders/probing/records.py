"""Records of evidence that several families share: what the functions beside this file return, key by key.

Each family declares the evidence of its probes in `graders/<family>/records.py`. At run time a record is a plain dict;
only type checkers and `tests/test_records.py` read these files.
"""

from __future__ import annotations

from typing import Generic, NotRequired, TypedDict, TypeVar

from torch import Tensor

T = TypeVar("T")
State = dict[str, Tensor]  # the weights of a network by their names, as in its state_dict


class Registration(TypedDict):
    """The parameters that an output depends on, beside those that `parameters()` gives an optimiser."""

    parameters: int  # how many numbers are trainable
    unregistered: int  # how many tensors require gradients, but are not among the network's parameters


class Learnable(TypedDict):
    """Whether gradients flow back from an output; there is none through rounding, detach or NumPy."""

    by_parameters: bool  # whether some gradient of a parameter is not zero
    by_given: bool  # whether the gradient of the given tensor is not zero
    idle: str  # the first parameter without a gradient although its layer is called, or ""


class OutputSlopes(TypedDict):
    """Slopes of a weighted sum of outputs in random directions, in eval and in training mode."""

    slopes: Tensor  # [2, directions], by central differences
    predicted_slopes: Tensor  # [2, directions], by gradients
    rounding: Tensor  # [2], the slopes' errors by rounding


class OfNetworks(TypedDict, Generic[T]):
    """The same of both networks of a GAN."""

    generator: T
    discriminator: T


class Step(TypedDict):
    """A step of an optimiser in the loop of a GAN; the last four keys are there if it holds one network's parameters.

    The shares are a least-squares fit of the losses' gradients to the gradient that the step uses.
    """

    holds: list[str]  # the networks of which the optimiser holds parameters
    losses: int  # how many losses were computed so far
    moved: NotRequired[dict[str, float]]  # for each network, the largest change of a parameter in the step
    agreement: NotRequired[float | None]  # cosine of the used gradient with that of the network's latest loss, if any
    shares: NotRequired[Tensor]  # [losses]: the weight of each loss in the used gradient
    unexplained: NotRequired[float]  # the share of the used gradient that the losses do not explain
    of_no_loss: NotRequired[float]  # the share that the losses which the loop itself differentiates do not either
