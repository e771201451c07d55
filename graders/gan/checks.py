"""Generative adversarial networks: the networks, their losses, the loop that alternates, samples and interpolations.

What these checks accept beyond the hand-out's wording is written where it is decided: in `adversarial` for losses and
labels, in `latents` for interpolations, and here:

- Any architecture is right that keeps the interface for 28×28 images: layers of another kind, normalisation, other
  activations (but not none). `hidden_dims` may be ignored as a whole, but not in part.
- A discriminator may ask for flat rows, as long as the student's own steps give it those. A sigmoid inside it fails
  `gan.discriminator` alone, where the losses agree with it.
- Noise from another distribution is one mistake, of `gan.sample`; steps and interpolations fail for it only when
  `sample` draws from N(0, I).
- What comes out in eval mode is fixed by what goes in: dropout rests there.
- A step that makes fakes of its own, where it is given some, is judged by those; `sample` may leave the generator in
  eval mode.
- A fake batch that is not detached in the discriminator's step does no harm when the loop clears gradients before each
  `backward`; what counts is whether foreign gradients are still there when an optimiser moves its network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gengrade.data import DataSet, Split
from gengrade.grading import Evidence, Mismatch, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.gan_losses import (
    MOST_ROWS,
    Observed,
    Verdict,
    decoded_images,
    judge_discriminator,
    judge_generator,
    observed_step,
)
from graders.common.latents import arrangements, arrangements_of, ends_problem, is_mixed, line_problem, trace
from graders.common.statistics import GaussianFit, TwoDraws, declare
from graders.vae.networks import STRAIGHT, bend, judge_same

Array = NDArray[np.float64]

PIXELS = 28 * 28
BATCH = 64
BATCHES = 4  # of a loader
MOST_STEPS = 10_000  # of the optimisers in a loop over a few batches, and losses
LATENT_SIZES = (4, 32, 20)
HIDDEN_SIZES = ([16], [24, 40], [40, 24, 32])
REACH = 0.9  # what pixels in (−1, 1) must come to in both directions, when they are driven beyond
FLAT = 1 - 1e-5  # a tanh that comes nearer to 1 cannot be undone in single precision
LOGIT_REACH = 1.5  # what scores must come to in both directions: beyond every sigmoid and tanh
UNEXPLAINED = 0.01  # the share of a gradient that is none of the other network's loss, where it is that alone
SAME_DIRECTION = 0.999  # the cosine of gradients that differ by no more than a factor

SAMPLED = declare("gan.sample", "the latents of samples", GaussianFit(400, 24))
# A step fails only where `sample` passes the test of its latents.
STEPPED = declare("gan.generator_step", "the latents of a step", GaussianFit(BATCH, 16))
declare("gan.discriminator_step", "the latents of a step", STEPPED)
ENDS = declare("gan.interpolate", "the latents of the ends", TwoDraws(48 * 48))


@check("gan.generator")
def test_generator_parameters(student: Subject, rng: Rng) -> None:
    """All of the generator's layers are registered, take part, and follow hidden_dims."""
    latents = [rng.normal(4, z_dim) for z_dim in LATENT_SIZES]
    results = student.run(probes.gan.generators, latents=latents, sizes=HIDDEN_SIZES)
    for result in _each(results, len(HIDDEN_SIZES)):
        _expect_registered(result, "generator")
    _expect_sizes_used(student, "generator")


@check("gan.generator")
def test_generator_images(student: Subject, rng: Rng) -> None:
    """The generator gives images of shape [B, 1, 28, 28], each of its own latent, for hidden layers of any number."""
    latents = [rng.normal(9, z_dim) for z_dim in LATENT_SIZES]
    results = student.run(probes.gan.generators, latents=latents, sizes=HIDDEN_SIZES)
    for result in _each(results, len(HIDDEN_SIZES)):
        images, alone = result.tensor("images", shape=(9, 1, 28, 28)), result.tensor("first", shape=(1, 1, 28, 28))
        _expect_fixed(result, images)
        # What a tanh has made of them is undone; where it has flattened them they say nothing, and look bent.
        _expect_bent(np.arctanh(np.clip(result.tensor("lines", shape=(24, 1, 28, 28)), -FLAT, FLAT)), "generator")
        hint = "in eval mode, an image changes with what else is in the batch"
        assert_close(alone, images[:1], rtol=1e-3, atol=1e-4, what="the image of a latent on its own", hint=hint)


