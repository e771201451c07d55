"""A GAN that is two networks and a function that trains both, whatever the form of images and scores.

The losses are computed again from the scores that the discriminator gave, which are replaced by known ones; see
`adversarial` for what is right. Left open by the hand-out, and decided for the student:
- images may be flat or square, scores probabilities or logits, of any shape with one number for each image;
- a step may have several losses, each with a `backward` of its own: their sum is what it follows;
- either network may go first, and either may be trained more often;
- an interpolation may be any function or method with that in its name; where only the script draws it, a person looks
  at the report. Nine images, both ends included, are what is asked for.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gengrade.data import DataSet
from gengrade.grading import Evidence, Mismatch, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.gan_losses import MOST_ROWS, Observed, Verdict, judge_discriminator, judge_generator, sources
from graders.common.latents import ends_problem, line_problem
from graders.common.statistics import ALPHA, GaussianFit, TwoDraws, declare

Array = NDArray[np.float64]

LATENTS: Final = 100
PIXELS: Final = 28 * 28
BATCH: Final = 64
STRAIGHT: Final = 1e-4  # of a bend: rounding makes 1e-6, and activations make 0.01 at least
FLAT: Final = 1 - 1e-6  # where a tanh cannot be undone in single precision
REACH: Final = 0.9  # what pixels must come to in both directions, trained towards ±3
SCORE_REACH: Final = 1.5  # what scores must come to, trained towards ±6; probabilities, the sigmoid of that
ALIGNED: Final = 0.999  # the cosine of gradients that differ by no more than a factor
MOST_TURNS: Final = 16  # that are looked at of a batch: one network may be trained more often than the other
MOST_STEPS: Final = 10_000  # of the optimisers in a loop over a few batches
WALKS: Final = 40  # calls of an interpolation, so that its ends show how they are drawn
STEPS: Final = 9  # images of an interpolation, with both ends

NOISE = declare("gan2018.noise", "the latents of a turn", GaussianFit(BATCH, LATENTS))
ENDS = declare("gan2018.interpolation", "the latents of the ends of 40 walks", TwoDraws(WALKS * LATENTS, ALPHA))


@check("gan2018.generator")
def test_generator(student: Subject, rng: Rng) -> None:
    """The generator gives an image for each latent alone, with pixels in [−1, 1] that can come near both."""
    n = 6
    target = 6 * rng.bits(n, PIXELS) - 3
    got = student.run(probes.gan2018.generator, z=rng.normal(n, LATENTS), target=target)
    images = got.tensor("outputs", shape=(n, PIXELS))
    _expect_network(got, images, "generator")
    pixels = np.concatenate([images, got.tensor("far", shape=(n, PIXELS)), got.tensor("driven", shape=(n, PIXELS))])
    low, high = float(pixels.min()), float(pixels.max())
    seen, wanted = f"pixels from {low:.2f} to {high:.2f}", "pixels in [−1, 1]"
    expect(low >= -1 - 1e-5 and high <= 1 + 1e-5, "pixels leave [−1, 1]: end with a tanh", expected=wanted, got=seen)
    expect(low < -1e-3, "pixels are never negative: end with a tanh, not a sigmoid", expected=wanted, got=seen)
    expect(low <= -REACH and high >= REACH, "pixels cannot come near −1 and 1", expected=wanted, got=seen)
    # What a tanh has made of them is undone; where it has flattened them they say nothing, and look bent.
    lines = np.arctanh(np.clip(got.tensor("lines", shape=(3 * (n - 1), PIXELS)), -FLAT, FLAT))
    _expect_bent(lines, "generator")


@check("gan2018.discriminator")
def test_discriminator(student: Subject, rng: Rng) -> None:
    """The discriminator gives a score for each image alone, a probability or a logit, that can become high and low."""
    # An image and its negative, each a few times, are as easy to tell apart as any.
    n = 12
    sign = np.tile(np.array([1, -1], dtype=np.float32), n // 2)
    images = sign[:, None, None, None] * (2 * rng.bits(1, 28, 28) - 1) + 0.1 * rng.normal(n, 1, 28, 28)
    got = student.run(probes.gan2018.discriminator, images=images.astype(np.float32), target=6 * sign)
    scores, driven = (got.tensor(name, shape=(n,)) for name in ("outputs", "driven"))
    _expect_network(got, scores, "discriminator")
    lines = got.tensor("lines", shape=(3 * (n - 1),))
    every = np.concatenate([scores, driven, lines])
    low, high = float(every.min()), float(every.max())
    reach = [-SCORE_REACH, SCORE_REACH]
    if low >= 0 and high <= 1:
        reach = [float(expit(score)) for score in reach]
        inside = np.clip(lines, 1e-7, 1 - 1e-7)
        lines = np.log(inside / (1 - inside))
    expect(
        float(driven.min()) <= reach[0] and float(driven.max()) >= reach[1],
        "scores are confined: end with a sigmoid, which gives probabilities, or with nothing, which gives logits",
        got=f"scores from {driven.min():.2f} to {driven.max():.2f} when trained towards ±6",
    )
    _expect_bent(lines, "discriminator")


@check("gan2018.generator_loss")
def test_generator_loss(student: Subject, data: DataSet, rng: Rng) -> None:
    """The generator minimises −E log D(G(z)), the non-saturating loss, and feels its gradient."""
    setting = _setting(data, rng)
    got = student.run(probes.gan2018.turn, **setting)
    step = observed(got, "generator", setting)
    expect(
        got["generator"]["reached"].flag("generator") or not step.real.any(),
        "the generator's optimiser steps after the discriminator's loss, which is about real images and does not "
        "reach the generator: each optimiser belongs to its own loss",
    )
    expect(
        got["generator"]["reached"].flag("generator"),
        "no gradient reaches the generator: its images are detached, or made under no_grad",
    )
    verdict, others = judge_generator(step), _labels(got, "discriminator", setting)
    if verdict.mistake is not None and others == "exchanged":
        verdict = judge_generator(step, exchanged=True)
    _expect_loss(step, verdict)
    expect(
        verdict.labels != "exchanged" or others == "exchanged",
        "the generator is rewarded when the discriminator recognises its images: label them real here, or exchange the "
        "labels in both losses",
    )


@check("gan2018.discriminator_loss")
def test_discriminator_loss(student: Subject, data: DataSet, rng: Rng) -> None:
    """The discriminator minimises −E log D(x) − E log(1 − D(G(z))), and feels its gradient."""
    setting = _setting(data, rng)
    got = student.run(probes.gan2018.turn, **setting)
    step = observed(got, "discriminator", setting)
    expect(
        got["discriminator"]["reached"].flag("discriminator"),
        "no gradient reaches the discriminator: its scores are detached or computed under no_grad",
    )
    expect(
        bool(step.real.any()) or judge_generator(step).mistake is not None,
        "the discriminator's optimiser steps after the generator's loss: each optimiser belongs to its own loss",
    )
    verdict = judge_discriminator(step)
    _expect_loss(step, verdict)
    expect(
        verdict.labels != "exchanged" or _labels(got, "generator", setting) != "usual",
        "labels are exchanged here (real 0, fake 1), and not in the generator's loss: both have to agree",
    )


@check("gan2018.noise")
def test_noise(student: Subject, data: DataSet, rng: Rng) -> None:
    """Both networks are trained on images of latents of their own, drawn from N(0, I)."""
    got = student.run(probes.gan2018.turn, **_setting(data, rng))
    made = next((got[name] for name in ("generator", "discriminator") if not got.is_none(name)), None)
    expect(made is not None, "neither optimiser's step() is ever called in train")
    assert made is not None
    latents = made.tensor("latents", shape=(UpTo(MOST_ROWS), LATENTS))
    expect(len(latents) >= BATCH, "the generator is not given a latent for each image", got=f"{len(latents)} latents")
    # The same latents may be decoded twice, once for each network.
    turns = [latents[start : start + BATCH] for start in range(0, len(latents) - BATCH + 1, BATCH)][:MOST_TURNS]
    expect(
        all(len(np.unique(turn, axis=0)) > 1 for turn in turns),
        "all images of a batch are made of the same z: draw one for each of them",
    )
    problem = NOISE.problem(turns[0])
    expect(problem is None, f"z is not drawn from N(0, I): {problem}")


@check("gan2018.noise")
def test_noise_of_every_batch(student: Subject, data: DataSet, rng: Rng) -> None:
    """Every batch has latents of its own."""
    setting = _setting(data, rng)
    images, labels = setting["images"], setting["labels"]
    got = student.run(probes.gan2018.latents_of_batches, images=images, labels=labels, batch_size=BATCH // 4)
    earlier: set[bytes] = set()
    for index, batch in enumerate(got.list()):
        drawn = {row.tobytes() for row in batch.tensor(shape=(UpTo(MOST_ROWS), LATENTS))}
        expect(
            not drawn & earlier,
            "latents of an earlier batch are used again: draw z within the loop over the batches, anew for each",
            got=f"{len(drawn & earlier)} of {len(drawn)} latents of batch {index + 1}",
        )
        earlier |= drawn


@check("gan2018.alternation")
def test_alternation(student: Subject, data: DataSet, rng: Rng) -> None:
    """Each optimiser moves its own network, by the gradients of that network's own loss, and both take turns."""
    setting = _setting(data, rng)
    images, labels = setting["images"], setting["labels"]
    got = student.run(probes.gan2018.loop, images=images, labels=labels, batch_size=BATCH // 4)
    steps = got.list(most=MOST_STEPS)
    expect(len(steps) > 0, "neither optimiser's step() is ever called in train")
    stepped = {"generator": False, "discriminator": False}
    for index, step in enumerate(steps):
        owner = _owner(step)
        change = step["moved"].number(owner)
        # A step by a gradient of zero is one: what is wrong is the loss, which has a check of its own.
        stepped[owner] |= change > 0 or step.integer("losses") > 0
        if change == 0:
            expect(
                step.is_none("agreement"),
                f"update {index + 1} leaves the {owner} as it is, though its loss has a gradient: call zero_grad() "
                "before backward(), and not between backward() and step()",
            )
            continue
        expect(
            step.integer("losses") > 0,
            f"update {index + 1} moves the {owner} by old gradients: call backward() on its loss before each step()",
        )
        expect(
            not step.is_none("agreement"),
            f"update {index + 1} moves the {owner} after a loss that gives it no gradient: each optimiser steps after "
            "its own network's loss",
        )
        agreement = step.number("agreement", finite=False)
        expect(
            agreement >= ALIGNED,
            f"update {index + 1} moves the {owner} by other gradients than those of its own loss: those of the other "
            "network's loss, or of an earlier batch, are still there. Call zero_grad() right before each backward()",
            expected="gradients along those of its own loss (cosine 1)",
            got=f"cosine {agreement:.3f}",
        )
    for name, done in stepped.items():
        expect(done, f"the {name} is never updated: call step() of its optimiser after backward() on its loss")


@check("gan2018.interpolation")
def test_interpolation(student: Subject) -> None:
    """Interpolations: nine images in even steps along the straight line between two draws of z, both ends included."""
    got = student.run(probes.gan2018.interpolate, calls=WALKS)
    latents = got.tensor("latents", shape=(UpTo(MOST_ROWS), LATENTS))
    expect(
        len(latents) >= STEPS and len(latents) % STEPS == 0,
        "an interpolation of 7 steps has 9 images, with both ends",
        expected="9 latents a strip",
        got=f"{len(latents)} latents",
    )
    strips = latents.reshape(-1, STEPS, LATENTS)
    ends = np.unique(
        got.tensor("ends", shape=(UpTo(WALKS), 2, LATENTS)), axis=0
    )  # a walk may be the same in every call
    expect(len(ends) > 0, "the interpolation was not called as often as it should")
    problem = line_problem(strips) or ends_problem(ends[:, 0], ends[:, 1], ENDS.alpha)
    expect(problem is None, problem or "")


# What a turn shows


def observed(got: Evidence, name: str, setting: dict[str, Any]) -> Observed:
    """The first step of that network, as `adversarial` judges it. Raises Mismatch where there is none."""
    expect(not got.is_none(name), f"the {name} is never updated: call step() of its optimiser")
    step = got[name]
    expect(step["loss"].shape() == (1,), "a step is made without backward() on any loss", got="no loss")
    rows = step.tensor("rows", shape=(UpTo(MOST_ROWS), PIXELS))
    scores, gradients, places = (step.tensor(key, shape=(len(rows),)) for key in ("scores", "gradients", "places"))
    expect(len(rows) > 0, f"the {name}'s loss does not depend on what the discriminator says")
    injected, bounded = setting["scores"].astype(np.float64), step.flag("bounded")
    injected = expit(injected) if bounded else injected
    expect(
        bool(np.all((places >= 0) & (places < len(injected)))),
        "the discriminator is asked about too many images at once",
    )
    expect(
        np.allclose(scores, injected[places.astype(np.int64)], atol=1e-3),
        "the scores are not those that the discriminator gave",
    )
    images = setting["images"]
    real = images.reshape(len(images), PIXELS).astype(np.float64)
    from_real, from_fake = sources(rows, real, step.tensor("decoded", shape=(UpTo(MOST_ROWS), PIXELS)))
    if bounded:
        # Probabilities are right, so that a loss which takes them for logits is not: judge by the logits behind them.
        p = np.clip(scores, 1e-7, 1 - 1e-7)
        scores, gradients = np.log(p / (1 - p)), gradients * p * (1 - p)
    return Observed(step.number("loss"), scores, gradients, from_fake, from_real)


def _labels(got: Evidence, name: str, setting: dict[str, Any]) -> str:
    """Which labels that network's loss uses, where that can be told; what is wrong with it is for its own check."""
    try:
        step = observed(got, name, setting)
    except Mismatch:
        return "unknown"
    verdict = judge_generator(step) if name == "generator" else judge_discriminator(step)
    return verdict.labels if verdict.mistake is None else "unknown"


def _setting(data: DataSet, rng: Rng) -> dict[str, Any]:
    """A batch of real images in [−1, 1], and a score for each row that a turn may ask about."""
    chosen = rng.choice(len(data.train), BATCH)
    images = (data.train.images[chosen].astype(np.float32) / 127.5 - 1)[:, None]
    return {"images": images, "labels": data.train.labels[chosen], "scores": 2 * rng.normal(16 * BATCH) + 0.5}


def _expect_loss(step: Observed, verdict: Verdict) -> None:
    if verdict.mistake is not None:
        wanted = None if verdict.expected is None else f"{verdict.expected:.4f}"
        reason = f": {verdict.mistake}" if verdict.mistake else ""
        fail(f"the loss is not right{reason}", expected=wanted, got=f"{step.loss:.4f}")


def _owner(step: Evidence) -> str:
    holds = [name.text() for name in step.list("holds")]
    expect(len(holds) > 0, "an optimiser holds the parameters of neither network")
    expect(len(holds) < 2, "an optimiser holds the parameters of both networks, and moves both by one loss")
    return holds[0]


def _expect_network(got: Evidence, outputs: Array, name: str) -> None:
    expect(
        got.integer("unregistered") == 0,
        f"some layers of the {name} are hidden from parameters(): use nn.ModuleList or nn.Sequential, and no list",
    )
    unreached = got.text("unreached")
    expect(unreached == "", f"the {name}'s parameter {unreached[:80]} takes no part in what it computes")
    expect(bool(np.ptp(outputs, axis=0).max() > 0), f"the {name} gives the same, whatever it is given")
    hint = "in eval mode, dropout has to rest: use the module nn.Dropout"
    assert_close(
        got.tensor("again", shape=outputs.shape), outputs, rtol=1e-3, atol=1e-4, what="the same once more", hint=hint
    )
    hint = "in eval mode, it changes with what else is in the batch"
    alone = got.tensor("alone", shape=(1, *outputs.shape[1:]))
    assert_close(alone, outputs[:1], rtol=1e-3, atol=1e-4, what="what is given for the first row alone", hint=hint)


def _expect_bent(lines: Array, name: str) -> None:
    """Outputs for the beginnings, the middles and the ends of some lines lie on no lines, if there are activations."""
    first, middle, last = lines.reshape(3, -1)
    scale = max(float(np.abs(first - last).max()), 1e-30)
    expect(
        float(np.abs(middle - (first + last) / 2).max()) > STRAIGHT * scale,
        f"the {name} is linear, however many layers it has: there should be an activation function between the layers",
    )
