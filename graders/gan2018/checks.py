"""Checks of a GAN that consists of two networks and a function that trains both, for any shape of images and scores.

Known scores replace those of the discriminator, and the host computes the losses again from them;
`graders.common.gan_losses` says which losses are right. Left open by the hand-out, and decided for the student:
- images may be flat or square, and scores probabilities or logits of any shape with one number for each image;
- a step may have several losses, each with its own call of `backward`; their sum is then judged;
- two losses that are both summed over the batch are one mistake, which the check of the generator's loss is about;
- either network may go first, and either may be trained more often;
- an interpolation may be any function or method with that word in its name; if only the script draws it, a person looks
  at the report. The assignment asks for nine images, both ends included.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, Final

import numpy as np
from scipy.special import expit

from gengrade.arrays import Array, Array32, Integers
from gengrade.data import DataSet
from gengrade.grading import Evidence, Mismatch, Passed, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.gan_losses import (
    MOST_DIRECTIONS,
    MOST_ROWS,
    Observed,
    Verdict,
    divided,
    excess,
    expect_no_excess,
    expect_passed_on,
    judge_discriminator,
    judge_generator,
    leave_to_generator,
    shared_excess,
    sources,
    too_few_fakes,
    unmet_images,
)
from graders.common.latents import ends_problem, line_problem
from graders.common.matching import expect_loader_shown
from graders.common.networks import SATURATED, expect_nonlinear, narrowest, vary
from graders.common.statistics import ALPHA, GaussianFit, Independence, TwoDraws, declare
from graders.gan2018.sizes import LATENTS, MOST_STEPS, WALKS
from graders.probing.sizes import PIXELS

BATCH: Final = 64
BATCHES: Final = 3  # batches of the loader that the training loop gets
REACH: Final = 0.9  # pixels must pass ±0.9 when they are trained towards ±3
SCORE_REACH: Final = 1.5  # logits must pass ±1.5 when trained towards ±6, and probabilities the sigmoid of that
ALIGNED: Final = 0.999  # least cosine between gradients that differ only by a factor
MOST_TURNS: Final = 16  # most groups of latents that are read per batch: one network may be trained more often
# Draws from N(0, I) have a spread of 1. The first and last of 7 steps between two draws have one of 0.88.
SPREAD_WITH_ENDS: Final = 0.94
STEPS: Final = 9  # images of an interpolation, both ends included

NOISE = declare("gan2018.noise", "the latents of a turn", GaussianFit(BATCH, LATENTS, ALPHA / 2))
# A pair of batches is only compared if the latents of a turn pass.
TURNS = declare("gan2018.noise", "the latents of two batches", Independence(BATCH * LATENTS, ALPHA / 6), cases=BATCHES)
ENDS = declare("gan2018.interpolation", "the latents of the ends of 40 walks", TwoDraws(WALKS * LATENTS, ALPHA))


@check("gan2018.generator")
def test_generator(student: Subject, rng: Rng) -> None:
    """The generator returns one image for each latent, with pixels in [−1, 1] that can come near both bounds."""
    n = 6
    target = 6 * rng.bits(n, PIXELS) - 3
    got = student.run(probes.gan2018.generator, z=rng.normal(n, LATENTS), target=target)
    images = got.tensor("outputs", shape=(n, PIXELS))
    _expect_network(got, images, "generator")
    driven = got.tensor("driven", shape=(2, n, PIXELS))
    pixels = np.concatenate([images, got.tensor("far", shape=(n, PIXELS)), *driven])
    low, high = float(pixels.min()), float(pixels.max())
    seen, wanted = f"pixels from {low:.2f} to {high:.2f}", "pixels in [−1, 1]"
    expect(
        low >= -1 - 1e-5 and high <= 1 + 1e-5, "pixels lie outside [−1, 1]: end with a tanh", expected=wanted, got=seen
    )
    expect(low < -1e-3, "pixels are never negative: end with a tanh, not a sigmoid", expected=wanted, got=seen)
    low, high = narrowest(driven)
    seen = f"pixels from {low:.2f} to {high:.2f} when trained"
    expect(low <= -REACH and high >= REACH, "pixels cannot come near −1 and 1", expected=wanted, got=seen)
    # The tanh is undone. Pixels that it has flattened carry no information, and are clipped.
    lines = np.arctanh(np.clip(got.tensor("lines", shape=(3 * (n - 1), PIXELS)), -SATURATED, SATURATED))
    expect_nonlinear([lines.reshape(3, -1)], "generator")


@check("gan2018.discriminator")
def test_discriminator(student: Subject, rng: Rng) -> None:
    """The discriminator returns one score for each image, a probability or a logit, which can be high and low."""
    # A few noisy copies of an image and of its negative are easy to tell apart.
    n = 12
    sign = np.tile(np.array([1, -1], dtype=np.float32), n // 2)
    images = sign[:, None, None, None] * (2 * rng.bits(1, 28, 28) - 1) + 0.1 * rng.normal(n, 1, 28, 28)
    got = student.run(probes.gan2018.discriminator, images=images.astype(np.float32), target=6 * sign)
    scores, driven = got.tensor("outputs", shape=(n,)), got.tensor("driven", shape=(2, n))
    _expect_network(got, scores, "discriminator")
    lines = got.tensor("lines", shape=(3 * (n - 1),))
    every = np.concatenate([scores, *driven, lines])
    low, high = float(every.min()), float(every.max())
    reach = [-SCORE_REACH, SCORE_REACH]
    if low >= 0 and high <= 1:
        reach = [float(expit(score)) for score in reach]
        inside = np.clip(lines, 1e-7, 1 - 1e-7)
        lines = np.log(inside / (1 - inside))
    low, high = narrowest(driven)
    expect(
        low <= reach[0] and high >= reach[1],
        "scores are confined to a smaller range: end with a sigmoid for probabilities, or with a linear layer for "
        "logits",
        got=f"scores from {low:.2f} to {high:.2f} when trained towards ±6",
    )
    expect_nonlinear([lines.reshape(3, -1)], "discriminator")


@check("gan2018.generator_loss")
def test_generator_loss(student: Subject, data: DataSet, rng: Rng) -> None:
    """The generator minimises the non-saturating loss −E log D(G(z)), and the gradient of the loss reaches it.

    Goodfellow et al. 2014, section 3.
    """
    setting = _setting(data, rng)
    got = student.run(probes.gan2018.turn, **setting)
    step = observed(got, "generator", setting)
    expect(
        got["generator"]["reached"].flag("generator") or not step.real.any(),
        "the generator's optimiser steps after backward() on the discriminator's loss, which depends on real images "
        "and has no gradient for the generator: each optimiser belongs to its own loss",
    )
    expect(
        got["generator"]["reached"].flag("generator"),
        "no gradient reaches the generator: its images are detached, or generated under no_grad",
    )
    expect_passed_on(student.run(probes.gan2018.passage, **setting).tensor(shape=(2, UpTo(MOST_DIRECTIONS))))
    verdict, others = judge_generator(step), _labels(got, "discriminator", setting)
    expect_no_excess(step, _other(got, "discriminator", setting))
    if verdict.mistake is not None and others == "exchanged":
        verdict = judge_generator(step, exchanged=True)
    _expect_loss(step, verdict)
    expect(
        verdict.labels != "exchanged" or others == "exchanged",
        "the generator's loss falls when the discriminator recognises generated images: label them real here, or "
        "exchange the labels in both losses",
    )


@check("gan2018.discriminator_loss", leaves_to=("gan2018.generator_loss",))
def test_discriminator_loss(student: Subject, data: DataSet, rng: Rng) -> None:
    """The discriminator minimises −E log D(x) − E log(1 − D(G(z))), and the gradient of the loss reaches it.

    Goodfellow et al. 2014, equation 1.
    """
    setting = _setting(data, rng)
    got = student.run(probes.gan2018.turn, **setting)
    step = observed(got, "discriminator", setting)
    expect(
        got["discriminator"]["reached"].flag("discriminator"),
        "no gradient reaches the discriminator: its scores are detached or computed under no_grad",
    )
    expect(
        bool(step.real.any()) or judge_generator(step).mistake is not None,
        "the discriminator's optimiser steps after backward() on the generator's loss: each optimiser belongs to its "
        "own loss",
    )
    factor = shared_excess(step, _other(got, "generator", setting))
    verdict = judge_discriminator(divided(step, factor or 1.0))
    _expect_loss(step, verdict)
    expect(
        verdict.labels != "exchanged" or _labels(got, "generator", setting) != "usual",
        "labels are exchanged here (real 0, fake 1), but not in the generator's loss: use the same labels in both",
    )
    leave_to_generator(step, factor, "gan2018.generator_loss")


@check("gan2018.noise")
def test_noise(student: Subject, data: DataSet, rng: Rng) -> None:
    """Both networks are trained on images from latents that are drawn from N(0, I), one latent for each image."""
    got = student.run(probes.gan2018.turn, **_setting(data, rng))
    made = next((got[name] for name in ("generator", "discriminator") if not got.is_none(name)), None)
    expect(made is not None, "neither optimiser's step() is ever called in train")
    assert made is not None
    latents = made.tensor("latents", shape=(UpTo(MOST_ROWS), LATENTS))
    expect(
        len(latents) >= BATCH,
        "the generator is given fewer latents than there are images in the batch",
        expected=f"{BATCH} latents",
        got=f"{len(latents)} latents",
    )
    # The same latents may be decoded twice, once for each network.
    turns = [latents[start : start + BATCH] for start in range(0, len(latents) - BATCH + 1, BATCH)][:MOST_TURNS]
    expect(
        all(len(np.unique(turn, axis=0)) > 1 for turn in turns),
        "all images of a batch come from the same z: draw one z for each image",
    )
    problem = NOISE.problem(turns[0])
    expect(problem is None, f"z is not drawn from N(0, I): {problem}")


@check("gan2018.noise")
def test_noise_of_every_batch(student: Subject, data: DataSet, rng: Rng) -> None:
    """New latents are drawn for every batch."""
    images, labels = _images(data, rng, BATCHES * BATCH)
    got = student.run(probes.gan2018.latents_of_batches, images=images, labels=labels, batch_size=BATCH)
    earlier: set[bytes] = set()
    batches = [batch.tensor(shape=(UpTo(MOST_ROWS), LATENTS)) for batch in got.list()]
    for index, batch in enumerate(batches):
        drawn = {row.tobytes() for row in batch}
        expect(
            not drawn & earlier,
            "latents of an earlier batch are used again: draw new z for each batch, within the loop over the batches",
            got=f"{len(drawn & earlier)} of {len(drawn)} latents of batch {index + 1}",
        )
        earlier |= drawn
    for one, other in combinations(batches[:BATCHES], 2):
        n = min(len(one), len(other), BATCH)  # further ones may be the same again, for the other network
        varied = n == BATCH and all(float(np.ptp(each[:n])) > 0 for each in (one, other))
        expect(
            not varied or TURNS.correlation(one[:n], other[:n]) is None,
            "the latents of two batches depend on each other: draw new z for each batch, within the loop over the "
            "batches",
        )


@check(
    "gan2018.alternation",
    leaves_to=("gan2018.generator_loss", "gan2018.discriminator_loss", "gan2018.discriminator"),
)
def test_alternation(student: Subject, data: DataSet, rng: Rng, passed: Passed) -> None:
    """Each optimiser updates its own network with the gradients of that network's own loss, and both are updated."""
    setting = _setting(data, rng)
    images, labels = _images(data, rng, BATCHES * BATCH)
    got = student.run(probes.gan2018.loop, images=images, labels=labels, batch_size=BATCH)
    steps = got.list("steps", most=MOST_STEPS)
    expect(len(steps) > 0, "neither optimiser's step() is ever called in train")
    expect(
        len(steps) >= BATCHES,
        "train ends an epoch too early: it should update the networks for each batch of the loader",
        expected=f"at least {BATCHES} updates for {BATCHES} batches",
        got=f"{len(steps)} updates",
    )
    stepped = {"generator": False, "discriminator": False}
    for number, step in enumerate(steps, 1):
        owner = _owner(step)
        # A step with a gradient of zero counts where the mistake is in the loss, or in constant scores.
        judged = passed(f"gan2018.{owner}_loss") and passed("gan2018.discriminator")
        excused = step.integer("losses") > 0 and not judged
        stepped[owner] |= step["moved"].number(owner) > 0 or excused
        _expect_own_gradients(step, number, owner)
    for name, done in stepped.items():
        expect(done, f"the {name} is never updated: call step() of its optimiser after backward() on its loss")

    def step_is_wrong() -> bool:
        if passed("gan2018.discriminator_loss"):
            return False
        turn = student.run(probes.gan2018.turn, **setting)
        return turn.is_none("discriminator") or _unmet(turn, setting)

    expect_loader_shown(
        got,
        images.reshape(-1, PIXELS).astype(np.float64),
        step_is_wrong,
        early="train ends an epoch too early: it should go through all batches of the loader",
        other="train does not show the discriminator the images of all batches of the loader",
    )


