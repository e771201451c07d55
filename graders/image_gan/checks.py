"""Checks of a GAN of 28×28 images whose networks, losses and optimiser are prescribed (CS231n; EECS 498).

The hand-outs prescribe the networks layer by layer. So a network is compared with ours after both were given the same
known weights, by the kind and the shape of each layer; how a layer is written does not matter. Where the hand-outs are
silent, or differ, the student is free:

- A discriminator may take flat or square images, and give scores of shape [B] or [B, 1]; a generator may give flat or
  square images. A convolutional discriminator may be built for one size of a batch where the hand-out passes it.
- A network that works for batches of one size only fails `image_gan.batch_sizes`, and nothing else.
- A loss may take scores [N, 1] or [N] only, if the student's own discriminator gives such; and it may be a tensor with
  one element.
- No batch of a single image is asked for, and no noise of another type than the hand-outs': the given loops leave small
  batches out. A loss may squeeze its scores, as the given bce_loss does, which raises for one image.
- A loss may change the scores in place, since the given loops do not use them again.
- The losses may be computed in any way. One that is right for ordinary scores, and overflows or loses its gradient for
  large ones, fails `image_gan.large_scores` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pytest
from scipy.special import expit, ndtri

from gengrade.arrays import Array, Array32, Integers
from gengrade.grading import (
    Evidence,
    Passed,
    Rng,
    Subject,
    UpTo,
    assert_close,
    check,
    expect,
    fail,
    not_asked,
    probes,
)
from graders.common.networks import ATOL, MODES, RTOL, difference, listed_shapes, vary
from graders.common.statistics import ALPHA, GaussianFit, declare, in_turns
from graders.image_gan.adam import ADAM, adam
from graders.probing.sizes import PIXELS

BATCH: Final = 128  # the hand-outs' size of a batch
LATENTS: Final = 96  # the hand-outs' number of latents
INSIDE: Final = 1e-9  # distribution functions are cut here, since a draw of exactly −1 has probability 2⁻²⁴
LARGE: Final = 200.0  # scores at which exp overflows in single precision, and a sigmoid is exactly 0 or 1
SLOPES: Final = 0.02  # tolerance on gradients, relative to the largest
LOSSES: Final = ("discriminator_loss", "generator_loss")
MOST_DIMENSIONS: Final = 8
FORMULAS: Final = {
    "discriminator_loss": "it is −E log D(x) − E log(1 − D(G(z))), the sum of two means",
    "generator_loss": "it is −E log D(G(z)), a cross-entropy with the label of real images",
    "ls_discriminator_loss": "it is ½ E (D(x) − 1)² + ½ E D(G(z))²",
    "ls_generator_loss": "it is ½ E (D(G(z)) − 1)²",
}
LARGE_SCORES: Final = (
    f"your formula is right for ordinary ones; at ±{LARGE:.0f}, a sigmoid rounds to 0 or 1, so that its logarithm is "
    "infinite or the gradient vanishes: use binary_cross_entropy_with_logits"
)

# The shapes of all parameters of each network, layer by layer; `noise_dim` stands for the number of latents.
NOISE_DIM: Final = -1
LAYERS: Final[dict[str, list[list[int]]]] = {
    "discriminator": [[256, PIXELS], [256], [256, 256], [256], [1, 256], [1]],
    "generator": [[1024, NOISE_DIM], [1024], [1024, 1024], [1024], [PIXELS, 1024], [PIXELS]],
    "dc_discriminator": [
        *([32, 1, 5, 5], [32], [64, 32, 5, 5], [64]),
        *([1024, 4 * 4 * 64], [1024], [1, 1024], [1]),
    ],
    "dc_generator": [
        *([1024, NOISE_DIM], [1024], [1024], [1024]),
        *([7 * 7 * 128, 1024], [7 * 7 * 128], [7 * 7 * 128], [7 * 7 * 128]),
        *([128, 64, 4, 4], [64], [64], [64], [64, 1, 4, 4], [1]),
    ],
}
WORDS: Final = {
    "discriminator": "discriminator",
    "generator": "generator",
    "dc_discriminator": "convolutional discriminator",
    "dc_generator": "convolutional generator",
}
ORDER: Final = {
    "discriminator": "LeakyReLU with slope 0.01 after both hidden layers, and nothing after the last one",
    "generator": "ReLU after both hidden layers, and tanh after the last one",
    "dc_discriminator": "LeakyReLU with slope 0.01 after each convolution and before its max-pooling, and after the "
    "first fully connected layer; nothing after the last one",
    "dc_generator": "ReLU and then batch norm after each layer but the last, and tanh after that; transposed "
    "convolutions with stride 2 and padding 1",
}

# Tests of the noise of one call, and of two calls in turns: for the hand-outs' sizes, for a small batch, and for a
# large one. The last two are at least as large as these numbers say.
_SHARE: Final = ALPHA / 6
_BATCHES: Final = {"a usual batch": (BATCH, LATENTS), "a small batch": (16, 40), "a large batch": (400, 24)}
DRAWN = tuple(
    declare("image_gan.sample_noise", f"noise of {name}, by its normal scores", GaussianFit(*shape, _SHARE))
    for name, shape in _BATCHES.items()
)
TWICE = tuple(
    declare("image_gan.sample_noise", f"noise of two calls for {name}, in turns", GaussianFit(2 * rows, row, _SHARE))
    for name, (rows, row) in _BATCHES.items()
)


@check("image_gan.sample_noise")
def test_noise(student: Subject, rng: Rng) -> None:
    """sample_noise draws every number of [batch_size, dim] uniformly between −1 and 1, and anew in each call."""
    usual, small, large = ((fit.draws, fit.elements) for fit in DRAWN)
    small = (small[0] + rng.integer(0, BATCH), small[1] + rng.integer(0, 80))
    large = (large[0] + rng.integer(0, 80), large[1] + rng.integer(0, 20))
    for shape, drawn, twice in zip((usual, small, large), DRAWN, TWICE, strict=True):
        _judge_noise(student, shape, drawn, twice)


def _judge_noise(student: Subject, shape: tuple[int, int], one: GaussianFit, both: GaussianFit) -> None:
    """Fail noise of this shape that is not uniform between −1 and 1, or that two calls share."""
    got = student.run(probes.image_gan.noise, batch_size=shape[0], noise_dim=shape[1])
    calls = []
    for name in ("first", "second"):
        expect(
            got.shape(name) == shape,
            "the noise has the wrong shape",
            expected=f"shape {list(shape)}, for batch_size={shape[0]} and {shape[1]} latents",
            got=f"shape {list(got.shape(name))}",
        )
        drawn = got.tensor(name, shape=shape)
        _expect_uniform(drawn)
        calls.append(_normal_scores(drawn))
    problem = one.problem(calls[0])
    expect(problem is None, f"the noise is not uniform between −1 and 1: of its normal scores, {problem}")
    problem = both.problem(in_turns(*calls))
    expect(problem is None, f"two calls do not draw independent noise: of their normal scores, in turns, {problem}")


def _expect_uniform(drawn: Array) -> None:
    """Fail noise whose range alone shows that it is not uniform between −1 and 1."""
    low, high = float(drawn.min()), float(drawn.max())
    seen, wanted = f"numbers from {low:.3f} to {high:.3f}", "numbers between −1 and 1"
    outside = "some of the noise lies outside (−1, 1): it should be uniform there, not normal"
    expect(low >= -1 and high <= 1, outside, expected=wanted, got=seen)
    hint = "torch.rand is uniform on [0, 1): stretch and shift it"
    expect(low < 0, f"the noise is never negative: {hint}", expected=wanted, got=seen)
    # Of n uniform numbers, all lie within 0.9 with probability 0.9ⁿ, which is nothing here.
    expect(low < -0.9 and high > 0.9, "the noise does not reach both ends of (−1, 1)", expected=wanted, got=seen)


def _normal_scores(drawn: Array) -> Array:
    """Turn uniform numbers on (−1, 1) into normal ones, by the distribution function and its normal quantile."""
    scores: Array = ndtri(np.clip((drawn + 1) / 2, INSIDE, 1 - INSIDE))
    return scores


@check("image_gan.discriminator")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_discriminator(student: Subject, reference: Subject, rng: Rng, training: bool) -> None:
    """The discriminator has layers of 784, 256, 256 and 1 units, and with known weights it gives their scores."""
    _judge_layers(student, "discriminator", rng)
    _judge_scores(student, reference, "discriminator", rng, training)


@check("image_gan.generator")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_generator(student: Subject, reference: Subject, rng: Rng, training: bool) -> None:
    """The generator has layers of noise_dim, 1024, 1024 and 784 units, and with known weights it gives their images."""
    _judge_layers(student, "generator", rng)
    _judge_images(student, reference, "generator", rng, training)


@check("image_gan.dc_discriminator")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_dc_discriminator(student: Subject, reference: Subject, rng: Rng, training: bool) -> None:
    """The convolutional discriminator has the layers that are asked for, and with known weights it gives their scores.

    Two convolutions of 5×5 pixels, each with a LeakyReLU and a max-pooling, and two fully connected layers.
    """
    _judge_layers(student, "dc_discriminator", rng)
    _judge_scores(student, reference, "dc_discriminator", rng, training)


@check("image_gan.dc_generator")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_dc_generator(student: Subject, reference: Subject, rng: Rng, training: bool) -> None:
    """The convolutional generator has the layers that are asked for, and with known weights it gives their images.

    Two fully connected layers and two transposed convolutions; all but the last with a ReLU and then a batch norm.
    """
    _judge_layers(student, "dc_generator", rng)
    _judge_images(student, reference, "dc_generator", rng, training)


def _judge_layers(student: Subject, which: str, rng: Rng) -> None:
    """Fail a network whose parameters have other shapes than the prescribed layers, in any order."""
    noise_dim = rng.integer(5, 130)
    got = student.run(probes.image_gan.layers, which=which, batch_size=BATCH, noise_dim=noise_dim)
    found = [_shape(each) for each in got.list("shapes")]
    wanted = [[noise_dim if size == NOISE_DIM else size for size in shape] for shape in LAYERS[which]]
    count, right = got.integer("parameters"), sum(int(np.prod(shape)) for shape in wanted)
    built = f" if it is built with noise_dim={noise_dim}" if "generator" in which else ""
    absent, surplus = difference(wanted, found), difference(found, wanted)
    expect(
        not absent and not surplus and count == right,
        f"the {WORDS[which]} does not have the layers that are asked for{built}",
        expected=f"{right:,} parameters" + (f", among them {listed_shapes(absent)}" if absent else ""),
        got=f"{count:,} parameters" + (f", among them {listed_shapes(surplus)}" if surplus else ""),
    )


def _shape(listed: Evidence) -> list[int]:
    return [size.integer() for size in listed.list(most=MOST_DIMENSIONS)]


def _judge_scores(student: Subject, reference: Subject, which: str, rng: Rng, training: bool) -> None:
    """Fail a discriminator whose scores for known weights are not those of the prescribed layers."""
    x, seed = rng.uniform(-1, 1, BATCH, PIXELS), rng.integer(0, 1 << 30)
    setting = {"which": which, "x": x, "seed": seed, "training": training}
    scores = student.run(probes.image_gan.outputs, **setting).tensor(shape=None)
    axes = scores.size == BATCH and scores.shape[0] == BATCH
    expect(
        scores.shape in ((BATCH, 1), (BATCH,)),
        f"the {WORDS[which]}'s scores have an axis too many: flatten each image whole, its channel too"
        if axes
        else f"the {WORDS[which]} does not give one score for each image",
        expected=f"shape {[BATCH, 1]}",
        got=f"shape {list(scores.shape)}",
    )
    right = reference.run(probes.image_gan.outputs, **setting).tensor(shape=(BATCH, 1))
    if not _agree(scores.reshape(BATCH, 1), right):
        between = bool(scores.min() >= 0 and scores.max() <= 1)
        squashed = f"the {WORDS[which]} ends in a sigmoid: return logits, to which the losses apply it"
        expect(not between, squashed, expected="scores of any size", got="numbers between 0 and 1")
    assert_close(
        scores.reshape(BATCH, 1),
        right,
        rtol=RTOL,
        atol=ATOL,
        what=f"what the {WORDS[which]} gives for known weights",
        hint=f"its layers are of the right size, so look at what is between them: {ORDER[which]}",
    )
    _judge_slopes(student, reference, setting)


def _judge_images(student: Subject, reference: Subject, which: str, rng: Rng, training: bool) -> None:
    """Fail a generator whose images for known weights are not those of the prescribed layers."""
    x, seed = rng.uniform(-1, 1, BATCH, rng.integer(5, 130)), rng.integer(0, 1 << 30)
    setting = {"which": which, "x": x, "seed": seed, "training": training}
    images = student.run(probes.image_gan.outputs, **setting).tensor(shape=None)
    expect(
        images.size == BATCH * PIXELS and images.shape[0] == BATCH,
        f"the {WORDS[which]} does not give an image of 784 pixels for each row of noise",
        expected=f"shape {[BATCH, PIXELS]} or {[BATCH, 1, 28, 28]}",
        got=f"shape {list(images.shape)}",
    )
    right = reference.run(probes.image_gan.outputs, **setting).tensor(shape=(BATCH, UpTo(PIXELS))).reshape(BATCH, -1)
    inside = float(np.abs(images).max()) <= 1 + ATOL
    outside = f"the {WORDS[which]}'s pixels leave [−1, 1]: end with a tanh"
    expect(inside, outside, expected="pixels in [−1, 1]", got=f"pixels up to {np.abs(images).max():.2f}")
    positive = f"the {WORDS[which]}'s pixels are never negative: end with a tanh, and neither a sigmoid nor a ReLU"
    expect(float(images.min()) < 0, positive, expected="pixels in [−1, 1]", got=f"pixels from {images.min():.2f}")
    assert_close(
        images.reshape(BATCH, PIXELS),
        right,
        rtol=RTOL,
        atol=ATOL,
        what=f"what the {WORDS[which]} gives for known weights",
        hint=f"its layers are of the right size, so look at what is between them: {ORDER[which]}",
    )
    _judge_slopes(student, reference, setting)


def _judge_slopes(student: Subject, reference: Subject, setting: Mapping[str, Any]) -> None:
    """Fail a network whose gradients for known weights are not those of the prescribed layers."""
    found, right = (
        each.run(probes.image_gan.slopes, **setting).tensor(shape=setting["x"].shape) for each in (student, reference)
    )
    expect(bool(found.any()), "no gradient passes through the network, so that nothing can be trained: do not detach")
    away = float(np.abs(found - right).max() / np.abs(right).max())
    expect(away < SLOPES, "the network's gradient is not that of its layers", got=f"one that is off by {away:.0%}")


def _agree(found: Array, right: Array) -> bool:
    return bool(np.allclose(found, right, rtol=RTOL, atol=ATOL))


@check("image_gan.batch_sizes", leaves_to=tuple(f"image_gan.{which}" for which in LAYERS))
def test_batch_sizes(student: Subject, rng: Rng) -> None:
    """Each network works for batches of any size, such as the last and smaller batch of a data set."""
    used = {which: _takes_other_sizes(student, rng, which) for which in LAYERS}
    expect(
        any(used.values()),
        f"no network gives anything for {BATCH} images or rows of noise that depends on them, so that none shows that "
        "it works for batches of any size",
    )
    left = tuple(which for which, takes in used.items() if takes is None)
    if left:
        named = " and ".join(WORDS[which] for which in left)
        reason = f"the {named} does not work for a batch of {BATCH} either; another check is about that"
        not_asked(reason, unless=tuple(f"image_gan.{which}" for which in left))


def _takes_other_sizes(student: Subject, rng: Rng, which: str) -> bool | None:
    """Fail a network that works for batches of the usual size only.

    Returns None for one that does not work for these either, and otherwise whether it uses its input.
    """
    size = rng.integer(3, BATCH)
    x = rng.uniform(-1, 1, BATCH, rng.integer(5, 130) if "generator" in which else PIXELS)
    got = student.run(probes.image_gan.batches, which=which, x=x, few=size, seed=rng.integer(0, 1 << 30))
    problems = {name: got.text(name) for name in ("usual", "other")}
    if problems["usual"]:
        return None
    expect(
        problems["other"] == "",
        f"the {WORDS[which]} works for batches of {BATCH}, and not for one of {size}: let it take the size of the "
        "batch from its input, as Unflatten does with −1",
        expected=f"scores or images for a batch of {size}",
        got=problems["other"],
    )
    shape = (size, PIXELS if "generator" in which else 1)
    few, all_ = (got.tensor(name, shape=shape) for name in ("of_other", "of_usual"))
    hint = "in eval mode, it should not depend on the size of the batch"
    assert_close(few, all_, rtol=RTOL, atol=ATOL, what="what it gives for a few rows of a batch", hint=hint)
    return vary(all_)


@check("image_gan.discriminator_loss")
def test_discriminator_loss(student: Subject, rng: Rng) -> None:
    """discriminator_loss is −E log D(x) − E log(1 − D(G(z))), with its gradients.

    Goodfellow et al. 2014, equation 1. D is the sigmoid of the scores.
    """
    for n in _lengths(rng):
        _judge_loss(student, "discriminator_loss", *_scores(rng, n))


@check("image_gan.generator_loss")
def test_generator_loss(student: Subject, rng: Rng) -> None:
    """generator_loss is −E log D(G(z)), with its gradient.

    Goodfellow et al. 2014, section 3. D is the sigmoid of the scores.
    """
    for n in _lengths(rng):
        _judge_loss(student, "generator_loss", *_scores(rng, n))


@check("image_gan.ls_discriminator_loss")
def test_least_squares_discriminator_loss(student: Subject, rng: Rng) -> None:
    """ls_discriminator_loss is ½ E (D(x) − 1)² + ½ E D(G(z))², with its gradients; D are the scores themselves.

    Mao et al. 2017, equation 9.
    """
    for n in _lengths(rng):
        _judge_loss(student, "ls_discriminator_loss", *_scores(rng, n))


@check("image_gan.ls_generator_loss")
def test_least_squares_generator_loss(student: Subject, rng: Rng) -> None:
    """ls_generator_loss is ½ E (D(G(z)) − 1)², with its gradient; D are the scores themselves.

    Mao et al. 2017, equation 9.
    """
    for n in _lengths(rng):
        _judge_loss(student, "ls_generator_loss", *_scores(rng, n))


@check("image_gan.large_scores", leaves_to=tuple(f"image_gan.{which}" for which in LOSSES))
def test_losses_of_large_scores(student: Subject, rng: Rng, passed: Passed) -> None:
    """Both losses of logits stay finite and keep their gradients for scores as large as ±200."""
    wrong = [which for which in LOSSES if not passed(f"image_gan.{which}")]
    steady = []
    for which in LOSSES:
        real, fake = _scores(rng, rng.integer(6, 2 * BATCH))
        real, fake = ((LARGE * np.sign(each) + each).astype(np.float32) for each in (real, fake))
        if which not in wrong:
            _judge_loss(student, which, real, fake, of_large=True)
        elif len(wrong) == len(LOSSES):
            steady.append(_is_steady(student, which, real, fake))
    # Another check judges a wrong loss. But where both are wrong, one of them at least has to do what this check asks.
    expect(not steady or any(steady), "neither loss is right for ordinary scores, or has a gradient for large ones")
    if wrong:
        reason = f"{' and '.join(wrong)} is not right for ordinary scores either"
        not_asked(reason, unless=tuple(f"image_gan.{which}" for which in wrong))


def _is_steady(student: Subject, which: str, real: Array32, fake: Array32) -> bool:
    """Return whether a loss that is wrong stays finite for these scores, and has gradients."""
    got = student.run(probes.image_gan.loss, which=which, real=real, fake=fake)
    form = got["column" if "column" in got else "flat"]
    if not form.flag("attached"):
        return False
    shape = real.shape
    numbers = [
        form.tensor("loss", finite=False),
        *(form.tensor(each, shape, finite=False) for each in ("real", "fake")),
    ]
    return all(np.isfinite(each).all() for each in numbers) and any(bool(each.any()) for each in numbers[1:])


def _lengths(rng: Rng) -> tuple[int, int]:
    """Return a few scores, fewer than a batch of the hand-outs' has, and more than that."""
    return rng.integer(6, 40), rng.integer(BATCH + 1, 3 * BATCH)


