"""Records of the evidence that the probes of a variational auto-encoder return."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from torch import Tensor

from graders.probing.records import OutputSlopes, Registration, State


class Reparameterize(TypedDict):
    """Two draws of z, and the gradients of Σ weights · z of the first; all have one shape in a right answer."""

    first: Tensor
    second: Tensor
    attached: bool  # whether the first draw has a gradient
    mean_gradient: NotRequired[Tensor]  # if it has one, and the right shape
    std_gradient: NotRequired[Tensor]  # likewise


class Network(Registration):
    """A network's outputs in eval mode; lists have an entry for each output, as mean and log_std of an encoder."""

    outputs: list[Tensor]  # [B, …] each
    again: list[Tensor]  # [B, …] each, of a second call
    changed: str  # the name of a setting that the constructor changed in place, or ""
    alone: list[Tensor]  # [B, 1, …] each, for each row alone
    line: list[Tensor]  # [3, …] each, for three equidistant inputs on a line, with weights of a usual size
    blind: list[bool]  # whether the output has a gradient, but does not depend on the input


class Reach(TypedDict):
    """The range of a network's outputs."""

    starts: Tensor  # [2, FRESH, 2, n], the first outputs of all new networks for two rows, in training and in eval mode
    lowest: NotRequired[Tensor]  # [2, B, n], the lowest that the outputs reached in each mode, if their number is right
    highest: NotRequired[Tensor]  # [2, B, n], likewise


class OwnDivergence(TypedDict, total=False):
    """What the student's own divergence gives; nothing if it fails."""

    own_reg: Tensor  # one number, the batch mean
    own_reg_gradient: Tensor  # [2, B, z_dim], its gradients with respect to mean and log_std


class OwnBits(TypedDict, total=False):
    """What the student's own bits per dimension give; nothing if they fail."""

    own_bpd: Tensor  # one number, of the pass's L_rec + L_reg


class OwnDraws(TypedDict, total=False):
    """What the student's own reparameterization gives; nothing if it fails."""

    own_z: Tensor  # [draws, B, z_dim], from the random state that the encoder left
    own_z_attached: bool  # whether these have a gradient
    own_z_gradient: Tensor  # [2, B, z_dim], the gradients of Σ z_gradient · own_z with respect to mean and log_std


class Used(TypedDict, total=False):
    """What the model used in a pass; nothing if it did not call both networks."""

    mean: Tensor  # [B, z_dim]
    log_std: Tensor  # [B, z_dim]
    z: Tensor  # [draws, B, z_dim]
    logits: Tensor  # [draws, B, …]


class BpdGradients(TypedDict, total=False):
    """The gradients of bpd; nothing if it has none, or if the pass did not call both networks."""

    mean_gradient: Tensor  # [B, z_dim]
    log_std_gradient: Tensor  # [B, z_dim]
    z_gradient: Tensor  # [draws, B, z_dim]
    z_attached: bool  # whether the draws have a gradient
    decoder_trained: bool  # whether some gradient reaches what the decoder returned


class Pass(Used, BpdGradients):
    """One pass of the model with known outputs of both networks."""

    encoder_seen: bool  # whether the pass called the encoder or its layers
    decoder_seen: bool  # whether it called the decoder or its layers
    rec: Tensor  # as the model returns it: one number in a right answer
    reg: Tensor  # likewise
    bpd: Tensor  # likewise
    shown: Tensor  # [R, 784], the images that the encoder was given


class Loss(Pass, OwnDivergence, OwnBits, OwnDraws):
    """A pass that called both networks, and what the student's own functions make of the same numbers."""


class Sample(TypedDict):
    """Samples and their means as returned, and what the decoder was asked meanwhile."""

    samples: Tensor  # [n, 1, 28, 28] in a right answer
    means: Tensor  # [n, 1, 28, 28] in a right answer
    z: Tensor | None  # [N, z_dim], the decoder's inputs; None if it was not called
    logits: Tensor | None  # [N, 1, 28, 28], the decoder's outputs; None if it was not called


class Samples(Sample):
    """The results of two calls of `sample`."""

    again: Sample


class LevelSample(TypedDict):
    """Samples of levels as returned, and what the decoder was asked meanwhile."""

    samples: Tensor  # [n, 1, 28, 28] in a right answer
    z: Tensor | None  # [N, z_dim], the decoder's inputs; None if it was not called
    logits: Tensor | None  # [N, L, 28, 28], the decoder's outputs; None if it was not called


class LevelSamples(LevelSample):
    """The results of two calls of `sample`."""

    again: LevelSample


class Manifold(TypedDict):
    """The student's picture of a decoder of ours."""

    picture: Tensor  # [C, height, width]
    latents: Tensor  # [N, 2], those that were decoded


class LoopStep(TypedDict):
    """The gradient that a step uses, compared with those of the passes: cosines, and a least-squares fit."""

    own: float  # with the last pass
    before: float  # with the pass before
    all: float  # with the sum of all passes
    parts: Tensor | None  # [2], the weights of the last pass's L_rec and L_reg; None if they have no gradients
    left: NotRequired[float]  # the relative residual of that fit


