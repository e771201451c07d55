"""Checks of a VAE for images with 16 grey levels: a decoder with a logit for each level of each pixel, and its loss.

p(x|z) is a product of categorical distributions, so −log p(x|z) is the cross-entropy of the logits and the levels,
summed over the pixels of an image. Where the assignment is silent, the student is free: the logits of a pixel may be
shifted by any number, as a log-softmax does, or a subtraction of the largest, which does not change the cross-entropy.
A decoder that returns probabilities fails `vae.levels`, and so does one whose last layer is followed by an activation.

A mistake in the divergence, in the draw or in the bits per dimension is judged by the check of that function.
`vae.level_loss` judges what `forward` makes of them: its numbers may follow from the right formulas, or from those of
the student's own functions whose checks did not pass.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest
from scipy.special import expit, log_softmax, logsumexp, softmax

from gengrade.arrays import Array, Array32, Integers
from gengrade.data import DataSet
from gengrade.grading import Evidence, Passed, Rng, Subject, UpTo, check, expect, not_asked, probes
from graders.common.bernoulli import gaussian_kl
from graders.common.networks import expect_slopes, narrowest
from graders.common.statistics import ALPHA, GaussianFit, declare
from graders.probing.sizes import PIXELS
from graders.vae.checks import (
    EITHER_SIGN,
    INJECTED,
    PARTS,
    POSITIVE,
    code_of,
    judge_average,
    judge_gradients,
    judge_latents,
    judge_parts,
    judge_scalar,
)
from graders.vae.networks import judge_network, judge_range, reached
from graders.vae.sizes import MOST_NETWORKS

LEVELS: Final = 16
BATCH: Final = 256  # least number of images in one pass
Z_DIM: Final = 20
MOST_DRAWS: Final = 20  # most draws of z per image in one pass: each gives 3 million logits
# A tanh before a shift keeps the distance from the mean over the levels below 2 · 15/16, so this is out of its reach.
FARTHEST: Final = 2.0
TRAINED: Final = 4  # latents for which decoders are trained towards given logits
AXES: Final = {0: "the batch", 2: "the rows", 3: "the columns"}
LATENTS = declare("vae.level_loss", "z in units of exp(log_std)", GaussianFit(BATCH, Z_DIM, ALPHA / 2), cases=2)


@check("vae.levels")
def test_decoder_of_levels(student: Subject, rng: Rng) -> None:
    """The decoder gives 16 logits for each pixel, one for each level of a 4-bit image."""
    z, settings = rng.normal(5, 7), {"num_input_channels": LEVELS, "num_filters": 8, "z_dim": 7}
    got = student.run(probes.vae.network, which="cnn_decoder", x=z, settings=settings)
    (logits,) = judge_network(got, ["logits"], (len(z), LEVELS, 28, 28), settings)
    expect_no_softmax(logits)


@check("vae.levels")
def test_gradients_of_levels(student: Subject, rng: Rng) -> None:
    """The gradients of the decoder's logits are their derivatives, with respect to its weights and to the latents."""
    asked = {"which": "cnn_decoder", "settings": {"num_input_channels": LEVELS, "num_filters": 6, "z_dim": 8}}
    z = rng.normal(rng.integer(4, 8), 8)
    expect_slopes(student.run(probes.vae.slopes, x=z, **asked), "the logits with respect to the decoder's weights")
    expect_slopes(student.run(probes.vae.slopes_of_input, x=z, **asked), "the logits with respect to the latents")


def expect_no_softmax(logits: Array) -> None:
    """Fail outputs [B, L, H, W] that are not negative and add up to 1 over an axis."""
    if logits.min() < 0:
        return
    alike = {axis: float(np.abs(logits.sum(axis=axis) - 1).max()) <= INJECTED for axis in range(logits.ndim)}
    expect(
        not alike[1],
        "the decoder ends in a softmax: return logits, since cross_entropy applies the softmax itself",
        expected="logits, of any size and sign",
        got="numbers that add up to 1 at each pixel",
    )
    wrong = next((name for axis, name in AXES.items() if alike[axis]), None)
    expect(
        wrong is None,
        f"the decoder ends in a softmax, and over {wrong}, not over the levels: return logits, since cross_entropy "
        "applies the softmax itself, over the 16 levels of each pixel",
        expected="logits, of any size and sign",
        got=f"numbers that add up to 1 over {wrong}",
    )


