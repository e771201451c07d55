"""Conditional GANs (Mirza & Osindero 2014): noise and a digit's label in, an image of that digit out.

Left open by the assignment, and decided for the student:
- the label is a one-hot row behind the noise, or before it, or an argument of its own, also as a number that an
  embedding turns into a row; a network that counts no label among its inputs fails;
- images have MNIST's 28×28 pixels, as rows or as squares, in [−1, 1] or in [0, 1], and no others can be judged; scores
  are logits or probabilities;
- the noise may be of any simple distribution, as long as every image has noise of its own;
- networks are asked in eval mode, where dropout rests.
What is learned is judged in `graders/cgan/training.py`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import Evidence, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.latents import trace
from graders.interpolation.checks import MOST_IMAGES

Array = NDArray[np.float64]

PIXELS: Final = 28 * 28
CLASSES: Final = 10
BATCH: Final = 20
MOST_NOISE: Final = 1024  # as many numbers are given; a generator takes as many of them as it needs
MOST_INPUTS: Final = 16_384  # numbers of an argument of a generator: its noise, or a label that is spread over an image
FELT: Final = 1e-4  # of how far outputs differ by either input: what differs less by one of them does not heed it
ROUNDING: Final = 1e-6
SAME: Final = 1e-3  # of how far outputs differ from each other: less is none
EQUAL: Final = 2e-6  # of how far scores differ: less is rounding
TRIES: Final = 2  # networks of which two labels have to have one score, which they may have by chance
SHOWN: Final = 8  # images that are shown with each of the labels
STRETCH: Final = 3  # times images in [−1, 1]: activations bend, and labels do not just shift all scores alike
INJECTED: Final = 1e-5  # on numbers that only change their place
ASKED: Final = 10  # images of each digit


@check("cgan.generator")
def test_generator_images(student: Subject, rng: Rng) -> None:
    """The conditional generator gives images of 784 pixels within their range, each of its own noise and label."""
    labels = np.tile(np.arange(CLASSES), BATCH // CLASSES)
    noise = rng.normal(BATCH, MOST_NOISE)
    got = student.run(probes.cgan.generator, noise=noise, labels=labels)
    images = images_of(got, BATCH)
    expect_registered(got, "generator")
    expect_learnable(got, "generator", images)
    judge_repeated(got, images, "the same noise and label give two images", "an image")
    far = got.tensor("far", shape=images.shape)
    low, high = float(far.min()), float(far.max())
    expect(
        low >= -1 - 1e-5 and high <= 1 + 1e-5,
        "pixels leave the range of the images: end with a tanh, for images in [−1, 1], or a sigmoid, for [0, 1]",
        expected="pixels in [−1, 1], or in [0, 1]",
        got=f"pixels from {low:.2f} to {high:.2f} for noise that is 50 times as large",
    )


@check("cgan.generator_condition")
def test_generator_hears_the_label(student: Subject, rng: Rng) -> None:
    """With the same noise, each label gives another image; with the same label, other noise does."""
    noise, labels = rng.normal(CLASSES, MOST_NOISE), np.arange(CLASSES)
    by_label = student.run(probes.cgan.generator, noise=np.repeat(noise[:1], CLASSES, axis=0), labels=labels)
    by_noise = student.again(probes.cgan.generator, noise=noise, labels=np.full(CLASSES, 3))
    images = [images_of(got, CLASSES) for got in (by_label, by_noise)]
    expect(
        spread(images[0]) > FELT * scale_of(images),
        "the generator does not heed the label: with the same noise, all digits give one image",
    )
    expect(
        spread(images[1]) > FELT * scale_of(images),
        "the generator does not heed the noise: it gives one image of a digit, whatever it is given",
    )
    different = distinct(images[0], FELT * scale_of(images))
    expect(
        different == CLASSES,
        "the generator does not tell all labels apart: with the same noise, some digits give one image",
        expected=f"{CLASSES} different images",
        got=f"{different}",
    )


@check("cgan.discriminator")
def test_discriminator_scores(student: Subject, rng: Rng) -> None:
    """The conditional discriminator gives one score of each image with its label."""
    images, labels = rng.uniform(-1, 1, BATCH, PIXELS), np.tile(np.arange(CLASSES), BATCH // CLASSES)
    got = student.run(probes.cgan.discriminator, images=images, labels=labels)
    scores = got.tensor("scores", shape=(BATCH,))
    expect_registered(got, "discriminator")
    expect_learnable(got, "discriminator", scores[:, None])
    felt = float(got.tensor("image_moves", shape=(UpTo(BATCH), BATCH)).max(initial=0.0)) > FELT * scale_of(
        [scores[:, None]]
    )
    expect(
        got.flag("by_given") or not felt,
        "no gradient comes from the discriminator's score to the images, so that a generator would learn nothing from "
        "it: leave out detach, .data, numpy and rounding",
    )
    judge_repeated(got, scores, "the same image and label get two scores", "a score")


@check("cgan.discriminator_condition")
def test_discriminator_hears_the_label(student: Subject, rng: Rng) -> None:
    """The score of an image depends on the label that comes with it, and that of a label on its image."""
    for _ in range(TRIES):
        images = STRETCH * rng.uniform(-1, 1, SHOWN, PIXELS)
        pairs = {"images": np.repeat(images, CLASSES, axis=0), "labels": np.tile(np.arange(CLASSES), SHOWN)}
        got = student.run(probes.cgan.discriminator, **pairs)
        scores = got.tensor("scores", shape=(SHOWN * CLASSES,)).reshape(SHOWN, CLASSES)
        scale = scale_of([scores, scores.T])
        expect(
            spread(scores.T) > FELT * scale,
            "the discriminator does not heed the label: the generator would have no reason to draw the digit that is "
            "asked",
        )
        expect(
            spread(scores) > FELT * scale,
            "the discriminator does not heed the image: whatever it is shown with a label gets one score",
        )
        different = distinct(scores.T, EQUAL * scale)
        if different == CLASSES:
            return
    fail(
        "the discriminator does not tell all labels apart: some digits get one score, whatever the image",
        expected=f"{CLASSES} different rows of scores of the same images",
        got=f"{different}",
    )


@check("cgan.input")
def test_input_of_the_generator(student: Subject, rng: Rng) -> None:
    """The generator's input is the noise, and beside it a one-hot vector of the label."""
    size = noise_size(student)
    noise, labels = rng.normal(BATCH, size), np.tile(np.arange(CLASSES), BATCH // CLASSES)
    rows = student.run(probes.cgan.generator_input, noise=noise, labels=labels)["rows"]
    expected = f"shape {[BATCH, size + CLASSES]}"
    expect(
        rows.shape()[:2] == (BATCH, size + CLASSES) and set(rows.shape()[2:]) <= {1},
        f"the generator's input should be the noise and {CLASSES} numbers for the label",
        expected=expected,
        got=f"shape {list(rows.shape())}",
    )
    given = rows.tensor().reshape(BATCH, size + CLASSES)
    found = split(given)
    if found is None:
        fail(
            "there is no one-hot label in the generator's input, neither behind the noise nor before it",
            expected="ten numbers of each row that are 0, but for a single 1",
        )
    kept, digits = found
    expect(
        bool(np.array_equal(digits, labels)),
        "the 1 of the one-hot vector does not stand where the label says: digit d is the d-th of 0 … 9",
        expected=f"labels {labels[:CLASSES].tolist()}",
        got=f"{digits[:CLASSES].tolist()}",
    )
    hint = "it is passed on as it is"
    assert_close(kept, noise, rtol=INJECTED, atol=INJECTED, what="the noise in the generator's input", hint=hint)


@check("cgan.generate")
def test_images_on_demand(student: Subject, rng: Rng) -> None:
    """Ten images of any digit on demand: its label in each row, and noise of its own for every image."""
    digits = [int(digit) for digit in rng.choice(CLASSES, 4)]
    asked = [*digits, digits[0]]
    size = noise_size(student)
    answers = student.run(probes.cgan.generate, digits=asked, n=ASKED).list("answers")
    expect(len(answers) == len(asked), "there is not one answer for each question")
    noises = []
    for digit, got in zip(asked, answers, strict=True):
        noise, labels = told(got, size)
        judge_labels(labels, digit)
        judge_noise(noise)
        judge_returned(got)
        noises.append(noise)
    expect(
        noises[0].shape != noises[-1].shape or not np.allclose(noises[0], noises[-1], atol=INJECTED),
        "a second call gives the same images: do not seed the random numbers in it, nor draw noise once for all calls",
    )


def judge_labels(labels: NDArray[np.int64], digit: int) -> None:
    if (labels == digit).all():
        return
    seen = sorted(set(labels.tolist()))
    shown = ", ".join(map(str, seen))
    fail("the generator is not told the digit that was asked for", expected=f"label {digit}", got=f"labels {shown}")


def judge_noise(noise: Array) -> None:
    """Of one call, [R, d]."""
    expect(
        len(noise) == ASKED,
        "the generator is not asked for as many images as the function is",
        expected=f"{ASKED} rows of noise",
        got=f"{len(noise)}",
    )
    expect(bool(np.abs(noise).max() > INJECTED), "the noise is zero: draw it at random from its distribution")
    different = len(np.unique(np.round(noise, 6), axis=0))
    expect(
        different == len(noise),
        "images of a digit share their noise, and are the same: draw noise for each of them",
        expected=f"{len(noise)} different rows of noise",
        got=f"{different}",
    )


def judge_returned(got: Evidence) -> None:
    """The images that come back are those that the generator gave; scaled, perhaps, or only shown."""
    if got["images"].is_none():
        return
    images, decoded = (got.tensor(name, shape=(UpTo(MOST_IMAGES), PIXELS)) for name in ("images", "decoded"))
    expect(
        len(images) == ASKED,
        f"the function should return {ASKED} images",
        expected=f"{ASKED} images",
        got=f"{len(images)}",
    )
    found = [
        trace(pixels, decoded, np.arange(len(decoded), dtype=np.float64)[:, None])
        for pixels in (images, 2 * images - 1)
    ]
    places = next((each for each in found if each is not None), None)
    if places is None:
        fail("some of the images are not what the generator gave")
    expect(len(np.unique(places)) == ASKED, "some of the images that come back are the same one")


def told(got: Evidence, size: int) -> tuple[Array, NDArray[np.int64]]:
    """The noise [R, size] and the labels [R] that a generator was given in a call, in whatever form."""
    inputs = [each.tensor(shape=(UpTo(MOST_IMAGES), UpTo(MOST_INPUTS))) for each in got.list("inputs")]
    expect(len(inputs) > 0 and len(inputs[0]) > 0, "the generator is never called")
    for rows in inputs:
        if rows.shape[1] == size + CLASSES:
            found = split(rows)
            expect(found is not None, "there is no one-hot label in the generator's input")
            assert found is not None
            return found
    noise = next((rows for rows in inputs if rows.shape[1] == size), None)
    labels = next((rows for rows in inputs if rows is not noise and rows.shape[1] in (1, CLASSES)), None)
    if noise is None or labels is None:
        fail(
            "the generator is not given noise and a label",
            got=f"arguments of {[rows.shape[1] for rows in inputs]} numbers",
        )
    if labels.shape[1] == CLASSES:
        expect(is_one_hot(labels), "the label that the generator is given is not one-hot")
        return noise, labels.argmax(axis=1)
    return noise, np.round(labels[:, 0]).astype(np.int64)


def split(rows: Array) -> tuple[Array, NDArray[np.int64]] | None:
    """Noise and label of rows [R, d + 10] that hold a one-hot vector behind the noise, or before it; None of others."""
    for noise, hot in ((rows[:, :-CLASSES], rows[:, -CLASSES:]), (rows[:, CLASSES:], rows[:, :CLASSES])):
        if is_one_hot(hot):
            return noise, hot.argmax(axis=1)
    return None


def is_one_hot(rows: Array) -> bool:
    return bool(np.isin(rows, (0.0, 1.0)).all() and (rows.sum(axis=1) == 1).all())


def images_of(got: Evidence, n: int) -> Array:
    """What a generator gave for n pairs of noise and label, [n, 784]."""
    expect(
        got.shape("images") == (n, PIXELS),
        "the conditional generator should give an image of 28×28 pixels for each pair of noise and label, as MNIST's "
        "are: leave out what resizes them",
        expected=f"{n} images of {PIXELS} pixels",
        got=f"shape {list(got.shape('images'))}",
    )
    return got.tensor("images", shape=(n, PIXELS))


def noise_size(student: Subject) -> int:
    """How many numbers of noise the student's generator takes."""
    size = student.run(probes.cgan.noise_size).integer()
    expect(0 < size <= MOST_NOISE, "the generator takes no reasonable number of random inputs", got=f"{size}")
    return size


def expect_registered(got: Evidence, what: str) -> None:
    """All of a network's layers are where an optimiser finds them."""
    expect(got.integer("parameters") > 0, f"the {what} has no parameters that could be trained")
    expect(
        got.integer("unregistered") == 0,
        f"the {what} uses layers that it does not register: an optimiser never sees them. Keep them in nn.ModuleList",
    )


def expect_learnable(got: Evidence, what: str, outputs: Array) -> None:
    """A network's outputs [B, …], if they differ at all, depend on the weights of all their layers, by gradients."""
    expect(
        got.flag("by_parameters") or spread(outputs) <= ROUNDING,
        f"no gradient comes from what the {what} gives to its weights, so that training would change nothing: leave "
        "out detach, .data, no_grad, numpy and rounding",
    )
    idle = got.text("idle")
    expect(
        idle == "",
        f"no gradient comes to {idle[:80]}, which the {what} uses: it would stay as it is. Leave out detach, .data, "
        "no_grad, numpy and rounding",
    )


def judge_repeated(got: Evidence, outputs: Array, message: str, what: str) -> None:
    """The outputs [B, …] come again for the same inputs, and that of the last row when it is asked about alone."""
    again, alone = got.tensor("again", shape=outputs.shape), got.tensor("alone", shape=outputs[-1:].shape)
    expect(are_same(again, outputs, outputs), f"{message} in eval mode, where only the inputs should count")
    expect(
        are_same(alone, outputs[-1:], outputs),
        f"in eval mode, {what} changes with what else is in the batch: each row is dealt with on its own",
    )


def are_same(left: Array, right: Array, among: Array) -> bool:
    """Whether outputs are equal but for rounding, relative to how far those `among` them differ."""
    return left.shape == right.shape and bool(np.abs(left - right).max() <= SAME * np.ptp(among) + ROUNDING)


def spread(outputs: Array) -> float:
    """How far outputs [N, …] differ from each other, in the element in which they differ most."""
    return float(np.ptp(outputs, axis=0).max())


def scale_of(outputs: list[Array]) -> float:
    """How far outputs differ by either input; where by none, rounding counts for something."""
    return max(ROUNDING / FELT, *(spread(each) for each in outputs))


def distinct(outputs: Array, least: float) -> int:
    """How many of the rows [N, …] differ by more than that."""
    kept: list[Array] = []
    for row in outputs:
        if all(float(np.abs(row - other).max()) > least for other in kept):
            kept.append(row)
    return len(kept)
