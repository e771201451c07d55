"""What a VAE's decoder says of binary pixels: means, cross-entropies, and whether samples are draws of the means."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from graders.common.statistics import ALPHA, POWER, bernstein_bound, binomial_bounds, smallest_bias_of_share

Array = NDArray[np.float64]

BINS = 10  # of means, in each of which samples must fit
UNCERTAIN = 0.05  # the variance of a pixel, from which on it tells of dependence
ROUNDING = 1e-6  # of a bin's share, for means in single precision
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


@dataclass(frozen=True, slots=True)
class PixelFit:
    """Whether pixels are independent Bernoulli draws of their means.

    `alpha` in all, for three tests: whether uncertain pixels are all as they would be rounded; the share of ones in
    each tenth of the means; the correlation of the same pixel in two images, and of neighbouring pixels. The power is
    stated for that many `images` of 784 pixels with logits spread evenly over ±`logits`.
    """

    images: int
    logits: float
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"{self.images} images of 784 pixels"

    @property
    def statistic(self) -> str:
        return "shares of ones in tenths of the means, correlations of images and of pixels"

    @property
    def caught(self) -> dict[str, float]:
        """The smallest bias of a share near ½ and near 0, and the smallest correlation."""
        means = expit(np.linspace(-self.logits, self.logits, 784))
        shares = {}
        for name, low, high in (("share near ½", 0.4, 0.5), ("share near 0", 0.0, 0.1)):
            inside = (means >= low) & (means < high)
            count = self.images * int(inside.sum())
            shares[name] = smallest_bias_of_share(count, float(means[inside].mean()), self.alpha / 3, BINS)
        certainty = np.maximum(means, 1 - means)[means * (1 - means) > UNCERTAIN]
        pairs, extreme = self.images * len(certainty) // 2, float(np.max(certainty / (1 - certainty)))
        bound = bernstein_bound(pairs, extreme, self.alpha / 3, comparisons=2)
        return {**shares, "correlation": (bound + float(ndtri(POWER)) * np.sqrt(pairs)) / pairs}

    def problem(self, samples: Array, means: Array) -> str | None:
        """What keeps `samples` from being draws of `means`, both [N, C, H, W], in words; or None."""
        if not are_means(means):
            return "the means have values outside [0, 1]: each is the sigmoid of a logit"
        if not np.isin(samples, (0, 1)).all():
            return _not_binary(samples, means)
        if _are_rounded(samples, means, self.alpha / 3):
            return "the samples are the means, rounded or cut at a threshold: draw each pixel, as torch.bernoulli does"
        dependence, strength = _dependence(samples, means, self.alpha / 3)
        # Draws that hang together strongly do not fit their means either: the dependence is then the cause.
        return dependence if strength > STRONG else _misfit(samples, means, self.alpha / 3) or dependence


def _not_binary(samples: Array, means: Array) -> str:
    if np.isin(means, (0, 1)).all():
        return "sample() should return the samples first and their means second; they are exchanged"
    if np.array_equal(samples, means):
        return "the samples are the means themselves: each pixel should be drawn from a Bernoulli distribution, 0 or 1"
    return "the samples should be 0 or 1 everywhere: draws from a Bernoulli distribution"


def _are_rounded(samples: Array, means: Array, alpha: float) -> bool:
    """Whether all uncertain pixels came out as the likelier value, where draws do so with probability below `alpha`."""
    uncertain = (means > 0.2) & (means < 0.8)
    likelier = np.maximum(means, 1 - means)[uncertain]
    improbable = float(np.log(likelier).sum()) < np.log(alpha)
    return improbable and np.array_equal(samples[uncertain], np.round(means[uncertain]))


def _misfit(samples: Array, means: Array, alpha: float) -> str | None:
    """The share of ones among draws with similar means, compared with the average of these."""
    for low, high in pairwise(np.linspace(0, 1, BINS + 1)):
        inside = (means >= low) & (means <= high if high == 1 else means < high)
        if not inside.any():
            continue
        share, expected = float(samples[inside].mean()), float(means[inside].mean())
        least, most = binomial_bounds(int(inside.sum()), expected, alpha, comparisons=BINS)
        if not least - ROUNDING <= share <= most + ROUNDING:
            return (
                f"the samples do not fit their means: {share:.3f} of the pixels with a mean near {expected:.3f} are 1"
            )
    return None


def _dependence(samples: Array, means: Array, alpha: float) -> tuple[str | None, float]:
    """The correlation of the same pixel in two images, or else of neighbours, in words, when it is no accident; and how
    strong it is beyond what draws that do not fit their means have in common.

    Over disjoint pairs: given the first of each, the sum of the products of standardised draws is one of independent
    terms with known variances, and Bernstein's inequality holds.
    """
    variance = means * (1 - means)
    uncertain = variance > UNCERTAIN
    noise = np.where(uncertain, (samples - means) / np.sqrt(np.where(uncertain, variance, 1)), 0)
    largest = np.where(uncertain, np.sqrt(np.maximum(means, 1 - means) / np.minimum(means, 1 - means).clip(1e-9)), 0)
    rows = len(samples) - len(samples) % 2
    noise, largest = (each.reshape(len(samples), -1) for each in (noise, largest))
    means, uncertain = means.reshape(noise.shape), uncertain.reshape(noise.shape)
    columns = noise.shape[1] - noise.shape[1] % 2
    images = slice(0, rows, 2), slice(1, rows, 2)
    pixels = (slice(None), slice(0, columns, 2)), (slice(None), slice(1, columns, 2))
    for (first, second), words in (
        (images, "different images are not independent: each pixel of each image needs a draw of its own"),
        (pixels, "neighbouring pixels are not independent: each needs a draw of its own"),
    ):
        products = noise[first] * noise[second]
        spread = float(np.sum(noise[first] ** 2 * uncertain[second]))
        extreme = float(np.max(np.abs(noise[first]) * largest[second], initial=0))
        if spread > 0 and abs(float(products.sum())) > bernstein_bound(spread, extreme, alpha, comparisons=2):
            rest = _centred(noise, means, uncertain)
            strength = abs(float((rest[first] * rest[second]).sum())) / max(float((rest[first] ** 2).sum()), 1e-9)
            return f"the samples of {words}", strength
    return None, 0.0


def _centred(noise: Array, means: Array, uncertain: NDArray[np.bool_]) -> Array:
    """Standardised draws without what a misfit of the means does to all draws with similar means."""
    bins = np.minimum((means * BINS).astype(int), BINS - 1)[uncertain]
    counts = np.maximum(np.bincount(bins, minlength=BINS), 1)
    averages = np.bincount(bins, weights=noise[uncertain], minlength=BINS) / counts
    rest: Array = noise.copy()
    rest[uncertain] -= averages[bins]
    return rest
