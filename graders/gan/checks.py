"""Checks of a generative adversarial network: its networks, losses, training loop, samples and interpolations.

Where the hand-out is silent, the student is free. `graders.common.gan_losses` decides on losses and labels,
`graders.common.latents` on interpolations, and this module on the rest:

- Any architecture with the interface is right: other kinds of layers, normalisation, any activation (but not none).
  `hidden_dims` may be ignored as a whole, but not in part. Images have the channels that `output_shape` says, and its
  pixels, too, where the layers follow `hidden_dims`; convolutions may be made for 28×28 pixels only.
- A discriminator may require flat rows, if the student's own steps give it those. A sigmoid inside it fails only
  `gan.discriminator`, if the losses agree with it.
- Noise from another distribution than N(0, I) fails `gan.sample`; steps and interpolations fail for it only if
  `sample` draws from N(0, I) or otherwise than they do. A step needs a latent for each image in any case.
- A layer that forward never calls does no harm.
- In eval mode, outputs depend only on inputs, so dropout must be off.
- A step that generates images itself although it is given some is judged by its own; `sample` may leave the generator
  in eval mode.
- Generated images that are not detached in the discriminator's step do no harm if the loop clears the gradients before
  each `backward`. What counts is whether an optimiser uses gradients of another loss when it moves its network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from gengrade.arrays import Array, Array32
from gengrade.data import DataSet, Split
from gengrade.grading import (
    Evidence,
    Mismatch,
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
from graders.common.gan_losses import (
    MOST_DIRECTIONS,
    MOST_ROWS,
    Labels,
    Observed,
    Verdict,
    decoded_images,
    divided,
    excess,
    expect_no_excess,
    expect_passed_on,
    judge_discriminator,
    judge_generator,
    leave_to_generator,
    observed_step,
    shared_excess,
)
from graders.common.latents import (
    are_drawn_alike,
    arrangements,
    arrangements_of,
    depend_on_each_other,
    ends_problem,
    is_mixed,
    line_problem,
    trace,
)
from graders.common.matching import expect_loader_shown
from graders.common.networks import (
    ATOL,
    MODES,
    RTOL,
    SATURATED,
    expect_in_use,
    expect_nonlinear,
    expect_registered,
    expect_reproducible,
    narrowest,
)
from graders.common.statistics import ALPHA, GaussianFit, TwoDraws, declare, in_turns
from graders.gan.sizes import MOST_STEPS
from graders.probing.sizes import PIXELS

BATCH = 64
BATCHES = 3  # batches of the loader that the training loop gets
LATENT_SIZES = (4, 32, 20)
OTHER_SHAPES = ([3, 28, 28], [3, 8, 6])  # output_shape beside that of MNIST's images
HIDDEN_SIZES = ([16], [24, 40], [40, 24, 32])
REACH = 0.9  # pixels that are trained towards ±3 must exceed this in both directions
LOGIT_REACH = 1.5  # scores that are trained towards ±6 must exceed this in both directions: no sigmoid or tanh can
UNEXPLAINED = 0.01  # largest unexplained share at which an update is put down to the other network's loss alone
OF_NO_LOSS = 0.9  # least share of a gradient that no loss explains at which it counts as of none; clipping leaves less
LIKE_SAMPLES = "{what} the distribution that z has in sample, and the check of sample says what is wrong with it"
SAME_DIRECTION = 0.999  # two gradients count as parallel from this cosine

SAMPLED = declare("gan.sample", "the latents of samples", GaussianFit(400, 24, ALPHA / 4), cases=2)
CALLED_TWICE = declare("gan.sample", "the latents of two calls, in turns", GaussianFit(800, 24, ALPHA / 4), cases=2)
# A step fails for its latents only if those of `sample` pass.
STEPPED = declare("gan.generator_step", "the latents of a step", GaussianFit(BATCH, 16, ALPHA / 2))
STEPPED_TWICE = declare(
    "gan.generator_step", "the latents of two steps, in turns", GaussianFit(2 * BATCH, 16, ALPHA / 2)
)
declare("gan.discriminator_step", "the latents of a step", STEPPED)
declare("gan.discriminator_step", "the latents of two steps, in turns", STEPPED_TWICE)
ENDS = declare("gan.interpolate", "the latents of the ends", TwoDraws(48 * 48, ALPHA / 2), cases=2)


@check("gan.generator")
def test_generator_parameters(student: Subject, rng: Rng) -> None:
    """The generator registers its layers, whose sizes follow hidden_dims."""
    latents = [rng.normal(4, z_dim) for z_dim in LATENT_SIZES]
    results = student.run(probes.gan.generators, latents=latents, sizes=HIDDEN_SIZES)
    for result in _each(results, len(HIDDEN_SIZES)):
        expect_registered(result, "generator")
    _expect_sizes_used(student, "generator", rng)


@check("gan.generator")
def test_generator_images(student: Subject, rng: Rng) -> None:
    """The generator gives images of shape [B, 1, 28, 28], each from its own latent, for any number of hidden layers."""
    latents = [rng.normal(9, z_dim) for z_dim in LATENT_SIZES]
    results = student.run(probes.gan.generators, latents=latents, sizes=HIDDEN_SIZES)
    for result in _each(results, len(HIDDEN_SIZES)):
        images, alone = result.tensor("images", shape=(9, 1, 28, 28)), result.tensor("first", shape=(1, 1, 28, 28))
        _expect_fixed(result, images)
        # The tanh at the end is inverted first; where it is saturated, it hides whether the network is linear.
        lines = np.clip(result.tensor("lines", shape=(24, 1, 28, 28)), -SATURATED, SATURATED)
        expect_nonlinear([np.arctanh(lines).reshape(3, -1)], "generator")
        hint = "in eval mode, an image should not depend on the other latents of the batch"
        assert_close(alone, images[:1], rtol=RTOL, atol=ATOL, what="the image of a latent on its own", hint=hint)


@check("gan.generator")
@pytest.mark.parametrize("shape", OTHER_SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_generator_of_other_images(student: Subject, rng: Rng, shape: list[int]) -> None:
    """The generator gives images of the shape that output_shape says, such as [3, 8, 6]."""
    z, sizes = rng.normal(5, 7), _sizes(rng)
    if shape[1:] != [28, 28] and len(set(_parameters(student, "generator", sizes))) == 1:
        not_asked("the generator has an architecture of its own, which may be for 28×28 pixels only")
    results = student.run(probes.gan.generators, latents=[z] * len(sizes), sizes=sizes, output_shape=shape)
    for hidden_dims, result in zip(sizes, _each(results, len(sizes)), strict=True):
        expect(
            result.shape("images") == (len(z), *shape),
            f"the images have the wrong shape if the generator is built with z_dim={z.shape[1]}, "
            f"hidden_dims={hidden_dims} and output_shape={shape}: use output_shape for the last layer and for the "
            "images",
            expected=f"shape {[len(z), *shape]}",
            got=f"shape {list(result.shape('images'))}",
        )


@check("gan.generator")
def test_generator_in_another_order(student: Subject, rng: Rng) -> None:
    """The generator, created once more, gives the same images for the same latents in another order."""
    latents, order = [rng.normal(9, z_dim) for z_dim in LATENT_SIZES], rng.choice(9, 9)
    first = student.run(probes.gan.generators, latents=latents, sizes=HIDDEN_SIZES)
    second = student.again(probes.gan.generators, latents=[z[order] for z in latents], sizes=HIDDEN_SIZES)
    for one, other in zip(*(_each(found, len(HIDDEN_SIZES)) for found in (first, second)), strict=True):
        images = one.tensor("images", shape=(9, 1, 28, 28))
        expect_reproducible(other.tensor("images", shape=images.shape), images[order])


@check("gan.generator")
def test_generator_range(student: Subject, rng: Rng) -> None:
    """The generator's pixels lie between −1 and 1, as those of the scaled data do, and can come near both."""
    # Training towards ±3 shows the ends of the pixels' range, whatever the architecture.
    target = 6 * rng.bits(4, PIXELS) - 3
    result = student.run(probes.gan.generator_range, z=rng.normal(4, 12), target=target, hidden_dims=[32, 48])
    driven = result.tensor("driven", shape=(2, *target.shape))
    pixels = np.concatenate([result.tensor("far").ravel(), driven.ravel()])
    low, high = float(pixels.min()), float(pixels.max())
    seen, wanted = f"pixels from {low:.2f} to {high:.2f}", "pixels in [−1, 1]"
    outside = "the generator's pixels leave [−1, 1]: end with a tanh"
    expect(low >= -1 - 1e-5 and high <= 1 + 1e-5, outside, expected=wanted, got=seen)
    positive = "the generator's pixels are never negative: end with a tanh, not with a sigmoid"
    expect(low < -1e-3, positive, expected=wanted, got=seen)
    narrow = "the generator's pixels cannot come near −1 and 1, even if trained towards ±3: end with a tanh"
    low, high = narrowest(driven)
    expect(
        low <= -REACH and high >= REACH,
        narrow,
        expected=wanted,
        got=f"pixels from {low:.2f} to {high:.2f} when trained",
    )


