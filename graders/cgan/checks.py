"""Checks of conditional GANs (Mirza & Osindero 2014), which draw an image of a digit from noise and the digit's label.

Left open by the assignment, and decided for the student:
- the label may be a one-hot row after the noise, or before it, or an argument of its own, also as a number that an
  embedding turns into a row; a network without a label among its inputs fails;
- images must have MNIST's 28×28 pixels, as rows or as squares, in [−1, 1] or in [0, 1]; scores may be logits or
  probabilities;
- a generator that takes the label as one number beside the noise makes the mistake that `cgan.input` judges. It is
  charged there alone: the other checks give it the label in that form. A discriminator may take its label so, since the
  assignment prescribes the form for the generator only;
- untrained networks may start with weights of any size (`graders.cgan.probes.generator`, `warm`);
- the noise may follow any simple distribution, as long as every image has noise of its own;
- networks are run in eval mode, without dropout.
The module `graders.cgan.training` judges what the networks learn.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from gengrade.arrays import Array, Integers
from gengrade.grading import Evidence, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.cgan.labels import INJECTED, one_hot, split, told
from graders.cgan.outputs import FELT, ROUNDING, are_same, distinct, scale_of, spread
from graders.common.latents import trace
from graders.common.networks import expect_registered, expect_slopes
from graders.common.statistics import ALPHA, Independence, declare
from graders.probing.sizes import CLASSES, MOST_IMAGES, PIXELS

BATCH: Final = 20
MOST_NOISE: Final = 16_384  # numbers of noise that are given; a generator takes as many of them as it needs
# A label counts if it changes outputs by this share of their largest change. Networks that are right gave 0.14 or more
# for images, and 0.027 for scores, which depend on 784 pixels as well.
HEARD: Final = {"generator": 5e-3, "discriminator": 1e-3}
LEAST_SPREAD: Final = 0.01  # least standard deviation of the noise among the images of a call
EQUAL: Final = 2e-6  # scores that differ by less than this share of their range count as equal
TRIES: Final = 2  # networks in which two labels must have equal scores, since one network may have them by chance
SHOWN: Final = 8  # images that are scored with each of the labels
STRETCH: Final = 3  # factor on images in [−1, 1], so that activations bend and labels do more than shift all scores
ASKED: Final = 10  # images of each digit
DIGITS: Final = 4  # digits that are asked for, the first of them twice
# Declared for latents of 64 numbers; the bound on a correlation follows from as many as a generator takes.
OF_A_CALL = declare(
    "cgan.generate", "the noise of neighbouring images", Independence(ASKED // 2 * 64, ALPHA / 6), DIGITS + 1
)
OF_CALLS = declare("cgan.generate", "the noise of two calls", Independence(ASKED * 64, ALPHA / 6))


@check("cgan.generator")
def test_generator_images(student: Subject, rng: Rng) -> None:
    """The conditional generator returns one image of 784 pixels, within its range, for each pair of noise and label."""
    labels = np.tile(np.arange(CLASSES), BATCH // CLASSES)
    noise = rng.normal(BATCH, MOST_NOISE)
    got = student.run(probes.cgan.generator, noise=noise, labels=labels)
    images = images_of(got, BATCH)
    expect_parameters(got, "generator")
    expect_learnable(got, "generator", images)
    expect_slopes(got["by_weights"], "the generator's images with respect to its weights")
    judge_repeated(got, images, "the same noise and label give two different images", "an image")
    far = np.stack([got.tensor(name, shape=images.shape) for name in ("far", "far_in_training")])
    low, high = float(far.min()), float(far.max())
    expect(
        low >= -1 - 1e-5 and high <= 1 + 1e-5,
        "pixels leave the range of the images: end with a tanh for images in [−1, 1], or with a sigmoid for [0, 1]",
        expected="pixels in [−1, 1], or in [0, 1]",
        got=f"pixels from {low:.2f} to {high:.2f} for noise that is 50 times as large",
    )


@check("cgan.generator_condition")
def test_generator_hears_the_label(student: Subject, rng: Rng) -> None:
    """With the same noise, each label gives a different image; with the same label, so does different noise.

    Before that, batch norms get the averages of a batch, since an untrained network with small weights says hardly
    anything in eval mode.
    """
    noise, labels = rng.normal(CLASSES, MOST_NOISE), np.arange(CLASSES)
    by_label = student.run(probes.cgan.generator, noise=np.repeat(noise[:1], CLASSES, axis=0), labels=labels, warm=True)
    by_noise = student.again(probes.cgan.generator, noise=noise, labels=np.full(CLASSES, 3), warm=True)
    images = [images_of(got, CLASSES) for got in (by_label, by_noise)]
    expect(
        spread(images[0]) > HEARD["generator"] * scale_of(images),
        "the generator ignores the label: with the same noise, all digits give the same image",
    )
    expect(
        spread(images[1]) > FELT * scale_of(images),
        "the generator ignores the noise: it always gives the same image of a digit",
    )
    different = distinct(images[0], FELT * scale_of(images))
    expect(
        different == CLASSES,
        "the generator does not distinguish all labels: with the same noise, some digits give the same image",
        expected=f"{CLASSES} different images",
        got=f"{different}",
    )


@check("cgan.discriminator")
def test_discriminator_scores(student: Subject, rng: Rng) -> None:
    """The conditional discriminator returns one score for each pair of image and label."""
    images, labels = rng.uniform(-1, 1, BATCH, PIXELS), np.tile(np.arange(CLASSES), BATCH // CLASSES)
    got = student.run(probes.cgan.discriminator, images=images, labels=labels)
    scores = got.tensor("scores", shape=(BATCH,))
    expect_parameters(got, "discriminator")
    expect_learnable(got, "discriminator", scores[:, None])
    felt = float(got.tensor("image_moves", shape=(UpTo(BATCH), BATCH)).max(initial=0.0)) > FELT * scale_of(
        [scores[:, None]]
    )
    expect(
        got.flag("by_given") or not felt,
        "no gradient flows from the discriminator's score to the images, so a generator cannot learn from it: leave "
        "out detach, .data, numpy and rounding",
    )
    expect_slopes(got["by_weights"], "the discriminator's scores with respect to its weights")
    expect_slopes(got["by_images"], "the discriminator's scores with respect to the images")
    judge_repeated(got, scores, "the same image and label get two different scores", "a score")


@check("cgan.discriminator_condition")
def test_discriminator_hears_the_label(student: Subject, rng: Rng) -> None:
    """The discriminator's score depends on the image and on the label."""
    for _ in range(TRIES):
        images = STRETCH * rng.uniform(-1, 1, SHOWN, PIXELS)
        pairs = {"images": np.repeat(images, CLASSES, axis=0), "labels": np.tile(np.arange(CLASSES), SHOWN)}
        got = student.run(probes.cgan.discriminator, **pairs, warm=True)
        scores = got.tensor("scores", shape=(SHOWN * CLASSES,)).reshape(SHOWN, CLASSES)
        scale = scale_of([scores, scores.T])
        expect(
            spread(scores.T) > HEARD["discriminator"] * scale,
            "the discriminator ignores the label, so the generator has no reason to draw the digit that is asked for",
        )
        expect(
            spread(scores) > FELT * scale,
            "the discriminator ignores the image: all images with the same label get the same score",
        )
        different = distinct(scores.T, EQUAL * scale)
        if different == CLASSES:
            return
    fail(
        "the discriminator does not distinguish all labels: some labels get the same score for every image",
        expected=f"different scores of the same images for all {CLASSES} labels",
        got=f"{different} different labels",
    )