def _expect_own_gradients(step: Evidence, number: int, owner: str) -> None:
    """Fail an update of a network that does not follow the gradients of that network's own loss.

    Args:
        step: the evidence of the update.
        number: which update of the loop it is, from 1.
        owner: the network that the optimiser is for, "generator" or "discriminator".
    """
    if step["moved"].number(owner) == 0:
        expect(
            step.is_none("agreement"),
            f"update {number} does not change the {owner}, although its loss has a gradient: call zero_grad() before "
            "backward(), not between backward() and step()",
        )
        return
    expect(
        step.integer("losses") > 0,
        f"update {number} of the {owner} uses old gradients: call backward() on its loss before each step()",
    )
    expect(
        not step.is_none("agreement"),
        f"update {number} of the {owner} follows a loss that has no gradient for it: call step() of each optimiser "
        "after backward() on its own network's loss",
    )
    agreement = step.number("agreement", finite=False)
    expect(
        agreement >= ALIGNED,
        f"update {number} of the {owner} uses other gradients than those of its own loss: gradients of the other "
        "network's loss, or of an earlier batch, are still there. Call zero_grad() right before each backward()",
        expected="gradients in the direction of its own loss's (cosine 1)",
        got=f"cosine {agreement:.3f}",
    )


@check("gan2018.interpolation")
def test_interpolation(student: Subject) -> None:
    """An interpolation decodes nine evenly spaced latents on the straight line from one draw of z to another."""
    got = student.run(probes.gan2018.interpolate, calls=WALKS)
    latents = got.tensor("latents", shape=(UpTo(MOST_ROWS), LATENTS))
    expect(
        len(latents) >= STEPS and len(latents) % STEPS == 0,
        _too_few(got, len(latents)),
        expected="9 latents for each interpolation",
        got=f"{len(latents)} latents",
    )
    strips = latents.reshape(-1, STEPS, LATENTS)
    ends = np.unique(
        got.tensor("ends", shape=(UpTo(WALKS), 2, LATENTS)), axis=0
    )  # a walk may be the same in every call
    expect(len(ends) > 0, "the interpolation decodes no latents")
    problem = line_problem(strips) or ends_problem(ends[:, 0], ends[:, 1], ENDS.alpha)
    expect(problem is None, problem or "")