@check("gan.generator")
def test_generator_in_another_order(student: Subject, rng: Rng) -> None:
    """The generator made once more: the same latents in another order give the same images."""
    latents, order = [rng.normal(9, z_dim) for z_dim in LATENT_SIZES], rng.choice(9, 9)
    first = student.run(probes.gan.generators, latents=latents, sizes=HIDDEN_SIZES)
    second = student.again(probes.gan.generators, latents=[z[order] for z in latents], sizes=HIDDEN_SIZES)
    for one, other in zip(*(_each(found, len(HIDDEN_SIZES)) for found in (first, second)), strict=True):
        images = one.tensor("images", shape=(9, 1, 28, 28))
        judge_same(other.tensor("images", shape=images.shape), images[order])


@check("gan.generator")
def test_generator_range(student: Subject, rng: Rng) -> None:
    """Pixels lie between −1 and 1, as the scaled data do, and can come near both."""
    # Trained towards ±3, pixels show the ends of their range, whatever the architecture.
    target = 6 * rng.bits(4, PIXELS) - 3
    result = student.run(probes.gan.generator_range, z=rng.normal(4, 12), target=target, hidden_dims=[32, 48])
    pixels = np.concatenate([result.tensor("far").ravel(), result.tensor("driven").ravel()])
    expect(pixels.size > 0, "the generator gives no pixels")
    low, high = float(pixels.min()), float(pixels.max())
    seen, wanted = f"pixels from {low:.2f} to {high:.2f}", "pixels in [−1, 1]"
    expect(low >= -1 - 1e-5 and high <= 1 + 1e-5, "pixels leave [−1, 1]: end with a tanh", expected=wanted, got=seen)
    expect(low < -1e-3, "pixels are never negative: end with a tanh, not a sigmoid", expected=wanted, got=seen)
    expect(low <= -REACH and high >= REACH, "pixels cannot come near −1 and 1", expected=wanted, got=seen)


@check("gan.discriminator")
def test_discriminator_parameters(student: Subject, rng: Rng) -> None:
    """All of the discriminator's layers are registered, take part, and follow hidden_dims."""
    results = student.run(probes.gan.discriminators, images=_noise(rng, 4), sizes=HIDDEN_SIZES)
    for result in _each(results, len(HIDDEN_SIZES)):
        _expect_registered(result, "discriminator")
    _expect_sizes_used(student, "discriminator")


@check("gan.discriminator")
def test_discriminator_scores(student: Subject, rng: Rng) -> None:
    """The discriminator gives a score of each image alone, in shape [B, 1], for hidden layers of any number."""
    results = student.run(probes.gan.discriminators, images=_noise(rng, 9), sizes=HIDDEN_SIZES)
    for result in _each(results, len(HIDDEN_SIZES)):
        scores, alone = result.tensor("scores", shape=(9, 1)), result.tensor("first", shape=(1, 1))
        _expect_fixed(result, scores)
        _expect_bent(result.tensor("lines", shape=(24, 1)), "discriminator")
        hint = "in eval mode, a score changes with what else is in the batch"
        assert_close(alone, scores[:1], rtol=1e-3, atol=1e-4, what="the score of an image on its own", hint=hint)


@check("gan.discriminator")
def test_discriminator_in_another_order(student: Subject, rng: Rng) -> None:
    """The discriminator made once more: the same images in another order get the same scores."""
    images, order = _noise(rng, 9), rng.choice(9, 9)
    first = student.run(probes.gan.discriminators, images=images, sizes=HIDDEN_SIZES)
    second = student.again(probes.gan.discriminators, images=images[order], sizes=HIDDEN_SIZES)
    for one, other in zip(*(_each(found, len(HIDDEN_SIZES)) for found in (first, second)), strict=True):
        scores = one.tensor("scores", shape=(9, 1))
        judge_same(other.tensor("scores", shape=scores.shape), scores[order])