@check("cgan.input")
def test_input_of_the_generator(student: Subject, rng: Rng) -> None:
    """The generator's input is the noise together with a one-hot vector of the label."""
    size = noise_size(student)
    noise, labels = rng.normal(BATCH, size), np.tile(np.arange(CLASSES), BATCH // CLASSES)
    rows = student.run(probes.cgan.generator_input, noise=noise, labels=labels, encoded=one_hot(labels))["rows"]
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
            "there is no one-hot label in the generator's input, neither after the noise nor before it",
            expected="ten numbers in each row, of which one is 1 and the others are 0",
        )
    kept, digits = found
    expect(
        bool(np.array_equal(digits, labels)),
        "the 1 of the one-hot vector is in the wrong place: for digit d it is number d, counted from 0",
        expected=f"labels {labels[:CLASSES].tolist()}",
        got=f"{digits[:CLASSES].tolist()}",
    )
    hint = "it should be passed on unchanged"
    assert_close(kept, noise, rtol=INJECTED, atol=INJECTED, what="the noise in the generator's input", hint=hint)


@check("cgan.generate")
def test_images_on_demand(student: Subject, rng: Rng) -> None:
    """Ten images of any digit on demand: the generator is given its label, and new noise for every image."""
    digits = [int(digit) for digit in rng.choice(CLASSES, DIGITS)]
    asked = [*digits, digits[0]]
    size = noise_size(student)
    answers = student.run(
        probes.cgan.generate, digits=asked, encoded=one_hot(np.repeat(np.array(asked)[:, None], ASKED, axis=1))
    ).list("answers")
    expect(len(answers) == len(asked), "the function did not answer every call")
    noises = []
    for digit, got in zip(asked, answers, strict=True):
        noise, labels = told(got, size, digit)
        judge_labels(labels, digit)
        judge_noise(noise)
        judge_returned(got)
        noises.append(noise)
    same = noises[0].shape == noises[-1].shape and OF_CALLS.correlation(noises[0], noises[-1]) is not None
    expect(
        not same,
        "a second call gives the same images: do not set a random seed in it, and draw new noise in every call",
    )