def _too_few(got: Evidence, images: int) -> str:
    """Say for the student what is wrong with an interpolation that has another number of images."""
    wanted = "an interpolation of 7 steps should have 9 images, both ends included"
    if images == 0:
        return f"{wanted}; yours decodes no latents, so decode them with the generator"
    ends = np.unique(got.tensor("ends", shape=(UpTo(WALKS), 2, LATENTS)), axis=0)
    with_ends = len(ends) > 0 and float(np.sqrt(np.mean(ends**2))) > SPREAD_WITH_ENDS
    return f"{wanted}; yours has {images}, with both ends" if images == STEPS - 2 and with_ends else wanted


# Reading the evidence of a turn


def observed(got: Evidence, name: str, setting: dict[str, Any]) -> Observed:
    """Return scores, gradients and loss of a network's first step, by logits, for `graders.common.gan_losses`.

    `name` is "generator" or "discriminator", and `setting` the inputs of the probe `turn`. Raises Mismatch if the
    network makes no step, or its loss does not depend on the discriminator's scores.
    """
    expect(not got.is_none(name), f"the {name} is never updated: call step() of its optimiser")
    step = got[name]
    expect(
        step["loss"].shape() == (1,),
        f"the {name}'s optimiser makes a step although backward() was called on no loss: call backward() before step()",
        got="no loss",
    )
    rows = step.tensor("rows", shape=(UpTo(MOST_ROWS), PIXELS))
    scores, gradients, places = (step.tensor(key, shape=(len(rows),)) for key in ("scores", "gradients", "places"))
    expect(len(rows) > 0, f"the {name}'s loss does not depend on the discriminator's scores")
    injected, bounded = setting["scores"].astype(np.float64), step.flag("bounded")
    injected = expit(injected) if bounded else injected
    expect(
        bool(np.all((places >= 0) & (places < len(injected)))),
        "the discriminator is called on too many images in one batch",
        expected=f"at most {len(injected)} images",
    )
    expect(
        np.allclose(scores, injected[places.astype(np.int64)], atol=1e-3),
        "the scores are not those that the discriminator returned",
    )
    images = setting["images"]
    real = images.reshape(len(images), PIXELS).astype(np.float64)
    fake = step.tensor("decoded", shape=(UpTo(MOST_ROWS), PIXELS))
    from_real, from_fake = sources(rows, real, fake)
    unmet, few = unmet_images(rows[from_real], real), too_few_fakes(rows[from_fake], fake, len(real))
    if bounded:
        # The scores are probabilities. In terms of their logits, a loss that takes them for logits is recognised.
        p = np.clip(scores, 1e-7, 1 - 1e-7)
        scores, gradients = np.log(p / (1 - p)), gradients * p * (1 - p)
    return Observed(step.number("loss"), scores, gradients, from_fake, from_real, unmet=unmet, few=few)