@check("vae.levels")
def test_range_of_levels(student: Subject, rng: Rng) -> None:
    """The decoder's logits can take any value: no activation follows its last layer."""
    settings = {"num_input_channels": LEVELS, "num_filters": 6, "z_dim": 8}
    z = rng.normal(TRAINED, settings["z_dim"])
    trained = student.run(
        probes.vae.reach, which="cnn_decoder", x=z, target=pattern(len(z)), settings=settings, levels=LEVELS
    )
    lowest, highest = reached(trained, pattern(len(z)))
    free = [not shifted for shifted in are_shifted(trained)]  # in training mode and in eval mode
    if not any(free):
        not_asked("the logits of a pixel are normalised, as by a log-softmax, so only their distances are judged")
    judge_range("the logits", lowest[free], highest[free])


@check("vae.levels")
def test_distances_of_levels(student: Subject, rng: Rng) -> None:
    """A pixel's logits can be as far apart as they need to be, also where they are normalised."""
    settings = {"num_input_channels": LEVELS, "num_filters": 6, "z_dim": 8}
    z, target = rng.normal(TRAINED, settings["z_dim"]), pattern(TRAINED)
    trained = student.run(
        probes.vae.reach, which="cnn_decoder", x=z, target=target, settings=settings, levels=LEVELS, apart=True
    )
    lowest, highest = reached(trained, target)
    far = min(narrowest(highest)[1], -narrowest(lowest)[0])
    expect(
        far > FARTHEST,
        "the logits of a pixel cannot be far apart, whatever the weights, so that no level can be certain: use no "
        "activation on the output layer",
        expected=f"logits that differ by more than {FARTHEST:g} from their mean over the levels",
        got=f"{far:.3g}",
    )


def pattern(rows: int) -> Array32:
    """Return logits [rows, 16 · 784] that are 3 for every second level, and −3 for the others."""
    signs = np.where(np.arange(LEVELS) % 2 == 0, 3.0, -3.0).astype(np.float32)
    return np.tile(np.repeat(signs, PIXELS), (rows, 1))


def are_shifted(trained: Evidence) -> list[bool]:
    """Return whether new decoders' logits are normalised, or have 0 as their largest at each pixel, in any mode."""
    starts = trained.tensor("starts", shape=(2, UpTo(MOST_NETWORKS), UpTo(MOST_NETWORKS), LEVELS * PIXELS))
    found = []
    for logits in starts.reshape(*starts.shape[:3], LEVELS, PIXELS):
        known = (logsumexp(np.clip(logits, -1e6, 1e6), axis=2), logits.max(axis=2))
        varied = bool(np.ptp(logits, axis=2).max(initial=0.0) > 0)
        found.append(varied and any(bool((np.abs(each) < INJECTED).all()) for each in known))
    return found


@check("vae.level_loss", leaves_to=PARTS)
@pytest.mark.parametrize("log_stds", [EITHER_SIGN, POSITIVE], ids=["log_std of either sign", "positive log_std"])
def test_loss_of_levels(
    student: Subject, data: DataSet, rng: Rng, passed: Passed, log_stds: tuple[float, float]
) -> None:
    """VAE.forward returns the right L_rec, L_reg and bpd for images with levels 0 … 15.

    The networks' outputs are replaced by known ones: mean by draws from N(0, 1), log_std by U(−1.5, 0.5) or by
    positive numbers, and the logits by U(−2, 2), plus 2 at its level.
    """
    n = rng.integer(BATCH, BATCH + 64)
    images, injected = levels_of(data, rng, n)
    code = np.stack([rng.normal(n, Z_DIM), rng.uniform(*log_stds, n, Z_DIM)])
    settings = {"num_filters": 4, "z_dim": Z_DIM}
    got = student.run(probes.vae.loss, images=images, code=code, logits=injected, settings=settings)
    mean, log_std = code_of(got, code)
    z = got.tensor("z", shape=(UpTo(MOST_DRAWS), n, Z_DIM))
    judge_latents(got, z, [mean, log_std], LATENTS, passed)
    _judge_level_losses(got, images, injected, [mean, log_std], passed)


