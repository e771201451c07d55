"""Records of the evidence that the probes of a diffusion process return. Images are [B, C, H, W], times [B]."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from torch import Tensor

from graders.probing.records import State


class QSample(TypedDict):
    """One call of q_sample with given noise."""

    noisy: Tensor  # images
    kept: bool  # whether what the loss needs afterwards is unchanged


class QSampleDraws(TypedDict):
    """Two calls of q_sample without given noise."""

    noisy_images: Tensor
    second_noisy_images: Tensor


class Shown(TypedDict):
    """What the denoiser was called with."""

    calls: int  # how often it was called
    shown_images: Tensor  # the images of its last call; zeros if there was none
    shown_times: Tensor | None  # the times of its last call, in the shape in which they were given


class PSample(Shown):
    """One reverse step."""

    next_images: Tensor


class PSampleDraws(TypedDict):
    """Two calls of p_sample without given noise."""

    next_images: Tensor
    second_next_images: Tensor


class Loop(TypedDict):
    """The student's sampling loop with a known p_sample; lists have an entry for each call of it."""

    images: Tensor  # as the loop returned them, [T, B, C, H, W] in a right answer
    replaced: bool  # whether p_sample was called at all
    begun: Tensor  # [N, C, H, W] with N ≤ B: the first images that the model was shown
    image_of_step: list[Tensor]
    times: list[Tensor | None]  # in the shapes in which they were given
    model: bool  # whether each call was given a model or another callable
    whole: bool  # whether all times are integers
    indices: list[int]  # t_index, if the student's p_sample takes one
    noise_of_step: list[Tensor | None]
    coefficients: list[Tensor]  # of the first call, [T] each


class Samples(TypedDict):
    """The student's sampling loop with a known p_sample and a known denoiser."""

    images: Tensor  # as the loop returned them, [T, B, C, H, W] in a right answer
    times: list[Tensor | None]  # those that p_sample or the denoiser was given, call by call


class Noised(TypedDict, total=False):
    """The first call of q_sample within the loss; nothing if it is not called."""

    noised: Tensor  # the images that it was given
    noised_times: Tensor | None
    coefficients: list[Tensor]  # [T] each
    noise: Tensor | None


class Loss(Shown, Noised):
    """The student's loss with a known denoiser and a known q_sample."""

    loss: Tensor  # one number in a right answer
    attached: bool  # whether it has a gradient
    gradient: Tensor  # images: its gradient with respect to the prediction, or zeros
    replaced: bool  # whether q_sample was called


class Times(TypedDict):
    """Two batches of times that the student draws."""

    times: Tensor  # [n]
    second_times: Tensor  # [n]
    whole: bool  # whether they are integers


class Train(TypedDict):
    """A short training of our U-Net on the student's loss."""

    weights: State
    losses: Tensor  # [steps]


class Seen(TypedDict):
    """What the model of a process was called with."""

    calls: int  # how often it was called
    seen_images: Tensor  # the images of its last call; zeros if there was none
    seen_times: Tensor | None  # the times of its last call, in the shape in which they were given
    seen_text: Tensor | None  # what it was given as `text_emb`


class Converted(TypedDict, total=False):
    """The last call of predict_start_from_noise within a reverse step; nothing if it is not called."""

    converted_images: Tensor
    converted_times: Tensor | None
    converted_noise: Tensor


class StepBack(Seen, Converted):
    """One reverse step of a process with a known model and a known predict_start_from_noise."""

    next_images: Tensor
    converted: bool  # whether predict_start_from_noise was called


class StepBackDraws(TypedDict):
    """Two calls of p_sample with the same arguments."""

    next_images: Tensor
    second_next_images: Tensor


class Clamped(TypedDict):
    """One reverse step from the same image, with the same random numbers, for some predictions of x_0."""

    beyond: Tensor  # for x_0 with pixels beyond −1 and 1
    within: Tensor  # for the same x_0, clamped to [−1, 1]
    lifted: Tensor  # for the same x_0, clamped to [0, 1]
    bright: Tensor  # for an x_0 that no usual clamp changes
    other: Tensor  # for another such x_0


class ClampedBoth(TypedDict, total=False):
    """By objective; one that ends in an exception is left out, unless both do."""

    pred_noise: Clamped
    pred_x_start: Clamped


class ProcessLoss(Seen, Noised):
    """The loss of a process with a known model and a known q_sample."""

    loss: Tensor  # one number in a right answer
    attached: bool  # whether it has a gradient
    gradient: Tensor  # images: its gradient by the prediction, or zeros
    replaced: bool  # whether q_sample was called


class Levels(TypedDict):
    """The shapes of the parameters of a U-Net: by level, by module, and in order; no modules for what is no list."""

    downs: list[list[list[list[int]]]]
    ups: list[list[list[list[int]]]]
    parameters: int  # their number


class Slopes(TypedDict):
    """The slopes of what a U-Net gives, along a known direction."""

    attached: bool  # whether there are any; otherwise they are zeros
    slopes: Tensor  # by the images
    sizes: Tensor  # of those by each parameter, in the order of their names


class UnetInMode(Slopes):
    """What a U-Net gives with given weights in one mode."""

    output: Tensor


class UnetOutput(TypedDict):
    """What a U-Net gives with given weights."""

    fits: bool  # whether it has layers for these weights; otherwise there is nothing else
    eval: NotRequired[UnetInMode]
    training: NotRequired[UnetInMode]


class Wired(TypedDict):
    """How a U-Net's forward uses its modules in one mode, each of which returns known features."""

    order: list[str]  # the names of the modules, in the order in which they were called
    inputs: list[Tensor]  # features, by call
    contexts: dict[str, Tensor | None]  # [B, context_dim] by block, from its last call
    output: Tensor
    attached: bool  # whether gradients pass through the output and the contexts
    sizes: Tensor  # of the gradient of the sum of the squares of all inputs and of the output, by each feature


class Wiring(TypedDict):
    """How a U-Net's forward uses its modules."""

    known: bool  # whether each level has two blocks and one layer that changes the size
    unused: str  # otherwise, the name of a parameter on which the output does not depend, or ""
    levels: list[int]  # otherwise, how many levels with modules there are in `downs` and in `ups`
    eval: NotRequired[Wired]
    training: NotRequired[Wired]


class Influences(TypedDict):
    """What a U-Net gives where its images, times or texts are others."""

    plain: Tensor
    x: Tensor
    time: Tensor
    text: Tensor
    cut: dict[str, Tensor]  # `plain` and `x` where the middle gives zeros; empty without a middle


class Guided(TypedDict):
    """What cfg_forward gives with a known forward."""

    guided: Tensor
    scaled: bool  # whether forward was given cfg_scale, too, which would make it call cfg_forward again
    images: int  # how many images all calls of forward were given together