@check("gan.discriminator")
def test_discriminator_logits(student: Subject, rng: Rng) -> None:
    """Scores are logits: any number, without a sigmoid."""
    # An image and its negative, each a few times, are as easy to tell apart as any.
    sign = np.tile(np.array([1, -1], dtype=np.float32), 8)
    images = sign[:, None, None, None] * (2 * rng.bits(1, 28, 28) - 1) + 0.1 * rng.normal(16, 1, 28, 28)
    setting = {"images": images.astype(np.float32), "target": 6 * sign, "hidden_dims": [32, 48]}
    scores = student.run(probes.gan.discriminator_range, **setting).tensor()
    expect(scores.size > 0, "the discriminator gives no scores")
    low, high = float(scores.min()), float(scores.max())
    seen, wanted = f"scores from {low:.2f} to {high:.2f} when trained towards ±6", "logits, of any size and sign"
    if low >= 0 and 0.5 < high <= 1:  # a sigmoid that is trained upwards comes near 1
        fail("scores stay between 0 and 1: leave the sigmoid to the loss", expected=wanted, got=seen)
    expect(low < 0, "scores are never negative: no activation belongs on the last layer", expected=wanted, got=seen)
    expect(low <= -LOGIT_REACH and high >= LOGIT_REACH, "scores are confined", expected=wanted, got=seen)


@check("gan.generator_step")
def test_generator_loss(student: Subject, data: DataSet, rng: Rng) -> None:
    """The generator minimises −E log D(G(z)), the non-saturating loss, and feels its gradient.

    The discriminator's scores are replaced by known ones, and the loss is computed again from those of the generated
    images.
    """
    setting = _setting(data, rng)
    result = student.run(probes.gan.step, which="generator", **setting)
    step = observed_step(result, setting["images"], setting["scores"])
    expect(
        result["reached"].flag("generator"),
        "no gradient reaches the generator: its images are made under no_grad (by sample, perhaps) or detached",
    )
    verdict = judge_generator(step)
    if verdict.mistake is None and verdict.labels == "usual":
        return
    other = _other(student, "discriminator", setting)
    if other and judge_discriminator(other).labels == "exchanged":
        verdict = judge_generator(step, exchanged=True)
        _expect_loss(step, verdict)
        return
    _expect_loss(step, verdict)
    fail(
        "the generator is rewarded when the discriminator recognises its images: label them real here, or exchange the "
        "labels in both steps"
    )


@check("gan.generator_step")
def test_generator_noise(student: Subject, data: DataSet, rng: Rng) -> None:
    """The generator is trained on latents of its own for each image, drawn from N(0, I)."""
    result = student.run(probes.gan.step, which="generator", **_setting(data, rng))
    _expect_noise(student, result.tensor("latents", shape=(UpTo(MOST_ROWS), 16)))


@check("gan.discriminator_step")
def test_discriminator_loss(student: Subject, data: DataSet, rng: Rng) -> None:
    """The discriminator minimises −E log D(x) − E log(1 − D(G(z))), and feels its gradient.

    Its scores are replaced by known ones, and the loss is computed again from those of the real and of the generated
    images.
    """
    setting = _setting(data, rng)
    result = student.run(probes.gan.step, which="discriminator", **setting)
    step = observed_step(result, setting["images"], setting["scores"])
    expect(
        result["reached"].flag("discriminator"),
        "no gradient reaches the discriminator: its scores are detached or computed under no_grad",
    )
    verdict = judge_discriminator(step)
    _expect_loss(step, verdict)
    if verdict.labels == "exchanged":
        other = _other(student, "generator", setting)
        generators = judge_generator(other) if other else None
        expect(
            generators is None or generators.mistake is not None or generators.labels == "exchanged",
            "labels are exchanged here (real 0, fake 1), and not in generator_step: both have to agree",
        )


@check("gan.discriminator_step")
def test_discriminator_noise(student: Subject, data: DataSet, rng: Rng) -> None:
    """The discriminator is shown images of latents of their own, drawn from N(0, I)."""
    result = student.run(probes.gan.step, which="discriminator", **_setting(data, rng))
    _expect_noise(student, result.tensor("latents", shape=(UpTo(MOST_ROWS), 16)))