def judge_labels(labels: Integers, digit: int) -> None:
    """Fail unless all labels [R] are that digit."""
    if (labels == digit).all():
        return
    seen = sorted(set(labels.tolist()))
    shown = ", ".join(map(str, seen))
    fail(
        "the generator is not given the label of the digit that was asked for",
        expected=f"label {digit}",
        got=f"labels {shown}",
    )


def judge_noise(noise: Array) -> None:
    """Fail unless a call uses as much noise [R, d] as it should, in which all rows are different and not zero."""
    expect(
        len(noise) == ASKED,
        "the generator is not called for as many images as the function is asked for",
        expected=f"{ASKED} rows of noise",
        got=f"{len(noise)}",
    )
    expect(bool(np.abs(noise).max() > INJECTED), "the noise is zero: draw it at random from its distribution")
    different = len(np.unique(np.round(noise, 6), axis=0))
    expect(
        different == len(noise),
        "some images of a digit share their noise, so they are the same: draw noise for each image",
        expected=f"{len(noise)} different rows of noise",
        got=f"{different}",
    )
    typical = float(noise.std(axis=0).mean())
    expect(
        typical >= LEAST_SPREAD,
        "the images of a digit have nearly the same noise: draw it for each image from a distribution of ordinary size",
        expected=f"numbers that differ by {LEAST_SPREAD} or more from image to image",
        got=f"{typical:.2g}",
    )
    alike = OF_A_CALL.correlation(noise[0::2], noise[1::2])
    if alike is not None:
        fail(
            "the images of a digit share a part of their noise: draw it for each image", got=f"correlation {alike:.2f}"
        )


def judge_returned(got: Evidence) -> None:
    """Fail if the function returns images, and these are not the generator's, which may be rescaled to [0, 1]."""
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
        fail("some of the returned images are not those of the generator")
    expect(len(np.unique(places)) == ASKED, "some of the returned images are repeated: return each image once")


def images_of(got: Evidence, n: int) -> Array:
    """Return the images [n, 784] of a generator for n pairs of noise and label. Raises Mismatch for any other shape."""
    expect(
        got.shape("images") == (n, PIXELS),
        "the conditional generator should return an image of 28×28 pixels, as MNIST has, for each pair of noise and "
        "label: do not resize images",
        expected=f"{n} images of {PIXELS} pixels",
        got=f"shape {list(got.shape('images'))}",
    )
    return got.tensor("images", shape=(n, PIXELS))


def noise_size(student: Subject, *, again: bool = False) -> int:
    """Return the number of noise values that the student's generator takes. Raises Mismatch for more than `MOST_NOISE`.

    `again` asks with the random state of the last run, so that those that follow keep theirs.
    """
    size = (student.again if again else student.run)(probes.cgan.noise_size).integer()
    expect(
        0 < size <= MOST_NOISE,
        "the generator takes too many or too few numbers of noise to be judged",
        expected=f"1 to {MOST_NOISE}",
        got=f"{size}",
    )
    return size


def expect_parameters(got: Evidence, what: str) -> None:
    """Fail unless a network has parameters, and an optimiser finds all of them."""
    expect(got.integer("parameters") > 0, f"the {what} has no parameters that could be trained")
    expect_registered(got, what)


def expect_learnable(got: Evidence, what: str, outputs: Array) -> None:
    """Fail unless a network's outputs [B, …], if they differ at all, have gradients for the weights of all layers."""
    expect(
        got.flag("by_parameters") or spread(outputs) <= ROUNDING,
        f"no gradient flows from the {what}'s outputs to its weights, so training would change nothing: leave out "
        "detach, .data, no_grad, numpy and rounding",
    )
    idle = got.text("idle")
    expect(
        idle == "",
        f"no gradient reaches {idle[:80]}, which the {what} uses, so training would not change it: leave out detach, "
        ".data, no_grad, numpy and rounding",
    )


def judge_repeated(got: Evidence, outputs: Array, message: str, what: str) -> None:
    """Fail unless the same inputs give the same outputs [B, …] again, and so does the last row alone."""
    again, alone = got.tensor("again", shape=outputs.shape), got.tensor("alone", shape=outputs[-1:].shape)
    expect(are_same(again, outputs, outputs), f"{message} in eval mode, where only the inputs should count")
    expect(
        are_same(alone, outputs[-1:], outputs),
        f"in eval mode, {what} depends on the other rows of the batch: it should depend on its own row only",
    )