@check("gan.discriminator")
def test_discriminator_parameters(student: Subject, rng: Rng) -> None:
    """The discriminator registers its layers, whose sizes follow hidden_dims."""
    results = student.run(probes.gan.discriminators, images=_noise(rng, 4), sizes=HIDDEN_SIZES)
    for result in _each(results, len(HIDDEN_SIZES)):
        expect_registered(result, "discriminator")
    _expect_sizes_used(student, "discriminator", rng)


@check("gan.discriminator")
def test_discriminator_scores(student: Subject, rng: Rng) -> None:
    """The discriminator scores each image on its own, in shape [B, 1], for any number of hidden layers."""
    results = student.run(probes.gan.discriminators, images=_noise(rng, 9), sizes=HIDDEN_SIZES)
    for result in _each(results, len(HIDDEN_SIZES)):
        scores, alone = result.tensor("scores", shape=(9, 1)), result.tensor("first", shape=(1, 1))
        _expect_fixed(result, scores)
        expect_nonlinear([result.tensor("lines", shape=(24, 1)).reshape(3, -1)], "discriminator")
        hint = "in eval mode, a score should not depend on the other images of the batch"
        assert_close(alone, scores[:1], rtol=RTOL, atol=ATOL, what="the score of an image on its own", hint=hint)