@check("gan.sample")
def test_sample_images(student: Subject) -> None:
    """Samples are the generator's images as they are: [B, 1, 28, 28] in [−1, 1], as many as asked for."""
    result = student.run(probes.gan.sample, n=50, z_dim=24)
    images = result.tensor("images", shape=(50, 1, 28, 28)).reshape(50, PIXELS)
    decoded = decoded_images(result)
    if trace(images, decoded, decoded) is not None:
        return
    got = f"pixels from {images.min():.2f} to {images.max():.2f}"
    for name, changed in (("a sigmoid", expit(decoded)), ("a scaling to [0, 1]", (decoded + 1) / 2)):
        if trace(images, changed, changed) is not None:
            fail(f"{name} is applied to the generator's images, which are in [−1, 1] as they should be", got=got)
    fail("the samples are not what the generator gave", expected="G(z) in [−1, 1]", got=got)


@check("gan.sample")
def test_sample_noise(student: Subject) -> None:
    """Each sample has a latent of its own, drawn from N(0, I), and each call draws new ones."""
    n, z_dim = SAMPLED.draws, SAMPLED.elements
    result = student.run(probes.gan.sample, n=n, z_dim=z_dim)
    latents, again = (result.tensor(name, shape=(UpTo(MOST_ROWS), z_dim)) for name in ("latents", "again"))
    expect(len(latents) >= n, "the generator is not given a latent for each sample", got=f"{len(latents)} latents")
    expect(len(np.unique(latents, axis=0)) > 1, "all samples are made of the same z: draw one for each of them")
    problem = SAMPLED.problem(latents)
    expect(problem is None, f"z is not drawn from N(0, I): {problem}")
    expect(
        latents.shape != again.shape or not np.array_equal(latents, again),
        "a second call returns the same samples: do not seed the random numbers in sample",
    )


@check("gan.sample")
def test_given_noise(student: Subject, rng: Rng) -> None:
    """Where noise is given, samples are made of it."""
    noise = rng.normal(20, 24)
    result = student.run(probes.gan.sample_of, z=noise)
    if not result.is_none():
        hint = "noise that is given is used as it is"
        assert_close(result["latents"], noise, what="what the generator is given", hint=hint)


@check("gan.interpolate")
def test_interpolation(student: Subject) -> None:
    """Interpolations go in even steps along the straight line between two latents, both ends included."""
    n, steps, z_dim = 48, 3, 48
    result = student.run(probes.gan.interpolate, n=n, steps=steps, z_dim=z_dim)
    images, decoded = result.tensor("images", most=MOST_ROWS * PIXELS), decoded_images(result)
    latents = result.tensor("latents", shape=(len(decoded), z_dim))
    expect(
        images.size % PIXELS == 0, "the result does not hold images of 28×28 pixels", got=f"shape {list(images.shape)}"
    )
    flat = images.reshape(-1, PIXELS)
    found = trace(flat, decoded, latents)
    if found is None:
        if any(is_mixed(strips, decoded) for strips in arrangements(flat, n)):
            fail("the pixels of the two end images are mixed: mix their latents, and decode every mixture")
        fail("some of the images are not what the generator gave", expected="G(z) for every image")
    possible = arrangements_of(found, images.shape, n)
    expect(len(possible) > 0, f"the images are not {n} strips of equal length", got=f"{len(flat)} images")
    lines = [line_problem(strips) for strips in possible]
    if None not in lines:
        fail(lines[0] or "")
    straight = possible[lines.index(None)]
    expect(len(np.unique(straight.reshape(n, -1), axis=0)) > 1, "all strips are the same: draw a pair for each of them")
    ends = ends_problem(straight[:, 0], straight[:, -1], ENDS.alpha)
    if ends is not None and not result.flag("takes_ends") and _samples_are_normal(student):
        fail(ends)


@check("gan.interpolate")
def test_given_ends(student: Subject, rng: Rng) -> None:
    """Where the latents of both ends are given, the line runs from one to the other."""
    ends = rng.normal(2, 12, 24)
    result = student.run(probes.gan.interpolate_between, ends=ends, steps=3)
    if result.is_none():
        return
    images, decoded = result.tensor("images", most=MOST_ROWS * PIXELS), decoded_images(result)
    latents = result.tensor("latents", shape=(len(decoded), 24))
    whole = images.size == 5 * ends.shape[1] * PIXELS
    found = trace(images.reshape(-1, PIXELS), decoded, latents) if whole else None
    if found is None:
        fail("some of the images are not what the generator gave", expected="G(z) for every image")
    strips = found.reshape(ends.shape[1], 5, 24)
    reached = np.stack([strips[:, 0], strips[:, -1]])
    # for either direction, whether the first and the last image are those of the two ends
    hits = [
        [bool(np.abs(a - b).max() < 1e-3) for a, b in zip(reached, each, strict=True)] for each in (ends, ends[::-1])
    ]
    if not any(all(each) for each in hits):
        one = any(any(each) for each in hits)
        reason = ": one of them is left out. Let the weights run from 0 to 1, both included" if one else ""
        fail(f"the line does not run from z_1 to z_2{reason}", expected="z_1 at one end, z_2 at the other")


