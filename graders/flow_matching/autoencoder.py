"""Checks of the autoencoder of lab three of 2026, and of guidance in its latent space.

Left open by the hand-out, and decided for the student:
- the divergence and the reconstruction may each have any constant factor: a sum or a mean, with ½ or without;
- how blocks are made: a residual block adds to its input, and a block of attention lets all pixels see each other;
- logvar is one number, as a tensor of shape [] or [1];
- times are [B] or [B, 1, 1, 1], and the autoencoder may be asked by encode or as encoder;
- the latents are draws; their mean alone costs the points of a small check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gengrade.arrays import Array, Integers
from gengrade.grading import Evidence, Passed, Rng, Subject, check, expect, fail, not_asked, probes
from graders.common.networks import expect_nonlinear
from graders.common.statistics import ALPHA, GaussianFit, Independence, declare
from graders.flow_matching.changes import (
    are_equal,
    changed,
    line_of,
    on_a_line,
    outputs_of,
    passes_of,
    seed_of,
    shaped,
)
from graders.flow_matching.coins import Coins, judge_labels
from graders.flow_matching.guidance import CLASSES, ETAS, NULL_LABEL, judge_guided
from graders.flow_matching.losses import BOTH, LEAST_BATCH, MOST_CALLS, SMALL_BATCHES, Known, Times, last, sizes_of
from graders.flow_matching.trainable import judge_training

BLOCKS = "flow_matching.blocks"
LATENT, NOISE_ID = "flow_matching.latent_loss", "flow_matching.latent_noise"
WIDTHS: Final = (16, 32, 64, 128)  # the hand-out's numbers of channels
SIDE: Final = 32  # of an image
NARROW: Final = 32  # channels of a block on its own; norms may want groups of up to so many
FIELD: Final = 8  # side of its image
LATENTS: Final = (2, 2, 2)  # shape of a latent
NEAR: Final = 0.9  # correlation of latents with their means, which is 0.98 for the right noise
BETAS: Final = [0.3, 0.6]
CLOSE: Final = 2e-3  # relative tolerance on gradients

TIMES = Times.of(LATENT, ALPHA / 2)
COINS = Coins.of(LATENT, cases=2, alpha=ALPHA / 2)  # small batches and large ones
NOISE = declare(NOISE_ID, "(z − mean) / exp(logvar/2)", GaussianFit(SMALL_BATCHES * BOTH // 2, 8, ALPHA / 3), cases=2)
NOISE_OF_CALLS = declare(NOISE_ID, "the noise of two batches", Independence(8 * LEAST_BATCH, ALPHA / 3))


@check(BLOCKS)
def test_residual_block(student: Subject, rng: Rng) -> None:
    """ResidualBlock adds to its input: with all weights at zero, it gives what it takes."""
    x = rng.normal(1, 2, NARROW, FIELD, FIELD)
    outputs = shaped(
        passes_of(student.run, seed_of(rng), "ResidualBlock", {"channels": NARROW}, weights="zero", x=x),
        x.shape[1:],
        "its output",
    )
    expect(are_equal(outputs, x.astype(np.float64)), "a ResidualBlock does not add its input to what it computes")
    line = on_a_line({"x": x}, 2 * rng.normal(*x.shape[1:]))
    got = passes_of(student.run, seed_of(rng), "ResidualBlock", {"channels": NARROW}, **line)
    expect_nonlinear([line_of(shaped(got, x.shape[1:], "its output"))], "ResidualBlock")
    judge_training(student, seed_of(rng), "ResidualBlock", {"channels": NARROW}, use=True, x=x[0])


@check(BLOCKS)
def test_attention_block(student: Subject, rng: Rng) -> None:
    """AttnBlock keeps the shape of an image, and lets each pixel depend on pixels far away."""
    x = rng.normal(2, NARROW, FIELD, FIELD)
    moved = x.copy()
    moved[0, :, 0, 0] += 3 * rng.normal(NARROW)
    turned = x.swapaxes(2, 3)
    got = passes_of(student.run, seed_of(rng), "AttnBlock", {"channels": NARROW}, x=np.stack([x, moved, turned]))
    outputs = shaped(got, x.shape, "the output of an AttnBlock")
    felt = changed(outputs.transpose(0, 1, 3, 4, 2), 3)[0]
    far = felt[0, FIELD // 2 :, FIELD // 2 :]  # to some of them a softmax may give no weight, up to rounding
    expect(bool(far.any()), "a pixel does not depend on the pixel in the other corner: attend to all of them")
    expect(not felt[1].any(), "an image depends on the other images of the batch")
    expect(
        are_equal(outputs[2], outputs[0].swapaxes(2, 3)),
        "pixels in another order should give the same outputs in that order: flatten and transpose, do not reshape",
    )
    judge_training(student, seed_of(rng), "AttnBlock", {"channels": NARROW}, x=x)


@check(BLOCKS)
def test_blocks_that_change_the_size(student: Subject, rng: Rng) -> None:
    """EncoderBlock halves an image and DecoderBlock doubles it, where they are given other channels to make of it."""
    x = rng.normal(1, 2, NARROW, FIELD, FIELD)
    for name, channels, side in (
        ("EncoderBlock", "downsample_channels", FIELD // 2),
        ("DecoderBlock", "upsample_channels", 2 * FIELD),
    ):
        plain = passes_of(student.run, seed_of(rng), name, {"in_channels": NARROW}, x=x)
        shaped(plain, x.shape[1:], f"the output of {name}(channels)")
        other = passes_of(student.run, seed_of(rng), name, {"in_channels": NARROW, channels: 2 * NARROW}, x=x)
        shaped(other, (2, 2 * NARROW, side, side), f"the output of {name} with {channels}")
        judge_training(student, seed_of(rng), name, {"in_channels": NARROW, channels: 2 * NARROW}, x=x[0])


@check("flow_matching.coders", leaves_to=(BLOCKS,))
def test_encoder_and_decoder(student: Subject, rng: Rng, passed: Passed) -> None:
    """Encoder makes a mean [B, 128, 4, 4] of images [B, 1, 32, 32], and Decoder the other way; both give a logvar."""
    deepest = (2, WIDTHS[-1], SIDE // 8, SIDE // 8)
    for name, channels, widths, taken, given in (
        ("Encoder", "in_channels", WIDTHS, (2, 1, SIDE, SIDE), deepest),
        ("Decoder", "out_channels", WIDTHS[::-1], deepest, (2, 1, SIDE, SIDE)),
    ):
        x = rng.normal(*taken)
        moved = x.copy()
        moved[0] += rng.normal(*taken[1:])
        settings: dict[str, Any] = {channels: 1, "hidden_channels": list(widths)}
        got = passes_of(student.run, seed_of(rng), name, settings, x=np.stack([x, moved]))
        if not passed(BLOCKS):
            not_asked("a block is wrong on its own", unless=(BLOCKS,))
        outputs = shaped(got, given, f"the mean that {name} gives")
        felt = changed(outputs, 1)[0]
        expect(bool(felt[0]) and not felt[1], f"the mean that {name} gives depends on other things than its own input")
        logvar = outputs_of(got, 1)
        expect(
            logvar[0].size == 1,
            f"{name} should return one number as logvar, beside the mean",
            expected="shape []",
            got=f"shape {list(logvar.shape[1:])}",
        )
        judge_training(student, seed_of(rng), name, settings, x=x)


@check("flow_matching.vae_loss")
def test_loss_of_the_autoencoder(student: Subject, rng: Rng) -> None:
    """compute_loss is β times the divergence from N(0, I), plus the reconstruction by a Gaussian of its own variance.

    Up to a factor each: Σ μ² + e^v − v − 1 over the latents, and Σ (x − x̂)²/e^w + w over the pixels. Both are judged by
    their gradients. Kingma & Welling 2014, appendix B.
    """
    z_mean, x_mean, x_true = rng.normal(3, 4, 2, 2), rng.normal(3, 1, 8, 8), rng.normal(3, 1, 8, 8)
    z_logvar, x_logvar = (float(rng.uniform(low, high, 1)[0]) for low, high in ((0.4, 0.9), (-0.9, -0.3)))
    numbers = {"z_mean": z_mean, "z_logvar": z_logvar, "x_mean": x_mean, "x_logvar": x_logvar, "x_true": x_true}
    got = student.run(probes.flow_matching.network.vae_loss, betas=BETAS, **numbers)
    first, second = got.list("gradients", exactly=len(BETAS))
    of_mean, of_spread = first.tensor("z_mean", shape=z_mean.shape), first.number("z_logvar")
    factor = _factor(of_mean, z_mean.astype(np.float64), "the divergence", "μ² of each latent")
    expect(factor > 0, "the divergence is subtracted, so that training drives latents away from the prior")
    _expect_near(of_spread, factor * z_mean.size / 2 * np.expm1(z_logvar), "the divergence", "e^v − v for each latent")
    residuals = (x_mean - x_true).astype(np.float64)
    of_image, of_noise = first.tensor("x_mean", shape=x_mean.shape), first.number("x_logvar")
    weight = _factor(of_image, residuals, "the reconstruction", "(x − x̂)² of each pixel")
    expect(
        not np.isclose(weight, 0) and weight > 0,
        "the loss does not get smaller when the reconstruction comes nearer to the image",
    )
    right = weight / 2 * float(np.exp(x_logvar)) * (residuals.size - (residuals**2).sum() / float(np.exp(x_logvar)))
    _expect_near(of_noise, right, "the reconstruction", "(x − x̂)²/e^w + w for each pixel, not for each latent")
    _judge_beta(first, second, z_mean.shape, x_mean.shape)


def _judge_beta(first: Evidence, second: Evidence, latents: tuple[int, ...], pixels: tuple[int, ...]) -> None:
    """Fail unless the divergence alone is multiplied by β, whose second value is twice the first."""
    codes = [each.tensor("z_mean", shape=latents) for each in (first, second)]
    images = [each.tensor("x_mean", shape=pixels) for each in (first, second)]
    expect(are_equal(codes[1], 2 * codes[0]), "the divergence is not multiplied by self.beta")
    expect(
        are_equal(images[1], images[0]), "the reconstruction is multiplied by self.beta: only the divergence should be"
    )


def _factor(gradient: Array, right: Array, what: str, term: str) -> float:
    """Return the factor of a gradient that is a multiple of the right one. Raises Mismatch if it is none."""
    factor = float((gradient * right).sum() / (right**2).sum())
    expect(bool(np.abs(gradient).max() > 0), f"{what} is missing in the loss: it has no term in {term}")
    away = float(np.abs(gradient - factor * right).max() / np.abs(gradient).max())
    expect(away < CLOSE, f"{what} does not grow with {term}", got=f"a gradient that is off by {away:.0%}")
    return factor


def _expect_near(found: float, right: float, what: str, term: str) -> None:
    expect(
        abs(found - right) <= 5 * CLOSE * max(abs(right), 1e-9),
        f"{what} has the wrong dependence on logvar: it is {term}, with the factor of the squares",
        expected=f"a gradient of {right:.4g}",
        got=f"{found:.4g}",
    )


@check(LATENT)
def test_loss_on_latents(student: Subject, rng: Rng) -> None:
    """The loss on latents is that of guidance, for latents that the autoencoder makes of images, without gradients.

    Rombach et al. 2022, section 3.2; Ho & Salimans 2022, algorithm 1.
    """
    asked = _latent(student, rng)
    sources = [_judge_latents(call.got, call.known, call.images) for call in asked.calls]
    means = np.concatenate([call.known.data.astype(np.float64).ravel() for call in asked.calls])
    latents = np.concatenate([each.ravel() for each in sources])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        follows = float(np.corrcoef(means, latents)[0, 1]) > NEAR
    expect(follows, "the path is not given the latents of the images: z is drawn from N(mean, exp(logvar))")
    judge_guided([(call.got, call.known) for call in asked.calls], TIMES, plain=True, sources=sources)
    given = [last(call.got, "model")["labels"] for call in asked.calls]
    large, again, *small = judge_labels(given, [call.labels for call in asked.calls], NULL_LABEL)
    for group in ([large, again], small):
        COINS.judge(group, asked.eta)


def _judge_latents(got: Evidence, known: Known, images: Array) -> Array:
    """Fail unless the autoencoder was given the images that were drawn; return the latents that the path was given."""
    n, asked = len(images), [each.integer() for each in got.list("asked", most=MOST_CALLS)]
    expect(asked[-1:] == [n], "the loss does not draw batch_size images: images, labels = self.mnist.sample(…)")
    encoded = got.list("encoded")
    expect(bool(encoded), "the loss never asks the autoencoder for the latents of the images: self.vae.encode(images)")
    shown = encoded[0].tensor(finite=False)
    expect(
        any(are_equal(shown, np.roll(images, calls, axis=0)) for calls in range(len(asked))),
        "the autoencoder is not given the images that were drawn",
    )
    expect(not got.flag("through"), "gradients flow into the autoencoder, which is not trained here: use torch.no_grad")
    expect(bool(got.list("path")), "the loss never calls self.path.sample_conditional_path")
    return last(got, "path").tensor("points", shape=known.data.shape)


@check(NOISE_ID, leaves_to=(LATENT,))
def test_latents_are_draws(student: Subject, rng: Rng, passed: Passed) -> None:
    """The latents are draws from N(mean, exp(logvar)), with new noise for each number."""
    asked = _latent(student, rng)
    if not passed(LATENT):
        not_asked("the loss is wrong otherwise", unless=(LATENT,))
    large, again, *small = (call.noise(asked.logvar) for call in asked.calls)
    expect(float(np.abs(large).max()) > 1e-3, "the latents are the means: add exp(logvar/2) · ε, ε from randn_like")
    for noise in (large, np.concatenate(small)):
        problem = NOISE.problem(noise)
        expect(problem is None, f"(z − mean)/exp(logvar/2) is not drawn from N(0, I): {problem}")
    correlation = NOISE_OF_CALLS.correlation(large, again)
    if correlation is not None:
        fail(
            "two batches of latents have the same noise: draw new noise for each, and do not set the seed in "
            "get_train_loss",
            got=f"a correlation of {correlation:.3f}",
        )


@dataclass(frozen=True)
class _Call:
    """A loss on latents: its evidence, the numbers of path and model, the images, and their labels."""

    got: Evidence
    known: Known
    images: Array
    labels: Integers

    def noise(self, logvar: float) -> Array:
        """Return the noise [B, d] of the latents, in standard deviations."""
        latents = last(self.got, "path").tensor("points", shape=self.known.data.shape)
        return np.asarray((latents - self.known.data) / np.exp(logvar / 2)).reshape(len(latents), -1)


@dataclass(frozen=True)
class _Asked:
    """The losses of one trainer, the logarithm of the latents' variance, and the probability of dropping a label."""

    calls: list[_Call]
    logvar: float
    eta: float


def _latent(student: Subject, rng: Rng) -> _Asked:
    """Return the losses on latents for batches of the sizes of `sizes_of`."""
    sizes = sizes_of(rng)
    known, images = Known.random(rng, max(sizes), *LATENTS), rng.normal(max(sizes), 1, 4, 4)
    labels = rng.integers(0, CLASSES, max(sizes))
    # Neither 0, nor a number for which exp(logvar) and exp(logvar/2) are alike.
    logvar = float(rng.uniform(-1.4, -0.8, 1)[0])
    eta = float(rng.uniform(*list(ETAS.values())[rng.integer(0, len(ETAS))], 1)[0])
    inputs: dict[str, Any] = {"x": known.drawn, "field": known.targets["field"], "outputs": known.outputs}
    inputs |= {"images": images, "mean": known.data, "logvar": logvar, "labels": labels}
    got = student.run(probes.flow_matching.network.latent, **inputs, eta=eta, null_label=NULL_LABEL, sizes=sizes)
    calls = [
        _Call(each, known.first(n), images[:n].astype(np.float64), labels[:n])
        for each, n in zip(got.list("calls", exactly=len(sizes)), sizes, strict=True)
    ]
    return _Asked(calls, logvar, eta)
