"""Records of the evidence that the probes of a conditional GAN return."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from torch import Tensor

from graders.probing.records import Learnable, OutputSlopes, Registration, State


class Generator(Registration, Learnable):
    """The images of an untrained generator in eval mode, and what they depend on."""

    images: Tensor  # [B, 784]
    again: Tensor  # [B, 784], for the same inputs once more
    alone: Tensor  # [1, 784], for the last row alone
    far: Tensor  # [B, 784], for noise that is 50 times as large
    far_in_training: Tensor  # [B, 784], the same in training mode
    noise_moves: Tensor  # [3, B]: how far each image changes when the noise of one of three rows changes
    label_moves: Tensor  # [3, B]: the same for the label
    by_weights: OutputSlopes  # of the pixels, in directions of the parameters, with signals of an ordinary size


class Discriminator(Registration, Learnable):
    """The scores of an untrained discriminator in eval mode, and what they depend on."""

    scores: Tensor  # [B]
    again: Tensor  # [B], for the same inputs once more
    alone: Tensor  # [1], for the last row alone
    image_moves: Tensor  # [3, B]: how far each score changes when the image of one of three rows changes
    label_moves: Tensor  # [3, B]: the same for the label
    by_weights: OutputSlopes  # of the scores, in directions of the parameters, with signals of an ordinary size
    by_images: OutputSlopes  # the same in directions of the images


class GeneratorInput(TypedDict):
    """The generator's input that the student's function makes of noise and labels."""

    rows: Tensor  # [B, …]


class Answer(TypedDict):
    """One call of the student's function that generates a digit."""

    inputs: list[Tensor]  # the generator's arguments in all of its calls, [R, …] each
    decoded: Tensor  # [R, 784], the generator's images, which are random ones
    images: Tensor | None  # [N, 784], as returned; None if nothing like images is returned


class Generate(TypedDict):
    """The calls of the student's function, one for each digit."""

    answers: list[Answer]


class Train(TypedDict):
    """The generator's weights and both losses [steps] of a short training."""

    trained: State
    generator_losses: Tensor
    discriminator_losses: Tensor


class Decode(TypedDict):
    """The images of a trained generator."""

    images: Tensor  # [B, 784]
    signed: bool  # whether pixels lie in [−1, 1], not in [0, 1]


class HandedIn(TypedDict):
    """The handed-in weights of one number among those that fit the student's generator."""

    file: str  # the file's name with the place of the weights in it, or ""
    problem: str  # why there are no weights, or ""
    count: int  # how many sets of weights fit
    weights: NotRequired[State]  # if there are some of this number