def _scores(rng: Rng, n: int) -> tuple[Array32, Array32]:
    """Return n scores of real and of generated images, of both signs, with different means."""
    real, fake = 1.5 * rng.normal(n) + 0.7, 2 * rng.normal(n) - 0.4
    for scores in (real, fake):
        scores[:2] = np.abs(scores[:2]) * (-1, 1)
    return real, fake


def right_loss(which: str, real: Array, fake: Array) -> tuple[float, Array, Array]:
    """Return a loss for scores [N] of real and of generated images, and its gradients by both.

    Goodfellow et al. 2014, section 3, with the generator's loss that does not saturate; Mao et al. 2017, section 3.
    """
    n = len(fake)
    nothing = np.zeros_like(real)
    match which:
        case "discriminator_loss":
            value = np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()
            return float(value), -expit(-real) / n, expit(fake) / n
        case "generator_loss":
            return float(np.logaddexp(0, -fake).mean()), nothing, -expit(-fake) / n
        case "ls_discriminator_loss":
            return float(((real - 1) ** 2).mean() + (fake**2).mean()) / 2, (real - 1) / n, fake / n
        case _:
            return float(((fake - 1) ** 2).mean()) / 2, nothing, (fake - 1) / n


def _judge_loss(student: Subject, which: str, real: Array32, fake: Array32, *, of_large: bool = False) -> None:
    """Fail a loss that takes neither scores [N, 1] nor scores [N], or that is wrong for a shape that it takes."""
    got = student.run(probes.image_gan.loss, which=which, real=real, fake=fake)
    right = right_loss(which, real.astype(np.float64), fake.astype(np.float64))
    forms = [form for form in ("column", "flat") if form in got]
    expect(bool(forms), f"{which} takes scores neither of shape [N, 1] nor of shape [N]")
    for form in forms:
        _judge_form(got[form], which, right, of_large=of_large)
    if "refused" in got:
        fail(
            f"{which} takes scores of shape [N], and raises an exception for those of your own discriminator, of shape "
            "[N, 1], so that no training can begin: let it take both, and give the labels the shape that the "
            "cross-entropy compares them with",
            expected="a loss for scores of shape [N, 1]",
            got=got.text("refused")[:300],
        )


