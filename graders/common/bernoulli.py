"""Bernoulli decoders of a VAE: cross-entropies, pixel means, and a test that samples are draws from their means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import expit, ndtri

from gengrade.arrays import Array, Mask
from graders.common.statistics import ALPHA, POWER, bernstein_bound, binomial_bounds, smallest_bias_of_share

TESTS = 4  # of a PixelFit, which share its alpha
BINS = 10  # equal bins of [0, 1] by pixel mean; the samples must fit the means in each bin
UNCERTAIN = 0.05  # only pixels with at least this variance are used to test for dependence
ROUNDING = 1e-6  # tolerance on the share of ones in a bin, for means in single precision
STRONG = 0.2  # a correlation above this is reported as dependence, even if the samples do not fit their means either
TINY = 1e-7  # means are clipped to [TINY, 1 − TINY] before their logarithms are taken


def gaussian_kl(mean: Array, log_std: Array) -> Array:
    """Return KL(N(mean, std²) ‖ N(0, I)) in nats, [N], summed over the d latent dimensions.

    Σ ½ (std² + mean² − 1) − log std: Kingma & Welling 2014, appendix B.

    Args:
        mean, log_std: [N, d] each; log_std is the natural logarithm of the standard deviation. The result is infinite
            where exp(2·log_std) overflows.
    """
    with np.errstate(over="ignore"):
        divergence: Array = np.sum(0.5 * (np.exp(2 * log_std) + mean**2 - 1) - log_std, axis=-1)
    return divergence


def cross_entropies(images: Array, outputs: Array) -> list[Array]:
    """Return −log p(x|z) in nats, [N], once for each interpretation of a decoder's outputs.

    The first entry takes the outputs as logits: Σ softplus(l) − x·l over the pixels. If all outputs lie in [0, 1], a
    second entry takes them as the pixels' means: −Σ x log m + (1 − x) log(1 − m) (Kingma & Welling 2014, appendix C.1).
    Each interpretation is a valid model that does not depend on the images, so a caller may use the better of the two.

    Args:
        images: binary, [N, …].
        outputs: what the decoder gave, of the same shape.
    """
    axes = tuple(range(1, images.ndim))
    candidates = [np.sum(np.logaddexp(0, outputs) - images * outputs, axis=axes)]
    if are_means(outputs):
        means = np.clip(outputs, TINY, 1 - TINY)
        candidates.append(-np.sum(images * np.log(means) + (1 - images) * np.log1p(-means), axis=axes))
    return candidates


def pixel_means(outputs: Array) -> list[Array]:
    """Return the pixels' means under each interpretation of a decoder's outputs, in the order of `cross_entropies`."""
    return [expit(outputs), outputs] if are_means(outputs) else [expit(outputs)]


def are_means(outputs: Array) -> bool:
    """Return whether a decoder's outputs can be probabilities (it may end in a sigmoid): all of them lie in [0, 1]."""
    return bool(np.all((outputs >= 0) & (outputs <= 1)))