def _unmet(turn: Evidence, setting: dict[str, Any]) -> bool:
    """Return whether the discriminator's step on a single batch cannot be judged, or is not shown all of its images."""
    try:
        step = observed(turn, "discriminator", setting)
    except Mismatch:
        return True
    return step.unmet is not None


def _labels(got: Evidence, name: str, setting: dict[str, Any]) -> str:
    """Return the labels that a network's loss uses: "usual", "exchanged", or "unknown" if the loss is wrong."""
    try:
        step = observed(got, name, setting)
    except Mismatch:
        return "unknown"
    judge = judge_generator if name == "generator" else judge_discriminator
    verdict = judge(divided(step, excess(step, judge) or 1.0))
    return verdict.labels if verdict.mistake is None else "unknown"


def _other(got: Evidence, name: str, setting: dict[str, Any]) -> Observed | None:
    """Return a network's step if it can be judged (its own check says why not), else None."""
    try:
        return observed(got, name, setting)
    except Mismatch:
        return None


def _setting(data: DataSet, rng: Rng) -> dict[str, Any]:
    """Return a batch of real images in [−1, 1] with labels, and more scores than a turn asks the discriminator for."""
    images, labels = _images(data, rng, BATCH)
    return {"images": images, "labels": labels, "scores": 2 * rng.normal(16 * BATCH) + 0.5}


