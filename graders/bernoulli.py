"""What a VAE's decoder says of binary pixels: means, cross-entropies, and whether samples are draws of the means."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from graders.statistics import ALPHA, bernoulli_score, z_bound

Array = NDArray[np.float64]

BINS = 10  # of means, in each of which samples must fit
STRONG = 0.2  # a correlation that no misfit of the means explains
TINY = 1e-7  # how near to 0 and 1 a mean may come before its logarithm is cut off


def gaussian_kl(mean: Array, log_std: Array) -> Array:
    """KL(N(mean, std²) ‖ N(0, I)) in nats [N], of [N, d]: Σ ½ (std² + mean² − 1) − log std.

    Infinite where a standard deviation overflows.
    """
    with np.errstate(over="ignore"):
        divergence: Array = np.sum(0.5 * (np.exp(2 * log_std) + mean**2 - 1) - log_std, axis=-1)
    return divergence


def cross_entropies(images: Array, outputs: Array) -> list[Array]:
    """−log p(x|z) in nats [N], summed over pixels, of binary images [N, …] under a decoder's outputs.

    First with the outputs read as logits; then, where all of them lie in [0, 1], with the outputs read as means. Either
    is a fixed model of the images, so that whoever takes the better one takes an honest one.
    """
    axes = tuple(range(1, images.ndim))
    readings = [np.sum(np.logaddexp(0, outputs) - images * outputs, axis=axes)]
    if are_means(outputs):
        means = np.clip(outputs, TINY, 1 - TINY)
        readings.append(-np.sum(images * np.log(means) + (1 - images) * np.log1p(-means), axis=axes))
    return readings


def pixel_means(outputs: Array) -> list[Array]:
    """The means of pixels by a decoder's outputs, in the same order of readings."""
    return [expit(outputs), outputs] if are_means(outputs) else [expit(outputs)]


def are_means(outputs: Array) -> bool:
    """Whether a decoder seems to end in a sigmoid: all of its outputs lie in [0, 1]."""
    return bool(np.all((outputs >= 0) & (outputs <= 1)))


def draws_problem(samples: Array, means: Array) -> str | None:
    """What keeps `samples` from being independent Bernoulli draws of `means`, both [N, C, H, W], in words; or None."""
    if not are_means(means):
        return "x_mean has values outside [0, 1]: it should be the sigmoid of the decoder's logits"
    if not np.isin(samples, (0, 1)).all():
        return _not_binary(samples, means)
    uncertain = (means > 0.2) & (means < 0.8)
    if uncertain.any() and np.array_equal(samples[uncertain], np.round(means[uncertain])):
        return "the samples are the means, rounded or cut at a threshold: draw each pixel, as torch.bernoulli does"
    dependence, strength = _dependence(samples, means)
    # Draws that hang together strongly do not fit their means either: the dependence is then the cause.
    return dependence if strength > STRONG else _misfit(samples, means) or dependence


def _not_binary(samples: Array, means: Array) -> str:
    if np.isin(means, (0, 1)).all():
        return "sample() should return x_samples first and x_mean second; they are exchanged"
    if np.array_equal(samples, means):
        return "x_samples are the means themselves: each pixel should be drawn from a Bernoulli distribution, 0 or 1"
    return "x_samples should be 0 or 1 everywhere: draws from a Bernoulli distribution"


def _misfit(samples: Array, means: Array) -> str | None:
    """The sums of draws with similar means, each compared with its expectation: N(0, 1) for honest draws."""
    edges = np.linspace(0, 1, BINS + 1)
    bound = z_bound(ALPHA / 2, comparisons=BINS)
    for low, high in pairwise(edges):
        inside = (means >= low) & (means <= high if high == 1 else means < high)
        if inside.any() and abs(bernoulli_score(samples[inside], means[inside])) > bound:
            share, expected = samples[inside].mean(), means[inside].mean()
            return (
                f"the samples do not fit their means: {share:.3f} of the pixels with a mean near {expected:.3f} are 1"
            )
    return None


def _dependence(samples: Array, means: Array) -> tuple[str | None, float]:
    """The correlation of the same pixel in neighbouring images, or else of neighbouring pixels, when it is no accident.

    For honest draws the sum of products of standardised draws over its spread is N(0, 1), by the central limit theorem.
    """
    rows, variance = len(samples), means * (1 - means)
    noise = np.where(variance > 0.01, (samples - means) / np.sqrt(np.maximum(variance, 0.01)), 0).reshape(rows, -1)
    bound = z_bound(ALPHA / 2, comparisons=2)
    for products, words in (
        (
            noise[1:] * noise[:-1],
            "different images are not independent: each pixel of each image needs a draw of its own",
        ),
        (noise[:, 1:] * noise[:, :-1], "neighbouring pixels are not independent: each needs a draw of its own"),
    ):
        spread = float(np.sqrt(np.sum(products**2)))
        if spread > 0 and abs(float(products.sum())) / spread > bound:
            return f"the samples of {words}", abs(float(products.mean()))
    return None, 0.0