@check("gan.discriminator")
def test_discriminator_in_another_order(student: Subject, rng: Rng) -> None:
    """The discriminator, created once more, gives the same scores to the same images in another order."""
    images, order = _noise(rng, 9), rng.choice(9, 9)
    first = student.run(probes.gan.discriminators, images=images, sizes=HIDDEN_SIZES)
    second = student.again(probes.gan.discriminators, images=images[order], sizes=HIDDEN_SIZES)
    for one, other in zip(*(_each(found, len(HIDDEN_SIZES)) for found in (first, second)), strict=True):
        scores = one.tensor("scores", shape=(9, 1))
        expect_reproducible(other.tensor("scores", shape=scores.shape), scores[order])


@check("gan.discriminator")
def test_discriminator_logits(student: Subject, rng: Rng) -> None:
    """The discriminator's scores are logits, which can take any value: it does not end in a sigmoid."""
    # An image and its negative, each repeated with a little noise, are as easy to tell apart as any two.
    sign = np.tile(np.array([1, -1], dtype=np.float32), 8)
    images = sign[:, None, None, None] * (2 * rng.bits(1, 28, 28) - 1) + 0.1 * rng.normal(16, 1, 28, 28)
    setting = {"images": images.astype(np.float32), "target": 6 * sign, "hidden_dims": [32, 48]}
    scores = student.run(probes.gan.discriminator_range, **setting).tensor(shape=(2, len(sign)))
    for each in scores:  # in training mode and in eval mode
        _expect_logits(float(each.min()), float(each.max()))


def _expect_logits(low: float, high: float) -> None:
    """Fail a discriminator whose scores reach from `low` to `high` if they cannot be logits."""
    seen, wanted = f"scores from {low:.2f} to {high:.2f} when trained towards ±6", "logits, of any size and sign"
    if low >= 0 and 0.5 < high <= 1:  # A sigmoid that is trained towards large values comes near 1.
        message = "the scores stay between 0 and 1: return logits, since the loss applies the sigmoid"
        fail(message, expected=wanted, got=seen)
    positive = "the scores are never negative: use no activation on the last layer"
    expect(low < 0, positive, expected=wanted, got=seen)
    narrow = "the scores cannot become large: use no activation, such as a tanh, on the last layer"
    expect(low <= -LOGIT_REACH and high >= LOGIT_REACH, narrow, expected=wanted, got=seen)