class Loop(TypedDict):
    """One epoch of the student's training or evaluation; lists have an entry for each pass."""

    losses: Tensor  # [passes, 3]: L_rec, L_reg and bpd, as injected
    sizes: list[int]  # images in the pass
    ink: list[float]  # mean of the pixels
    images: Tensor  # [R, 784], those that reach the model, as far as there is room
    different: int  # how many of all images that reach the model are different
    modal: bool  # whether the model's losses depend on whether it is in training mode
    left_in_training: bool  # whether it is in training mode at the end
    training: list[bool]  # whether the pass is in training mode
    tracking: list[bool]  # whether it records operations for gradients
    steps: list[LoopStep]  # of the optimiser
    arrived: bool  # whether some backward() reached a parameter
    gradients_left: bool  # whether some parameter has a gradient that is not zero at the end
    moved: int  # how many entries of the state_dict changed
    trained: int  # how many of these are parameters
    unmoved: str  # the first parameter that had a gradient and did not change, or ""
    averages: list[float] | None  # what the loop returned; None if that is nothing


class Training(TypedDict):
    """A short training with our loop."""

    model: State
    decoder: State
    curve: Tensor  # [epochs, 3]: the epoch, its average loss, and the held-out loss after it, as the model returns them
    samples: list[Tensor | None]  # [64, 1, 28, 28] each, before, halfway and after; None if `sample` fails


class Code(TypedDict):
    """The posterior of images."""

    mean: Tensor  # [N, z_dim]
    log_std: Tensor  # [N, z_dim]


class LossFunction(TypedDict):
    """A loss of known reconstructions and its gradients, which are absent if it has no graph."""

    loss: Tensor  # a number
    x_hat: NotRequired[Tensor]  # the gradient by the reconstructions, of their shape
    mean: NotRequired[Tensor]  # [B, latent_size]
    logvar: NotRequired[Tensor]  # [B, latent_size]


class Layer(TypedDict):
    """What a fully connected layer took and gave in its only call."""

    taken: Tensor  # [B, n]
    given: Tensor  # [B, m]
    weight: Tensor  # [m, n]
    bias: Tensor  # [m], zeros if it has none


class Layers(TypedDict):
    """The fully connected layers of a VAE in the order of their calls, and what its networks gave."""

    encoder: list[Layer]
    heads: list[Layer]  # that of the mean, and that of logvar
    mean: Tensor  # [B, latent_size], what the head of the mean gave as a whole
    logvar: Tensor  # [B, latent_size], what that of logvar gave
    decoder: list[Layer]
    decoded: Tensor  # [B, …]
    others: Tensor  # [R, …], what the decoder gave for other latents
    others_taken: Tensor  # [R, n], what its first layer took of them; [0] if it has none
    encoded: Tensor  # [B, …], what the encoder took; [0] if it was not called
    unreached: str  # the first parameter of encoder, heads and decoder that a pass does not depend on, or ""


class HeadedPass(TypedDict):
    """One pass of a VAE whose heads give known numbers, and whose latents are drawn with known noise."""

    x_hat: Tensor  # [B, 1, 28, 28]
    mean: Tensor  # [B, latent_size], as returned
    logvar: Tensor  # [B, latent_size], as returned
    head_mean: Tensor  # [B, latent_size], as the last call of the head gave it
    head_logvar: Tensor  # [B, latent_size]
    encoded: Tensor  # [B, …], what the encoder took in its last call; no rows if it is not called
    decoder_taken: Tensor  # [B, …], what the decoder took in its last call; no rows if it is not called
    taken_again: NotRequired[Tensor]  # [B, …], what the decoder took in a second pass of the same model
    decoded: Tensor  # [B, …], what the decoder gave in that call
    drawn: bool  # whether the student's function was called to draw the latents, and so the known noise used
    drawn_mean: NotRequired[Tensor]  # the first argument of that call
    drawn_logvar: NotRequired[Tensor]  # the second argument
    mean_reached: bool  # whether the gradient of the reconstruction by the mean is not zero
    logvar_reached: bool  # whether its gradient by logvar is not zero


class HeadedSlopes(TypedDict):
    """How answers of a VAE with two heads change, and what their gradients predict of that."""

    mean: OutputSlopes  # of the reconstruction, by what the head gives as mean
    logvar: OutputSlopes  # of the reconstruction, by what the head gives as logvar
    hidden: OutputSlopes  # of mean and logvar, by what the encoder gives


class HeadedTraining(TypedDict):
    """The weights after a short training with the student's loss, and the loss at each step."""

    model: State
    decoder: State
    losses: Tensor  # [steps]


class HeadedCode(TypedDict):
    """The posterior of images."""

    mean: Tensor  # [N, latent_size]
    logvar: Tensor  # [N, latent_size]
