"""Records of the evidence that the probes of a normalizing flow return. Points are [N, d] or [B, d]."""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor

from graders.probing.records import State


class LogProb(TypedDict):
    """The log-density of a distribution."""

    log_prob: Tensor  # [...], at x [..., d]
    x: Tensor  # [..., d], the points after the call


class BimodalLogProb(LogProb):
    """The log-density of a mixture."""

    with_ours: LogProb | None  # the same of a mixture of our Gaussians; None if there is nothing to compare


class Samples(TypedDict):
    """Draws from a distribution."""

    samples: Tensor  # [n, d], of one call
    calls: list[Tensor]  # [8, d] each: the small samples of many calls after it


class BimodalSamples(Samples):
    """Draws from a mixture."""

    with_ours: Samples | None  # the same of a mixture of our Gaussians; None if there is nothing to compare


class Ledger(TypedDict):
    """The calls of the model's layers in one pass, for the diagnosis of mistakes."""

    layers: int  # how many layers the model has
    order: Tensor  # [calls]: the number of the layer that was called
    inverse: Tensor  # [calls]: whether it was inverted
    added: Tensor  # [calls, B]: what it added to log_det; NaN if that is not one number for each point


class Ledgers(TypedDict):
    """The passes in both directions."""

    forward: Ledger
    backward: Ledger


class RoundTrip(TypedDict):
    """The map there and back, in both orders: points."""

    forward: Tensor
    forward_and_back: Tensor
    backward: Tensor
    backward_and_forth: Tensor
    ledgers: Ledgers


class WayBack(TypedDict):
    """Points that were mapped in another process, mapped back."""

    of_forward: Tensor  # [B, d], by the inverse
    of_backward: Tensor  # [B, d], by the map


class Differences(TypedDict):
    """The map's log_det, and its values at neighbours on either side along each axis."""

    log_det: Tensor  # [B]
    at_x: Tensor  # points: what the map makes of x
    back: Tensor  # [B], the log_det of the way back
    ledger: Ledger
    after: Tensor  # [d, B, d]
    before: Tensor  # [d, B, d]


class Image(TypedDict):
    """What the map makes of points."""

    z: Tensor  # points
    log_det: Tensor  # [B]


class Neighbours(Differences):
    """The differences between neighbouring points, in double precision if the model supports it."""

    double: bool  # whether it can
    in_use: list[Image]  # the map in its own precision in eval mode, and in training mode with gradients


class Loss(Image):
    """The loss of a model, and the parts that it is made of."""

    nll: Tensor  # [B]


class Account(Loss):
    """The loss of points, with the calls of the model's layers."""

    ledger: Ledger


class Slopes(TypedDict):
    """How both parts of the mean loss, −log p_z(z) and −log_det, change in random directions of the parameters."""

    slopes: Tensor  # [directions, 2], by central differences
    predicted_slopes: Tensor  # [directions, 2], by the parts' gradients


class Nll(Account, Slopes):
    """The loss of a model, and properties of its gradient."""

    trainable: bool  # whether the loss has a gradient
    idle: Tensor  # [layers with parameters]: which of them the loss does not reach
    off: float  # the gradient's relative distance from that of the parts' sum
    weights: Tensor  # [2]: the least-squares weights of the parts' gradients in it
    attached: bool  # whether log_det has a gradient
    in_training: Loss  # in training mode, without dropout


class StirredDensities(TypedDict):
    """Densities of untrained models."""

    log_densities: Tensor  # [models, N]
    account: Account  # of the last model, at the first points


class Train(TypedDict):
    """A short training with our loop; the curves are in bits per dimension, [epochs]."""

    weights: State  # of the epoch with the lowest validation loss
    train: Tensor
    validation: Tensor


class TrainingLoop(TypedDict):
    """One epoch of the student's loop on a model with one parameter, the location."""

    average: float | None  # what the loop returned
    gradients: Tensor  # [steps, d], the gradient at each step of the optimiser
    location: Tensor  # [d], after the epoch
    left: Tensor  # [d], the gradient that is left at the end
    computed: int  # how many gradients were computed