@check("gan.generator_step")
def test_generator_loss(student: Subject, data: DataSet, rng: Rng) -> None:
    """The generator minimises the non-saturating loss −E log D(G(z)), whose gradient reaches it.

    The discriminator's scores are replaced by known ones, from which the right loss is computed (Goodfellow et al.
    2014, section 3).
    """
    setting = _setting(data, rng)
    result = student.run(probes.gan.step, which="generator", **setting)
    step = observed_step(result, setting["images"], setting["scores"])
    expect(
        result["reached"].flag("generator"),
        "no gradient reaches the generator: generate its images without no_grad (which sample may use) and without "
        "detaching them",
    )
    _expect_loss_passed_on(student, setting)
    verdict = judge_generator(step)
    if verdict.mistake is None and verdict.labels == "usual":
        return
    other = _other(student, "discriminator", setting)
    expect_no_excess(step, other)
    if other and _labels(other, judge_discriminator) == "exchanged":
        verdict = judge_generator(step, exchanged=True)
        _expect_loss(step, verdict)
        return
    _expect_loss(step, verdict)
    fail(
        "the generator's loss falls when the discriminator recognises its images: give them the label of real images "
        "in this step, or exchange the labels in both steps"
    )


@check("gan.generator_step", leaves_to=("gan.sample",))
def test_generator_noise(student: Subject, data: DataSet, rng: Rng) -> None:
    """The generator's step draws a latent from N(0, I) for each image."""
    result = student.run(probes.gan.step, which="generator", twice=True, **_setting(data, rng))
    steps = [result.tensor(name, shape=(UpTo(MOST_ROWS), STEPPED.elements)) for name in ("latents", "again")]
    _expect_noise(student, steps[0])
    _expect_drawn_anew(student, *steps)


@check("gan.discriminator_step", leaves_to=("gan.generator_step",))
def test_discriminator_loss(student: Subject, data: DataSet, rng: Rng) -> None:
    """The discriminator minimises −E log D(x) − E log(1 − D(G(z))), whose gradient reaches it.

    Its scores are replaced by known ones, from which the right loss is computed (Goodfellow et al. 2014, equation 1).
    """
    setting = _setting(data, rng)
    result = student.run(probes.gan.step, which="discriminator", **setting)
    step = observed_step(result, setting["images"], setting["scores"])
    expect(
        result["reached"].flag("discriminator"),
        "no gradient reaches the discriminator: do not detach its scores, or compute them under no_grad",
    )
    verdict = judge_discriminator(step)
    if verdict.mistake is None and verdict.labels == "usual":
        return
    other = _other(student, "generator", setting)
    factor = shared_excess(step, other)
    verdict = judge_discriminator(divided(step, factor or 1.0))
    _expect_loss(step, verdict)
    if verdict.labels == "exchanged":
        expect(
            other is None or _labels(other, judge_generator) != "usual",
            "the labels are exchanged here (real 0, fake 1), but not in generator_step: use the same labels in both",
        )
    leave_to_generator(step, factor, "gan.generator_step")


@check("gan.discriminator_step", leaves_to=("gan.sample",))
def test_discriminator_noise(student: Subject, data: DataSet, rng: Rng) -> None:
    """The discriminator's step draws a latent from N(0, I) for each image that it generates."""
    result = student.run(probes.gan.step, which="discriminator", twice=True, **_setting(data, rng))
    steps = [result.tensor(name, shape=(UpTo(MOST_ROWS), STEPPED.elements)) for name in ("latents", "again")]
    _expect_noise(student, steps[0])
    _expect_drawn_anew(student, *steps)


@check("gan.sample")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_sample_images(student: Subject, rng: Rng, training: bool) -> None:
    """sample returns the generator's images unchanged: as many as asked for, [B, 1, 28, 28], in [−1, 1]."""
    n = rng.integer(20, 80)
    result = student.run(probes.gan.sample, n=n, z_dim=24, training=training)
    images = result.tensor("images", shape=(n, 1, 28, 28)).reshape(n, PIXELS)
    decoded = decoded_images(result)
    if trace(images, decoded, decoded) is not None:
        return
    got = f"pixels from {images.min():.2f} to {images.max():.2f}"
    for name, changed in (("a sigmoid", expit(decoded)), ("a scaling to [0, 1]", (decoded + 1) / 2)):
        if trace(images, changed, changed) is not None:
            fail(f"sample applies {name} to the generator's images: return them as they are, in [−1, 1]", got=got)
    message = "the samples are not the images that the generator returned: return them as they are"
    fail(message, expected="G(z) in [−1, 1]", got=got)


