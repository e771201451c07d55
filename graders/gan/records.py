"""Records of the evidence that the probes of a GAN return."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from torch import Tensor

from graders.probing.records import OfNetworks, Registration, State, Step


class Generated(Registration):
    """The images [B, *shape] of a new generator in eval mode."""

    images: Tensor
    again: Tensor  # of the same latents once more
    first: Tensor  # of the first latent alone
    lines: Tensor  # [3·(B − 1), …], of what `stretched_lines` makes of the latents


class GeneratorRange(TypedDict):
    """The images of a generator far from its initial ones."""

    far: Tensor  # [B, …], of latents that are 50 times as large
    driven: Tensor  # [2, B, …], after training towards a target, in both modes of `drive`


class Scored(Registration):
    """The scores [B] of a new discriminator in eval mode."""

    scores: Tensor
    again: Tensor  # of the same images once more
    first: Tensor  # of the first image alone
    lines: Tensor  # [3·(B − 1), …], of what `stretched_lines` makes of the images


class Scores(TypedDict):
    """What the discriminator was asked in a step, and how the loss depends on its answers."""

    rows: Tensor  # [R, 784], the images that were scored
    scores: Tensor  # [R], the injected scores
    gradients: Tensor  # [R], those of the loss with respect to the scores, or zeros


class Decodings(TypedDict):
    """All calls of the generator."""

    latents: Tensor  # [N, z_dim]
    decoded: Tensor  # [N, 784]


class TrainingStep(Scores, Decodings):
    """One training step of a network, with known scores of the discriminator."""

    loss: Tensor  # [n]
    bounded: bool  # whether the discriminator gives probabilities; the injected scores then are some, too
    reached: OfNetworks[bool]  # whether the loss depends on each network


class TwoSteps(TrainingStep):
    """A training step, and the latents of another one."""

    again: Tensor  # [N, z_dim]


class Returned(Decodings):
    """The images that a student's function returned, and what the generator decoded meanwhile."""

    images: Tensor  # [n, 1, 28, 28] in a right sample, [n, steps, 1, 28, 28] in a right interpolation


class Sample(Returned):
    """Samples, and the latents of a second call."""

    again: Tensor  # [N, z_dim]


class Interpolate(Returned):
    """Interpolations; a returned list of strips is stacked."""

    listed: bool  # whether the student returned a list
    takes_ends: bool  # whether the ends are arguments, which were then drawn here


class Loop(TypedDict):
    """One epoch of the student's own loop."""

    steps: list[Step]
    losses: list[str]  # the networks whose step functions were called, in order
    trained: OfNetworks[bool]  # whether the losses of each network give it a gradient
    rows: Tensor  # [R, 784], the images that the discriminator was shown, as far as there is room
    read: int  # how many images were read from the data set


class Train(TypedDict):
    """The generator's weights, and both losses [steps] of a short training."""

    untrained: State
    halfway: State
    trained: State
    generator_losses: Tensor
    discriminator_losses: Tensor


class Checkpoint(TypedDict):
    """The images of the weights that were handed in."""

    file: str  # the file's name, or "" if there is none
    problem: str  # why there are no images, or ""
    images: NotRequired[Tensor]  # [B, 784], if the weights fit the student's generator