@dataclass(frozen=True, slots=True)
class PixelFit:
    """Tests whether pixels are independent Bernoulli draws with the given means.

    Four tests share the false-fail probability `alpha`: whether all uncertain pixels equal their rounded means; the
    share of ones among pixels whose means fall into the same tenth of [0, 1]; the correlation of neighbouring pixels
    and of the same pixel in images that follow each other; and the largest correlation of any two images.

    Attributes:
        images, logits: the power is stated for `images` images of 784 pixels whose logits are spread evenly between
            −`logits` and `logits`.
    """

    images: int
    logits: float
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"{self.images} images of 784 pixels"

    @property
    def statistic(self) -> str:
        return "shares of ones in tenths of the means, correlations of images, of pixels and of any two images"

    @property
    def caught(self) -> dict[str, float]:
        """The smallest bias of a share near ½ and near 0 that is caught, and the smallest correlations."""
        means = expit(np.linspace(-self.logits, self.logits, 784))
        shares = {}
        for name, low, high in (("share near ½", 0.4, 0.5), ("share near 0", 0.0, 0.1)):
            inside = (means >= low) & (means < high)
            count = self.images * int(inside.sum())
            shares[name] = smallest_bias_of_share(count, float(means[inside].mean()), self.alpha / TESTS, BINS)
        variance = (means * (1 - means))[means * (1 - means) > UNCERTAIN]
        certainty = (1 + np.sqrt(1 - 4 * variance)) / 2
        extreme = float(np.max(certainty / (1 - certainty)))
        # A product of standardised draws has the variance 1; of equal draws it is a square, with the variance E x⁴ − 1.
        successive, any_two = self.images * len(variance) // 2, len(variance)
        squares = float(np.maximum(1 / variance - 4, 1).sum())
        correlations = {}
        for name, pairs, comparisons, spread in (
            ("correlation", successive, 2, successive),
            ("correlation of two images", any_two, _pairs(self.images), squares),
        ):
            bound = bernstein_bound(pairs, extreme, self.alpha / TESTS, comparisons)
            correlations[name] = (bound + float(ndtri(POWER)) * float(np.sqrt(spread))) / pairs
        return shares | correlations

    def problem(self, samples: Array, means: Array) -> str | None:
        """Say for the student why `samples` are not draws from `means`, both [N, C, H, W]; None if they fit."""
        if not are_means(means):
            return "some means lie outside [0, 1]: a mean is the sigmoid of the decoder's logit"
        if not np.isin(samples, (0, 1)).all():
            return _not_binary(samples, means)
        if _are_rounded(samples, means, self.alpha / TESTS):
            return (
                "the samples are the means, rounded or cut at a threshold: draw each pixel at random, as "
                "torch.bernoulli(means) does"
            )
        return self.misfit(
            samples,
            means,
            lambda expected, share: (
                f"the samples do not fit their means: among the pixels with a mean near {expected:.3f}, a share of "
                f"{share:.3f} is 1"
            ),
        )

    def misfit(self, samples: Array, means: Array, words: Callable[[float, float], str]) -> str | None:
        """Say how ones and zeros are no independent draws of these means, both [N, C, H, W]; None if they fit.

        words: says what is wrong if pixels whose mean is near the first number have a share of ones of the second.
        """
        noise = _Noise.of(samples, means)
        dependence, strength = noise.dependence(self.alpha / TESTS)
        # Strongly dependent draws do not fit their means either, so a strong dependence is reported first.
        if strength > STRONG:
            return dependence
        shares = _misfit(samples, means, self.alpha / TESTS)
        return words(*shares) if shares else dependence or noise.repetition(self.alpha / TESTS)


def _not_binary(samples: Array, means: Array) -> str:
    if np.isin(means, (0, 1)).all():
        return "sample() should return the samples first and their means second; yours are exchanged"
    if np.array_equal(samples, means):
        return "the samples are the means themselves: draw each pixel, 0 or 1, from a Bernoulli distribution"
    return "some samples are neither 0 nor 1: draw each pixel from a Bernoulli distribution, as torch.bernoulli does"


def _are_rounded(samples: Array, means: Array, alpha: float) -> bool:
    """Return whether all uncertain pixels have their likelier value, as draws have with probability below `alpha`."""
    uncertain = (means > 0.2) & (means < 0.8)
    likelier = np.maximum(means, 1 - means)[uncertain]
    improbable = float(np.log(likelier).sum()) < np.log(alpha)
    return improbable and np.array_equal(samples[uncertain], np.round(means[uncertain]))


def _misfit(samples: Array, means: Array, alpha: float) -> tuple[float, float] | None:
    """Return the average mean and the share of ones in a bin of similar means where they differ; None if all fit."""
    for low, high in pairwise(np.linspace(0, 1, BINS + 1)):
        inside = (means >= low) & (means <= high if high == 1 else means < high)
        if not inside.any():
            continue
        share, expected = float(samples[inside].mean()), float(means[inside].mean())
        least, most = binomial_bounds(int(inside.sum()), expected, alpha, comparisons=BINS)
        if not least - ROUNDING <= share <= most + ROUNDING:
            return expected, share
    return None