def _judge_form(got: Evidence, which: str, right: tuple[float, Array, Array], *, of_large: bool) -> None:
    """Fail a loss for scores of one shape that differs from the right value, or has other gradients."""
    expect(
        int(np.prod(got.shape("loss"))) == 1,
        "the loss should be one number: average over the batch",
        expected="a scalar",
        got=f"shape {list(got.shape('loss'))}",
    )
    value, by_real, by_fake = right
    named, hint = (f"{which} for large scores", LARGE_SCORES) if of_large else (which, FORMULAS[which])
    loss = got.tensor("loss", finite=False).reshape(())
    assert_close(loss, np.array(value), rtol=1e-3, what=named, hint=hint)
    if not got.flag("attached"):
        fail("the loss has no gradient: compute it from the scores with operations of torch, without detach or item")
    for name, expected in (("real", by_real), ("fake", by_fake)):
        what = f"the gradient of {named} by the scores of {'real' if name == 'real' else 'generated'} images"
        found = got.tensor(name, shape=expected.shape, finite=False)
        assert_close(found, expected, rtol=1e-3, atol=1e-5, what=what, hint=hint)


# Steps of an optimiser: first with large gradients, then with small ones. There, an average that only grows, as that of
# AMSGrad does, leads elsewhere than Adam's, which forgets.
LARGE_STEPS, SMALL_STEPS, SMALLER = 8, 52, 0.05
# Layers of two models: as many as both fully connected networks have, and more than any network of the hand-outs has.
FEW_LAYERS: Final = 3
MANY_LAYERS: Final = (8, 12)


