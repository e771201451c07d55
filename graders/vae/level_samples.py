"""Checks of what a VAE for images with 16 levels shows: its samples, and the picture of its latent space.

A sample is a draw of each pixel's level from the softmax of its 16 logits, with latents from the prior. Whether the m
likeliest levels of a pixel occur as often as the logits say is tested with a random m for each pixel: levels that have
another order, or another temperature, occur more or less often among these.

Where the assignment is silent, the student is free: a picture of the latent space may show mean levels, the likeliest
ones or draws, in any scale of brightness. A decoder that ends in a softmax fails `vae.levels`; here, its outputs are
taken for the probabilities that they are.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest
from scipy.special import softmax

from gengrade.arrays import Array
from gengrade.grading import Evidence, Rng, Subject, UpTo, check, expect, fail, probes
from graders.common.bernoulli import PixelFit
from graders.common.manifolds import OFFSET, manifold_of_levels_problem
from graders.common.statistics import ALPHA, GaussianFit, declare, in_turns
from graders.vae.checks import GRID_SIZES, INJECTED
from graders.vae.levels import LEVELS
from graders.vae.sizes import MOST_LATENTS

IMAGES: Final = 16  # in a call: some draw each of their 784 pixels by a call of its own
Z_DIM: Final = 64
# The logits are moved by sums of numbers from U(−SPREAD, SPREAD): for a level, for a level in a row, for a level in a
# column, and for a level of a pixel. A softmax over another axis than the levels loses some of these.
SPREAD: Final = 1.5
PARTS_OF_SHIFT: Final = ((LEVELS, 1, 1), (LEVELS, 28, 1), (LEVELS, 1, 28), (LEVELS, 28, 28))

_CHECK: Final = "vae.level_samples"
PIXELS_DRAWN = declare(_CHECK, "levels among the likeliest", PixelFit(IMAGES, 2 * SPREAD, ALPHA / 6), cases=2)
PIXELS_TWICE = declare(_CHECK, "levels of two calls, in turns", PixelFit(2 * IMAGES, 2 * SPREAD, ALPHA / 6))
PRIOR = declare(_CHECK, "the latents of samples", GaussianFit(IMAGES, Z_DIM, ALPHA / 6), cases=2)
PRIOR_TWICE = declare(_CHECK, "the latents of two calls, in turns", GaussianFit(2 * IMAGES, Z_DIM, ALPHA / 6))


@check("vae.level_samples")
def test_samples_of_levels(student: Subject, rng: Rng) -> None:
    """VAE.sample draws a level for each pixel from the softmax of the 16 logits, decoded from z ~ N(0, I).

    The decoder's logits are moved, since all levels are about equally probable before training. A second call draws
    other images.
    """
    shift = sum(rng.uniform(-SPREAD, SPREAD, *shape) for shape in PARTS_OF_SHIFT)
    got = student.run(probes.vae.level.samples, n=IMAGES, z_dim=Z_DIM, shift=shift)
    calls = [_drawn(each, rng) for each in (got, got["again"])]
    likely, shares, latents = (in_turns(*each) for each in zip(*calls, strict=True))
    problem = PRIOR_TWICE.problem(latents)
    expect(
        problem is None,
        "the latents of two calls are not independent: draw new ones in each call, without a seed. In turns, "
        f"{problem}",
    )
    problem = PIXELS_TWICE.misfit(likely, shares, _misfit)
    expect(problem is None, f"the samples of two calls are not independent: in turns, {problem}")


def _drawn(got: Evidence, rng: Rng) -> tuple[Array, Array, Array]:
    """Return which levels of a call of `sample` are among the likeliest, the probabilities of that, and the latents.

    Raises Mismatch unless the levels are draws from the decoder's logits.
    """
    samples = _levels(got)
    expect(not got.is_none("z"), "sample() does not call the decoder: draw z from N(0, I) and decode it")
    z = got.tensor("z", shape=(UpTo(10 * IMAGES), Z_DIM))
    logits = got.tensor("logits", shape=(UpTo(10 * IMAGES), LEVELS, 28, 28))
    expect(
        len(z) == len(logits) == IMAGES,
        f"sample() should decode {IMAGES} latents for {IMAGES} images, each once",
        expected=f"{IMAGES} latents",
        got=f"{len(z)} latents",
    )
    probabilities = _probabilities(logits)
    expect(
        not np.array_equal(samples[:, 0], probabilities.argmax(axis=1)),
        "each pixel has its likeliest level, as argmax gives it: draw the level of each pixel, as torch.multinomial "
        "does from the softmax of the 16 logits",
    )
    order = (-probabilities).argsort(axis=1)
    ranks = np.take_along_axis(order.argsort(axis=1), samples.astype(np.int64), axis=1)
    last = rng.integers(0, LEVELS - 1, *samples.shape)  # the rank of the last level that counts as likely
    likely = (ranks <= last).astype(np.float64)
    shares = np.take_along_axis(np.take_along_axis(probabilities, order, axis=1).cumsum(axis=1), last, axis=1)
    problem = PIXELS_DRAWN.misfit(likely, np.clip(shares, 0, 1), _misfit)
    expect(problem is None, problem or "")
    problem = PRIOR.problem(z)
    expect(problem is None, f"the latents are not drawn from the prior N(0, I): {problem}")
    return likely, np.clip(shares, 0, 1), z


def _levels(got: Evidence) -> Array:
    """Return the samples of a call, [n, 1, 28, 28]. Raises Mismatch unless they are levels."""
    shape = got.shape("samples")
    words = "the samples have the wrong shape"
    if shape == (IMAGES, LEVELS, 28, 28):
        words = "sample() returns what the decoder gives for each of 16 levels: draw one level for each pixel"
    right = (IMAGES, 1, 28, 28)
    expect(shape == right, words, expected=f"shape {list(right)}", got=f"shape {list(shape)}")
    samples = got.tensor("samples")
    lowest, highest = float(samples.min()), float(samples.max())
    span = f"from {lowest:.4g} to {highest:.4g}"
    scaled = samples * (LEVELS - 1)
    expect(
        highest > 1 or bool(np.abs(scaled - scaled.round()).max() > INJECTED),
        "the samples are divided by 15: return 4-bit images, with the levels 0 … 15; the program that shows them "
        "divides by 15 itself",
        expected="levels 0, 1, … 15",
        got=f"numbers {span}",
    )
    levels = samples.round()
    expect(
        bool((np.abs(samples - levels) < INJECTED).all()) and levels.min() >= 0 and levels.max() < LEVELS,
        "the samples are no levels: draw one of 0 … 15 for each pixel, instead of a mean, a probability or a logit",
        expected="levels 0, 1, … 15",
        got=f"numbers {span}",
    )
    return levels


def _probabilities(logits: Array) -> Array:
    """Return the probabilities of levels [B, L, H, W] that a decoder's outputs stand for."""
    if logits.min() >= 0 and np.abs(logits.sum(axis=1) - 1).max() < INJECTED:  # which fails `vae.levels`
        return logits
    found: Array = softmax(logits, axis=1)
    return found


def _misfit(expected: float, share: float) -> str:
    return (
        "the levels are not drawn from the softmax of each pixel's 16 logits: where its likeliest levels have a "
        f"probability near {expected:.3f} together, one of them was drawn in a share of {share:.3f}"
    )


@check("vae.level_manifold")
@pytest.mark.parametrize("sizes", GRID_SIZES, ids=["small", "large"])
def test_manifold_of_levels(student: Subject, rng: Rng, sizes: tuple[int, ...]) -> None:
    """visualize_manifold shows a grid of the decoder's images, at normal quantiles along both axes."""
    grid_size = sizes[rng.integer(0, len(sizes))]
    got = student.run(probes.vae.level.manifold, grid_size=grid_size, levels=LEVELS, offset=OFFSET)
    latents = got.tensor("latents", shape=(UpTo(MOST_LATENTS), 2))
    problem = manifold_of_levels_problem(latents, got.tensor("picture"), grid_size, LEVELS)
    if problem is not None:
        fail(problem.message, expected=problem.expected, got=problem.got)