def _pairs(n: int) -> int:
    return n * (n - 1) // 2


@dataclass(frozen=True, slots=True)
class _Noise:
    """Standardised draws of pixels, each array [N, D]: `noise` is 0 for pixels that are not `uncertain`.

    `largest` is the largest value that the noise of a pixel can have.
    """

    noise: Array
    largest: Array
    means: Array
    uncertain: Mask

    @classmethod
    def of(cls, samples: Array, means: Array) -> _Noise:
        samples, means = (each.reshape(len(samples), -1) for each in (samples, means))
        variance = means * (1 - means)
        uncertain = variance > UNCERTAIN
        noise = np.where(uncertain, (samples - means) / np.sqrt(np.where(uncertain, variance, 1)), 0)
        odds = np.maximum(means, 1 - means) / np.minimum(means, 1 - means).clip(1e-9)
        return cls(noise, np.where(uncertain, np.sqrt(odds), 0), means, uncertain)

    def dependence(self, alpha: float) -> tuple[str | None, float]:
        """Say whether successive images or neighbouring pixels depend on each other, and their correlation.

        Where both do, the stronger correlation is named: pixels that share one coin leave so few independent draws that
        images seem to depend on each other, too. None and 0 if all are independent. The correlation leaves out what
        arises merely because the samples do not fit their means. The test uses disjoint pairs: given the first draws,
        the sum of products of standardised draws is a sum of independent terms with known variances, to which
        Bernstein's inequality applies.
        """
        noise, rest = self.noise, self._centred()
        rows, columns = (length - length % 2 for length in noise.shape)
        images = slice(0, rows, 2), slice(1, rows, 2)
        pixels = (slice(None), slice(0, columns, 2)), (slice(None), slice(1, columns, 2))
        found: tuple[str | None, float] = None, 0.0
        for (first, second), words in (
            (images, "different images are not independent: draw every pixel of every image separately"),
            (pixels, "neighbouring pixels are not independent: draw every pixel separately"),
        ):
            products = noise[first] * noise[second]
            spread = float(np.sum(noise[first] ** 2 * self.uncertain[second]))
            extreme = float(np.max(np.abs(noise[first]) * self.largest[second], initial=0))
            if spread > 0 and abs(float(products.sum())) > bernstein_bound(spread, extreme, alpha, comparisons=2):
                pairs = float((rest[first] ** 2 * self.uncertain[second]).sum())
                strength = abs(float((rest[first] * rest[second]).sum())) / max(pairs, 1e-9)
                if found[0] is None or strength > found[1]:
                    found = f"the samples of {words}", strength
        return found

    def repetition(self, alpha: float) -> str | None:
        """Say whether any two images were drawn with the same noise, by the same inequality for each pair."""
        products = self.noise @ self.noise.T
        spreads = self.noise**2 @ self.uncertain.T
        extremes = np.outer(np.abs(self.noise).max(axis=1), self.largest.max(axis=1))
        for one, other in zip(*np.triu_indices(len(products), 1), strict=True):
            bound = bernstein_bound(spreads[one, other], extremes[one, other], alpha, _pairs(len(products)))
            if spreads[one, other] > 0 and abs(products[one, other]) > bound:
                return "some images repeat the noise of others: draw every pixel of every image separately"
        return None

    def _centred(self) -> Array:
        """Subtract from the noise its average in each bin of means, which a misfit of the means causes."""
        bins = np.minimum((self.means * BINS).astype(int), BINS - 1)[self.uncertain]
        counts = np.maximum(np.bincount(bins, minlength=BINS), 1)
        averages = np.bincount(bins, weights=self.noise[self.uncertain], minlength=BINS) / counts
        rest = self.noise.copy()
        rest[self.uncertain] -= averages[bins]
        return rest