@check("vae.level_loss", leaves_to=PARTS)
def test_loss_of_levels_in_eval_mode(student: Subject, data: DataSet, rng: Rng, passed: Passed) -> None:
    """VAE.forward returns the right losses in eval mode, too, where it may decode the mean in place of a draw."""
    n = rng.integer(BATCH, BATCH + 64)
    images, injected = levels_of(data, rng, n)
    code = np.stack([rng.normal(n, Z_DIM), rng.uniform(-1.5, 0.5, n, Z_DIM)])
    settings = {"num_filters": 4, "z_dim": Z_DIM}
    got = student.run(probes.vae.loss, images=images, code=code, logits=injected, settings=settings, training=False)
    _judge_level_losses(got, images, injected, code_of(got, code), passed)


def _judge_level_losses(got: Evidence, images: Integers, injected: Array32, code: list[Array], passed: Passed) -> None:
    """Fail a pass whose losses do not follow from the injected logits and the code, mean and log_std."""
    mean, log_std = code
    given = judge_outputs(got, injected)
    candidates = [given]
    if given.min() >= 0 and np.allclose(given.sum(axis=2), 1, atol=INJECTED):  # which fails `vae.levels`
        candidates.append(np.log(np.maximum(given, np.finfo(np.float32).tiny)))
    losses = [
        float(np.mean([level_losses(images[:, 0], each).mean() for each in candidate])) for candidate in candidates
    ]
    reg = float(gaussian_kl(mean, log_std).mean())
    claimed = {name: judge_scalar(got, name) for name in ("rec", "reg", "bpd")}
    rec = min(losses, key=lambda loss: abs(loss - claimed["rec"]))
    what = "L_rec: the cross-entropy of the 16 logits and the level, summed over pixels"
    twice = float(np.mean([level_losses(images[:, 0], softmax(each, axis=1)).mean() for each in given]))
    words = "it is that of a softmax of a softmax: give cross_entropy the logits, since it applies the softmax"
    slips = {words: twice, f"{words}; and sum over the pixels": twice / PIXELS}
    judge_average(claimed["rec"], rec, what, PIXELS, len(images), slips)
    judge_parts(got, claimed, reg, Z_DIM, len(images), passed)


@check("vae.level_loss", leaves_to=PARTS)
def test_gradients_of_level_loss(student: Subject, data: DataSet, rng: Rng, passed: Passed) -> None:
    """The gradient of bpd reaches the decoder, and the encoder both through z and through the KL divergence."""
    n, z_dim = rng.integer(12, 20), 6
    images, injected = levels_of(data, rng, n)
    code = np.stack([rng.normal(n, z_dim), rng.uniform(*EITHER_SIGN, n, z_dim)])
    settings = {"num_filters": 4, "z_dim": z_dim}
    got = student.run(probes.vae.loss, images=images, code=code, logits=injected, settings=settings)
    judge_gradients(got, code_of(got, code), passed)


def levels_of(data: DataSet, rng: Rng, n: int) -> tuple[Integers, Array32]:
    """Return n images [n, 1, 28, 28] of levels 0 … 15, and logits [n, 16, 28, 28]: U(−2, 2), plus 2 at its level."""
    chosen = rng.choice(len(data.train), n)
    images = (data.train.images[chosen] // LEVELS).astype(np.int64)[:, None]
    right = images == np.arange(LEVELS)[None, :, None, None]
    return images, (rng.uniform(-2, 2, n, LEVELS, 28, 28) + 2 * right).astype(np.float32)


def judge_outputs(got: Evidence, injected: Array32) -> Array:
    """Return the decoder's outputs [draws, B, 16, 28, 28] of a pass; fail other ones than were `injected`."""
    given = got.tensor("logits", shape=(UpTo(MOST_DRAWS), *injected.shape))
    expect(len(given) > 0, "the decoder returns no images")
    # Beside a decoder that gives probabilities, or their logarithms, the probe injects those of the logits.
    forms = (injected, expit(injected), softmax(injected, axis=1), log_softmax(injected, axis=1))
    known = any(np.allclose(given, numbers, atol=INJECTED) for numbers in forms)
    expect(known, "forward changes the decoder's outputs: give its logits to the loss as they are")
    return given


def level_losses(levels: Integers, logits: Array) -> Array:
    """Return −log p(x|z) in nats, [B], for `levels` [B, H, W] and `logits` [B, L, H, W].

    The sum over the pixels of logsumexp(logits) minus the logit of the pixel's level: Bishop 2006, equation 4.108.
    """
    chosen = np.take_along_axis(logits, levels[:, None], axis=1)[:, 0]
    losses: Array = (logsumexp(logits, axis=1) - chosen).sum(axis=(1, 2))
    return losses