@check("image_gan.optimizer")
def test_optimizer(student: Subject, rng: Rng) -> None:
    """get_optimizer gives Adam with learning rate 1e-3, β₁ = 0.5 and β₂ = 0.999 for all parameters of a model.

    Kingma & Ba 2015, algorithm 1. The optimiser is judged by the way that it takes for known gradients.
    """
    for layers in (FEW_LAYERS, rng.integer(*MANY_LAYERS)):
        _judge_way(student, rng, rng.integers(1, 4, layers, 2))


def _judge_way(student: Subject, rng: Rng, sizes: Integers) -> None:
    """Fail an optimiser that does not go the way of Adam with a model whose layers have these sizes [layers, 2]."""
    count = int((sizes.prod(axis=1) + sizes[:, 1]).sum())
    steps = LARGE_STEPS + SMALL_STEPS
    scales = np.repeat([1, SMALLER], [LARGE_STEPS, SMALL_STEPS])[:, None] * rng.uniform(0.5, 2, steps, 1)
    start, gradients = rng.normal(count), (scales * (rng.normal(steps, count) + rng.normal(count))).astype(np.float32)
    got = student.run(probes.image_gan.trajectory, start=start, gradients=gradients, sizes=sizes.tolist())
    way = got.tensor(shape=gradients.shape) - start
    right = adam(gradients.astype(np.float64), **ADAM)
    still = np.abs(way).max(axis=0) == 0
    expect(not still.all(), "the optimiser moves no parameter: give it model.parameters()")
    expect(not still.any(), "the optimiser moves only some of the parameters: give it model.parameters()")
    assert_close(
        way,
        right,
        rtol=1e-3,
        atol=5e-6,
        what="the way that the optimiser takes for known gradients, step by step",
        hint="it is that of Adam with lr=1e-3 and betas=(0.5, 0.999)",
    )
