"""Checks of a VAE for images with 16 grey levels: a decoder with a logit for each level of each pixel, and its loss.

p(x|z) is a product of categorical distributions, so −log p(x|z) is the cross-entropy of the logits and the levels,
summed over the pixels of an image. Where the assignment is silent, the student is free: the logits may be normalised
(log-softmax), which does not change the cross-entropy. A decoder that returns probabilities fails `vae.levels`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from gengrade.data import DataSet
from gengrade.grading import Rng, Subject, UpTo, check, expect, probes
from graders.common.bernoulli import gaussian_kl
from graders.common.statistics import GaussianFit, declare
from graders.vae.checks import BITS, INJECTED, PIXELS, code_of, judge_average, judge_scalar
from graders.vae.networks import judge_network

Array = NDArray[np.float64]

LEVELS: Final = 16
BATCH: Final = 256  # images in one pass; must equal `graders.vae.checks.BATCH`, which `judge_average` uses
Z_DIM: Final = 20
MOST_DRAWS: Final = 20  # most draws of z per image in one pass: each gives 3 million logits
LATENTS = declare("vae.level_loss", "z in units of exp(log_std)", GaussianFit(BATCH, Z_DIM))


@check("vae.levels")
def test_decoder_of_levels(student: Subject, rng: Rng) -> None:
    """The decoder gives 16 logits for each pixel, one for each level of a 4-bit image."""
    z, settings = rng.normal(5, 7), {"num_input_channels": LEVELS, "num_filters": 8, "z_dim": 7}
    got = student.run(probes.vae.network, which="cnn_decoder", x=z, settings=settings)
    (logits,) = judge_network(got, ["logits"], (len(z), LEVELS, 28, 28))
    sums = logits.sum(axis=1)
    expect(
        bool(logits.min() < 0) or float(np.abs(sums - 1).max()) > INJECTED,
        "the decoder ends in a softmax: return logits, since cross_entropy applies the softmax itself",
        expected="logits, of any size and sign",
        got="numbers that add up to 1 at each pixel",
    )


@check("vae.level_loss")
def test_loss_of_levels(student: Subject, data: DataSet, rng: Rng) -> None:
    """VAE.forward returns the right L_rec, L_reg and bpd for images with levels 0 … 15.

    The networks' outputs are replaced by known ones: mean by draws from N(0, 1), log_std by U(−1.5, 0.5), and the
    logits by U(−2, 2), plus 2 at the pixel's level.
    """
    chosen = rng.choice(len(data.train), BATCH)
    images = (data.train.images[chosen] // LEVELS).astype(np.int64)[:, None]
    code = np.stack([rng.normal(BATCH, Z_DIM), rng.uniform(-1.5, 0.5, BATCH, Z_DIM)])
    right = images == np.arange(LEVELS)[None, :, None, None]
    injected = (rng.uniform(-2, 2, BATCH, LEVELS, 28, 28) + 2 * right).astype(np.float32)
    settings = {"num_filters": 4, "z_dim": Z_DIM}
    got = student.run(probes.vae.loss, images=images, code=code, logits=injected, settings=settings)
    mean, log_std = code_of(got, code)
    z = got.tensor("z", shape=(UpTo(MOST_DRAWS), BATCH, Z_DIM))
    for draw in z:
        problem = LATENTS.problem((draw - mean) / np.exp(log_std), len(z))
        expect(
            problem is None,
            "the z that the decoder gets is no draw from N(mean, std²) with std = exp(log_std): the noise "
            f"(z − mean) / std should be N(0, 1), but {problem}",
        )
    given = got.tensor("logits", shape=(len(z), BATCH, LEVELS, 28, 28))
    # Beside a decoder that gives probabilities, the probe injects the sigmoids of the logits.
    known = any(np.allclose(given, numbers, atol=INJECTED) for numbers in (injected, expit(injected)))
    expect(known, "forward changes the decoder's outputs: give its logits to the loss as they are")
    rec = float(np.mean([level_losses(images[:, 0], each).mean() for each in given]))
    reg = float(gaussian_kl(mean, log_std).mean())
    claimed = {name: judge_scalar(got, name) for name in ("rec", "reg", "bpd")}
    what = "L_rec: the cross-entropy of the 16 logits and the level, summed over pixels"
    judge_average(claimed["rec"], rec, what, PIXELS)
    judge_average(claimed["reg"], reg, "L_reg: the KL divergence, summed over latents", Z_DIM)
    bits = (rec + reg) * BITS / PIXELS
    judge_average(claimed["bpd"], bits, "bpd: (L_rec + L_reg) · log₂(e) / 784", PIXELS)


def level_losses(levels: NDArray[np.int64], logits: Array) -> Array:
    """Returns −log p(x|z) in nats, [B], for `levels` [B, H, W] and `logits` [B, L, H, W].

    The sum over the pixels of logsumexp(logits) minus the logit of the pixel's level (categorical cross-entropy).
    """
    chosen = np.take_along_axis(logits, levels[:, None], axis=1)[:, 0]
    losses: Array = (logsumexp(logits, axis=1) - chosen).sum(axis=(1, 2))
    return losses