@check("gan.sample")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_sample_noise(student: Subject, rng: Rng, training: bool) -> None:
    """sample draws a latent from N(0, I) for each sample, and new ones in each call."""
    n, z_dim = rng.integer(SAMPLED.draws, SAMPLED.draws + 80), SAMPLED.elements
    result = student.run(probes.gan.sample, n=n, z_dim=z_dim, training=training)
    latents, again = (result.tensor(name, shape=(UpTo(MOST_ROWS), z_dim)) for name in ("latents", "again"))
    for each in (latents, again):
        expect(
            len(each) >= n,
            "the generator does not get a latent for each sample",
            expected=f"{n} latents",
            got=f"{len(each)} latents",
        )
    expect(len(np.unique(latents, axis=0)) > 1, "all samples are generated from the same z: draw one z for each sample")
    problem = SAMPLED.problem(latents)
    expect(problem is None, f"z is not drawn from N(0, I): {problem}")
    expect(
        latents.shape != again.shape or not np.array_equal(latents, again),
        "a second call returns the same samples: do not seed the random numbers in sample",
    )
    problem = CALLED_TWICE.problem(in_turns(latents, again))
    expect(
        problem is None,
        "the latents of two calls are not independent: draw new ones in each call, without a seed. In turns, "
        f"{problem}",
    )


@check("gan.sample")
def test_given_noise(student: Subject, rng: Rng) -> None:
    """sample uses the noise that it is given, if it accepts some."""
    noise = rng.normal(20, 24)
    result = student.run(probes.gan.sample_of, z=noise)
    if result.is_none():
        not_asked("sample takes no noise as an argument")
    hint = "give the noise that the caller passes to the generator as it is"
    assert_close(result["latents"], noise, what="the generator's input", hint=hint)


@check("gan.interpolate", leaves_to=("gan.sample",))
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_interpolation(student: Subject, rng: Rng, training: bool) -> None:
    """Interpolations go in even steps along the straight line between two latents, including both ends."""
    n, steps, z_dim = rng.integer(48, 64), rng.integer(2, 8), 48
    result = student.run(probes.gan.interpolate, n=n, steps=steps, z_dim=z_dim, training=training)
    images, decoded = result.tensor("images", most=MOST_ROWS * PIXELS), decoded_images(result)
    latents = result.tensor("latents", shape=(len(decoded), z_dim))
    expect(
        images.size % PIXELS == 0, "the result does not hold images of 28×28 pixels", got=f"shape {list(images.shape)}"
    )
    flat = images.reshape(-1, PIXELS)
    found = trace(flat, decoded, latents)
    if found is None:
        if any(is_mixed(strips, decoded) for strips in arrangements(flat, n)):
            fail(
                "the pixels of the two end images are interpolated: interpolate their latents, and decode each of them"
            )
        fail("some of the images are not what the generator returned", expected="G(z) for every image")
    possible = arrangements_of(found, images.shape, n)
    expect(
        len(possible) > 0,
        f"for batch_size={n} there should be {n} strips with equally many images",
        got=f"{len(flat)} images in all",
    )
    lines = [line_problem(strips) for strips in possible]
    if None not in lines:
        fail(lines[0] or "")
    straight = possible[lines.index(None)]
    expect(
        len(np.unique(straight.reshape(n, -1), axis=0)) > 1,
        "all strips are the same: draw a pair of latents for each strip",
    )
    first, last = straight[:, 0], straight[:, -1]
    problem = ends_problem(first, last, ENDS.alpha)
    if problem is None or result.flag("takes_ends"):
        return
    expect(not _samples_are_normal(student) and not depend_on_each_other(first, last), problem)
    own = _samples(student, z_dim)
    expect(are_drawn_alike(first, own) and are_drawn_alike(last, own), problem)
    not_asked(LIKE_SAMPLES.format(what="the ends have"), unless=("gan.sample",))