@check("gan.interpolate_shape")
def test_interpolation_shape(student: Subject) -> None:
    """Interpolations come as one tensor of shape [B, steps + 2, 1, 28, 28]."""
    cases = ((3, 5), (4, 1))
    results = _each(student.run(probes.gan.interpolations, cases=cases), len(cases))
    for (n, steps), result in zip(cases, results, strict=True):
        wanted = [n, steps + 2, 1, 28, 28]
        expect(not result.flag("listed"), "a list is returned: stack it", expected=f"a tensor of shape {wanted}")
        got = list(result.shape("images"))
        message = f"the shape for {n} pairs and {steps} steps between the ends is not [B, steps + 2, 1, 28, 28]"
        expect(got == wanted, message, expected=str(wanted), got=str(got))


@check("gan.alternation")
def test_alternation(student: Subject, data: DataSet, rng: Rng) -> None:
    """In your own loop each optimiser moves its own network, by the gradients of that network's own loss."""
    batch = _batch(data, rng)
    result = student.run(
        probes.gan.alternation, images=batch.scaled(), labels=batch.labels, batch_size=BATCH // BATCHES
    )
    steps = result.list("steps", most=MOST_STEPS)
    expect(len(steps) > 0, "neither optimiser's step() is ever called in the loop")
    expect(
        len(steps) >= BATCHES,
        "the loop ends early: there should be an update for each batch of the loader",
        expected=f"at least {BATCHES} updates for {BATCHES} batches",
        got=f"{len(steps)} updates",
    )
    losses = [name.text() for name in result.list("losses", most=MOST_STEPS)]
    seen: dict[str, int] = {}  # how many losses there were at each network's last step
    for index, step in enumerate(steps):
        owner = _owner(step)
        since = losses[seen.get(owner, 0) : step.integer("losses")]
        _expect_own_step(step, owner, index, again=owner in seen and owner not in since)
        seen[owner] = step.integer("losses")
    for name in ("generator", "discriminator"):
        moved = [step["moved"].number(name) for step in steps if _owner(step) == name]
        expect(
            len(moved) > 0 and (max(moved) > 0 or not result["trained"].flag(name)),
            f"the {name} is never updated: call step() of an optimiser that holds its parameters after backward()",
        )


def _owner(step: Evidence) -> str:
    holds = [name.text() for name in step.list("holds")]
    expect(len(holds) > 0, "an optimiser holds the parameters of neither network")
    expect(
        len(holds) < 2,
        "an optimiser holds the parameters of both networks, and moves both by one loss: give each its own",
    )
    return holds[0]


def _expect_own_step(step: Evidence, owner: str, index: int, again: bool) -> None:
    """`again`: since this network's last step, there was no new loss of its own."""
    other = "discriminator" if owner == "generator" else "generator"
    if step.is_none("agreement"):
        others = step.integer("losses") > 0 and step.number("unexplained") < UNEXPLAINED
        expect(
            step["moved"].number(owner) == 0 or not others,
            f"update {index + 1} of the loop moves the {owner} by the {other}'s loss: call backward() on its own",
        )
        return
    agreement = step.number("agreement", finite=False)
    if agreement >= SAME_DIRECTION or step["moved"].number(owner) == 0:
        return
    expect(
        not again,
        f"update {index + 1} of the loop moves the {owner} without a new loss of its own, by what the {other}'s step "
        f"left in its gradients: call step() of the {owner}'s optimiser once after each backward() of its loss",
    )
    fail(
        f"update {index + 1} of the loop moves the {owner} by other gradients than those of its own loss: those of the "
        f"{other}'s step, or of an earlier batch, are still there. Call zero_grad() right before each backward()",
        expected="gradients along those of its own loss (cosine 1)",
        got=f"cosine {agreement:.3f}",
    )