def _images(data: DataSet, rng: Rng, n: int) -> tuple[Array32, Integers]:
    """Return n random training images [n, 1, 28, 28] in [−1, 1], and their labels [n]."""
    chosen = rng.choice(len(data.train), n)
    return (data.train.images[chosen].astype(np.float32) / 127.5 - 1)[:, None], data.train.labels[chosen]


def _expect_loss(step: Observed, verdict: Verdict) -> None:
    if verdict.mistake is not None:
        wanted = None if verdict.expected is None else f"{verdict.expected:.4f}"
        reason = f": {verdict.mistake}" if verdict.mistake else ""
        fail(f"the loss is not right{reason}", expected=wanted, got=f"{step.loss:.4f}")


def _owner(step: Evidence) -> str:
    holds = [name.text() for name in step.list("holds")]
    expect(len(holds) > 0, "an optimiser holds the parameters of neither network")
    expect(len(holds) < 2, "an optimiser holds the parameters of both networks: each network needs its own optimiser")
    return holds[0]


def _expect_network(got: Evidence, outputs: Array, name: str) -> None:
    expect(
        got.integer("unregistered") == 0,
        f"some layers of the {name} are not among its parameters(), so no optimiser trains them: keep layers in "
        "nn.ModuleList or nn.Sequential",
    )
    expect(vary(outputs, got.tensor("lines")), f"the {name} returns the same output for every input")
    hint = "in eval mode, dropout must be off: use the module nn.Dropout"
    assert_close(
        got.tensor("again", shape=outputs.shape),
        outputs,
        rtol=1e-3,
        atol=1e-4,
        what=f"the {name}'s output for the same input again",
        hint=hint,
    )
    hint = "in eval mode, it must not depend on the other rows of the batch"
    alone = got.tensor("alone", shape=(1, *outputs.shape[1:]))
    what = f"the {name}'s output for the first row alone"
    assert_close(alone, outputs[:1], rtol=1e-3, atol=1e-4, what=what, hint=hint)