@check("gan.interpolate")
def test_given_ends(student: Subject, rng: Rng) -> None:
    """Interpolations run between the latents that are given as ends, if interpolate accepts some."""
    steps, ends = rng.integer(2, 8), rng.normal(2, rng.integer(9, 16), 24)
    result = student.run(probes.gan.interpolate_between, ends=ends, steps=steps)
    if result.is_none():
        not_asked("interpolate takes no ends as arguments")
    images, decoded = result.tensor("images", most=MOST_ROWS * PIXELS), decoded_images(result)
    latents = result.tensor("latents", shape=(len(decoded), 24))
    whole = images.size == (steps + 2) * ends.shape[1] * PIXELS
    found = trace(images.reshape(-1, PIXELS), decoded, latents) if whole else None
    if found is None:
        fail("some of the images are not what the generator returned", expected="G(z) for every image")
    strips = found.reshape(ends.shape[1], steps + 2, 24)
    reached = np.stack([strips[:, 0], strips[:, -1]])
    # For either direction: whether the first and the last image are those of the two ends.
    hits = [
        [bool(np.abs(a - b).max() < 1e-3) for a, b in zip(reached, each, strict=True)] for each in (ends, ends[::-1])
    ]
    if not any(all(each) for each in hits):
        one = any(any(each) for each in hits)
        reason = ": one of the two is missing. Let the weights run from 0 to 1, both included" if one else ""
        fail(f"the line does not run from z_1 to z_2{reason}", expected="z_1 at one end, z_2 at the other")


@check("gan.interpolate_shape")
def test_interpolation_shape(student: Subject, rng: Rng) -> None:
    """interpolate returns one tensor of shape [B, steps + 2, 1, 28, 28]."""
    cases = [(rng.integer(2, 9), steps) for steps in (rng.integer(3, 9), 1)]
    results = _each(student.run(probes.gan.interpolations, cases=cases), len(cases))
    for (n, steps), result in zip(cases, results, strict=True):
        wanted = [n, steps + 2, 1, 28, 28]
        listed = "interpolate returns a list: stack its entries into one tensor"
        expect(not result.flag("listed"), listed, expected=f"a tensor of shape {wanted}")
        got = list(result.shape("images"))
        message = f"with {n} pairs and {steps} steps between the ends, the shape is not [B, steps + 2, 1, 28, 28]"
        expect(got == wanted, message, expected=str(wanted), got=str(got))


@check("gan.alternation", leaves_to=("gan.generator_step", "gan.discriminator_step", "gan.discriminator"))
def test_alternation(student: Subject, data: DataSet, rng: Rng, passed: Passed) -> None:
    """In your training loop, each optimiser moves its own network along the gradients of that network's own loss."""
    batch = _batch(data, rng, BATCHES * BATCH)
    result = student.run(probes.gan.alternation, images=batch.scaled(), labels=batch.labels, batch_size=BATCH)
    steps = result.list("steps", most=MOST_STEPS)
    expect(len(steps) > 0, "the loop never calls step() of an optimiser: call it after each backward()")
    expect(
        len(steps) >= BATCHES,
        "the loop ends too early: it should update the networks for each batch of the loader",
        expected=f"at least {BATCHES} updates for {BATCHES} batches",
        got=f"{len(steps)} updates",
    )
    losses = [name.text() for name in result.list("losses", most=MOST_STEPS)]
    seen: dict[str, int] = {}  # the number of losses computed before each network's last step
    for index, step in enumerate(steps):
        owner = _owner(step)
        since = losses[seen.get(owner, 0) : step.integer("losses")]
        _expect_own_step(step, owner, index, again=owner in seen and owner not in since)
        seen[owner] = step.integer("losses")
    for name in ("generator", "discriminator"):
        moved = [step["moved"].number(name) for step in steps if _owner(step) == name]
        # Losses without a gradient are a mistake in the step, or in a discriminator of constant scores. Their checks
        # judge it, unless both passed.
        excused = not result["trained"].flag(name) and not (passed(f"gan.{name}_step") and passed("gan.discriminator"))
        expect(
            len(moved) > 0 and (max(moved) > 0 or excused),
            f"the {name} is never updated: call step() of an optimiser that holds its parameters after backward()",
        )
    setting = _setting(data, rng)

    def step_is_wrong() -> bool:
        if passed("gan.discriminator_step"):
            return False
        alone = _other(student, "discriminator", setting)
        return alone is None or alone.unmet is not None

    expect_loader_shown(
        result,
        batch.scaled().reshape(len(batch), PIXELS).astype(np.float64),
        step_is_wrong,
        early="the loop ends too early: it should go through all batches of the loader",
        other="the loop does not show the discriminator the images of the loader",
    )


def _owner(step: Evidence) -> str:
    holds = [name.text() for name in step.list("holds")]
    expect(len(holds) > 0, "an optimiser has the parameters of neither network: give it those of one of them")
    expect(
        len(holds) < 2,
        "one optimiser has the parameters of both networks and moves both along one loss: give each network its own "
        "optimiser",
    )
    return holds[0]