def _expect_registered(result: Evidence, name: str) -> None:
    expect(
        result.integer("unregistered") == 0,
        f"some layers of the {name} are hidden from parameters(), so no optimiser trains them: use nn.ModuleList or "
        "nn.Sequential in place of a list",
    )
    unreached = result.text("unreached")
    expect(unreached == "", f"the {name}'s parameter {unreached[:80]} takes no part in what it computes")


def _expect_fixed(result: Evidence, outputs: Array) -> None:
    again = result.tensor("again", shape=outputs.shape)
    hint = "in eval mode, dropout has to rest: use the module nn.Dropout, or F.dropout with training=self.training"
    assert_close(again, outputs, rtol=1e-3, atol=1e-4, what="what the network gives for the same input", hint=hint)


def _expect_bent(lines: Array, name: str) -> None:
    """Outputs for the beginnings, the middles and the ends of some lines lie on no lines, if there are activations."""
    expect(
        bend([lines.reshape(3, -1)]) > STRAIGHT,
        f"the {name} is linear, however many layers it has: there should be an activation function between the layers",
    )


def _expect_sizes_used(student: Subject, name: str) -> None:
    """All entries of `hidden_dims` matter, or none does (an architecture of the student's own)."""
    base = [24, 40, 32]
    sizes = [base, [32, 40, 32], [24, 48, 32], [24, 40, 48], base[:2], base[:1]]
    found = student.run(probes.gan.parameter_counts, which=name, sizes=sizes)
    counts = [count.integer() for count in _each(found, len(sizes))]
    matters = [count != counts[0] for count in counts[1:]]
    expect(
        all(matters) or not any(matters),
        f"only a part of hidden_dims is used in the {name}: it needs a hidden layer for every entry",
        got=", ".join(f"{size}: {count} parameters" for size, count in zip(sizes, counts, strict=True)),
    )


def _expect_loss(step: Observed, verdict: Verdict) -> None:
    if verdict.mistake is None:
        return
    wanted = None if verdict.expected is None else f"{verdict.expected:.4f}"
    reason = f": {verdict.mistake}" if verdict.mistake else ""
    fail(f"the loss is not right{reason}", expected=wanted, got=f"{step.loss:.4f}")


def _expect_noise(student: Subject, latents: Array) -> None:
    expect(len(latents) >= 10, "the step makes no new images by the generator", got=f"{len(latents)} latents")
    problem = STEPPED.problem(latents)
    if problem is not None and _samples_are_normal(student):
        fail(f"z is not drawn from N(0, I), as it is in sample: {problem}")


def _samples_are_normal(student: Subject) -> bool:
    """Whether `sample` draws its latents from N(0, I): if not, that is the mistake."""
    n, z_dim = SAMPLED.draws, SAMPLED.elements
    drawn = student.run(probes.gan.sample, n=n, z_dim=z_dim).tensor("latents", shape=(UpTo(MOST_ROWS), z_dim))
    return len(drawn) >= 10 and SAMPLED.problem(drawn) is None


def _setting(data: DataSet, rng: Rng) -> dict[str, Any]:
    """What a step is run on: a batch of real images, and a score for each row that it may ask about."""
    scores = 2 * rng.normal(8 * BATCH) + 0.5  # for the real and the fake batch, and some more for logging
    return {"images": _batch(data, rng).scaled(), "scores": scores, "hidden_dims": [24, 32], "z_dim": 16}


def _other(student: Subject, which: str, setting: dict[str, Any]) -> Observed | None:
    """The other network's step, where it can be judged; what is wrong with it is for a check of its own."""
    result = student.run(probes.gan.step_if_it_runs, which=which, **setting)
    try:
        return None if result.is_none() else observed_step(result, setting["images"], setting["scores"])
    except Mismatch:
        return None


def _batch(data: DataSet, rng: Rng) -> Split:
    """Some of the training images."""
    chosen = rng.choice(len(data.train), BATCH)
    return Split(data.train.images[chosen], data.train.labels[chosen])


def _each(results: Evidence, count: int) -> list[Evidence]:
    """The parts of a list that has to be as long as what was asked."""
    found = results.list()
    expect(len(found) == count, "there is not one answer for each question", got=f"{len(found)} for {count}")
    return found


def _noise(rng: Rng, n: int) -> NDArray[np.float32]:
    return rng.uniform(-1, 1, n, 1, 28, 28)