def _expect_own_step(step: Evidence, owner: str, index: int, again: bool) -> None:
    """Fail a step that does not follow the gradient of the moved network's own latest loss.

    Args:
        step: evidence of an optimiser's step, a `graders.probing.records.Step`.
        owner: the network that the optimiser holds.
        index: the number of the step in the loop.
        again: whether no new loss of this network was computed since its last step.
    """
    other = "discriminator" if owner == "generator" else "generator"
    if step.is_none("agreement"):
        others = step.integer("losses") > 0 and step.number("unexplained") < UNEXPLAINED
        expect(
            step["moved"].number(owner) == 0 or not others,
            f"update {index + 1} of the loop moves the {owner} along the gradient of the {other}'s loss: call "
            f"backward() on the {owner}'s own loss first",
        )
        expect(
            step["moved"].number(owner) == 0 or step.number("of_no_loss") < OF_NO_LOSS,
            f"update {index + 1} of the loop moves the {owner} along numbers that are the gradient of no loss: call "
            "backward() on the loss of its step before step()",
        )
        return
    agreement = step.number("agreement", finite=False)
    if agreement >= SAME_DIRECTION or step["moved"].number(owner) == 0:
        return
    expect(
        not again,
        f"update {index + 1} of the loop moves the {owner} without a new loss of its own, along gradients that the "
        f"{other}'s step left: call step() of the {owner}'s optimiser once after each backward() of its loss",
    )
    fail(
        f"update {index + 1} of the loop does not move the {owner} along the gradient of its own loss: gradients of "
        f"the {other}'s step, or of an earlier batch, are still added. Call zero_grad() right before each backward()",
        expected="a cosine of 1 between the used gradient and that of its own loss",
        got=f"cosine {agreement:.3f}",
    )


def _expect_fixed(result: Evidence, outputs: Array) -> None:
    again = result.tensor("again", shape=outputs.shape)
    hint = "in eval mode, dropout should be off: use the module nn.Dropout, or F.dropout with training=self.training"
    what = "the network's output for the same input in a second call"
    assert_close(again, outputs, rtol=RTOL, atol=ATOL, what=what, hint=hint)


def _sizes(rng: Rng) -> list[list[int]]:
    """Return lists of hidden sizes, of which each differs from the first in one entry or in length.

    They are different in each test, so that no network can tell for which question it is created.
    """
    base = [8 * each for each in rng.integers(2, 6, 3).tolist()]
    wider = [[size + 8 * (index == place) for index, size in enumerate(base)] for place in range(3)]
    return [base, *wider, base[:2], base[:1]]


def _parameters(student: Subject, name: str, sizes: list[list[int]]) -> list[int]:
    """Return the number of parameters of the student's generator or discriminator for each list of hidden sizes."""
    found = student.run(probes.gan.parameter_counts, which=name, sizes=sizes)
    return [count.integer() for count in _each(found, len(sizes))]


def _expect_sizes_used(student: Subject, name: str, rng: Rng) -> None:
    """Fail a network whose size depends on some entries of `hidden_dims` but not on all.

    Ignoring all of them is right: the architecture is then the student's own.
    """
    sizes = _sizes(rng)
    counts = _parameters(student, name, sizes)
    matters = [count != counts[0] for count in counts[1:]]
    expect(
        all(matters) or not any(matters),
        f"the {name} uses only a part of hidden_dims: it needs a hidden layer for every entry, which forward uses",
        got=", ".join(f"{size}: {count} parameters" for size, count in zip(sizes, counts, strict=True)),
    )
    x = rng.normal(4, 16) if name == "generator" else _noise(rng, 4)
    expect_in_use(student.run(probes.gan.use, which=name, x=x, hidden_dims=sizes[0]), name)


def _expect_loss_passed_on(student: Subject, setting: dict[str, Any]) -> None:
    """Fail a generator's step whose images get another gradient than that with which the loss follows them."""
    found = student.run(probes.gan.passage, **setting).tensor(shape=(2, UpTo(MOST_DIRECTIONS)))
    expect_passed_on(found)


def _expect_loss(step: Observed, verdict: Verdict) -> None:
    if verdict.mistake is None:
        return
    wanted = None if verdict.expected is None else f"{verdict.expected:.4f}"
    reason = f": {verdict.mistake}" if verdict.mistake else ""
    fail(f"the value of the loss is not right{reason}", expected=wanted, got=f"{step.loss:.4f}")


def _expect_noise(student: Subject, latents: Array) -> None:
    expect(
        len(latents) >= 10, "the step does not generate a batch of images", got=f"{len(latents)} latents in the step"
    )
    problem = STEPPED.problem(latents)
    if problem is None:
        return
    expect(not _samples_are_normal(student), f"z is not drawn from N(0, I), as it is in sample: {problem}")
    different = len(np.unique(latents, axis=0))
    expect(
        2 * different >= min(len(latents), BATCH),
        "the images of a step are generated from a few latents only: draw one for each image",
        got=f"{different} different ones",
    )
    expect(
        are_drawn_alike(latents, _samples(student, latents.shape[1])),
        f"z is drawn neither from N(0, I) nor as it is in sample: {problem}",
    )
    not_asked(LIKE_SAMPLES.format(what="z has"), unless=("gan.sample",))


def _expect_drawn_anew(student: Subject, first: Array, second: Array) -> None:
    """Fail latents of two steps, [N, z_dim] and [M, z_dim], that depend on each other, unless those of `sample` do."""
    expect(len(second) >= 10, "a second step does not generate a batch of images", got=f"{len(second)} latents")
    problem = STEPPED_TWICE.problem(in_turns(first, second))
    if problem is None:
        return
    drawn = student.run(probes.gan.sample, n=SAMPLED.draws, z_dim=SAMPLED.elements)
    calls = [drawn.tensor(name, shape=(UpTo(MOST_ROWS), SAMPLED.elements)) for name in ("latents", "again")]
    enough = min(map(len, calls)) >= 10
    expect(
        enough and CALLED_TWICE.problem(in_turns(*calls)) is not None,
        f"two steps do not draw independent latents: draw new ones in each, without a seed. In turns, {problem}",
    )
    not_asked(LIKE_SAMPLES.format(what="the latents of two steps have"), unless=("gan.sample",))


def _samples_are_normal(student: Subject) -> bool:
    """Return whether `sample` draws its latents from N(0, I).

    If not, `gan.sample` fails instead of the calling check.
    """
    return SAMPLED.problem(_samples(student, SAMPLED.elements)) is None


def _samples(student: Subject, z_dim: int) -> Array:
    """Return the latents [N, z_dim] that `sample` draws; raises Mismatch if there are too few of them to judge."""
    result = student.run(probes.gan.sample, n=SAMPLED.draws, z_dim=z_dim)
    drawn = result.tensor("latents", shape=(UpTo(MOST_ROWS), z_dim))
    expect(len(drawn) >= 10, "sample gives the generator too few latents", got=f"{len(drawn)} latents")
    return drawn


def _setting(data: DataSet, rng: Rng) -> dict[str, Any]:
    """Return arguments of `probes.gan.step`: real images, and known scores for all rows that it may score."""
    scores = 2 * rng.normal(8 * BATCH) + 0.5  # Enough for both batches, and for some more that a student may log.
    return {"images": _batch(data, rng).scaled(), "scores": scores, "hidden_dims": [24, 32], "z_dim": 16}


def _other(student: Subject, which: str, setting: dict[str, Any]) -> Observed | None:
    """Return what was seen of the other network's step; None if it cannot be judged (its own check says why)."""
    result = student.run(probes.gan.step_if_it_runs, which=which, **setting)
    try:
        return None if result.is_none() else observed_step(result, setting["images"], setting["scores"])
    except Mismatch:
        return None


def _labels(step: Observed, judge: Callable[[Observed], Verdict]) -> Labels:
    """Return which labels a loss uses, whatever factor it has; "unknown" if it is wrong otherwise."""
    verdict = judge(divided(step, excess(step, judge) or 1.0))
    return verdict.labels if verdict.mistake is None else "unknown"


def _batch(data: DataSet, rng: Rng, n: int = BATCH) -> Split:
    """Return n random training images with their labels."""
    chosen = rng.choice(len(data.train), n)
    return Split(data.train.images[chosen], data.train.labels[chosen])


def _each(results: Evidence, count: int) -> list[Evidence]:
    """Return the entries of a list in the evidence, which has to have one for each of `count` settings."""
    found = results.list()
    expect(len(found) == count, "there is not one result for each setting", got=f"{len(found)} for {count}")
    return found


def _noise(rng: Rng, n: int) -> Array32:
    return rng.uniform(-1, 1, n, 1, 28, 28)
