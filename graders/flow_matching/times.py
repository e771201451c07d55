"""Statistical tests of whether times are drawn independently and uniformly from [0, 1), and from its very beginning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from gengrade.arrays import Array
from graders.common.statistics import (
    OfDraws,
    correlation_bound,
    dkw_bound,
    ks_distance,
    smallest_correlation,
    smallest_distortion,
)

_LEAST = 1e-9  # the normal score of 0 would be infinite


def normal_scores(times: Array) -> Array:
    """Return times from U[0, 1) as draws from N(0, 1) in the same order."""
    return np.asarray(ndtri(np.clip(times, _LEAST, 1 - _LEAST)))


@dataclass(frozen=True, slots=True)
class UniformTimes(OfDraws):
    """A test of `draws` times from U[0, 1), or from U[0, 1 − cut), with false-fail probability `alpha`.

    Half of `alpha` goes to the distribution (the Dvoretzky–Kiefer–Wolfowitz bound), half to the correlation of
    neighbours, by their ranks' normal scores. A right answer may end short of 1 by `cut`, since some fields have a pole
    there.
    """

    cut: float = 0.01

    @property
    def statistic(self) -> str:
        """The statistics, in words for docs/error-rates.md."""
        return "Kolmogorov–Smirnov distance, correlation of neighbours"

    @property
    def caught(self) -> dict[str, float]:
        """The smallest bias of each statistic that is caught with high probability."""
        return {
            "shape": smallest_distortion(self.draws, self.alpha / 2) + self.cut,
            "correlation": smallest_correlation(self.draws // 2, self.alpha / 2),
        }

    def problem(self, times: Array) -> str | None:
        """Return a message for the student if these times [draws] are not independent draws from U[0, 1), else None."""
        if np.ptp(times) == 0:
            return "all samples of a batch get the same time: draw one for each sample"
        if times.min() < 0 or times.max() > 1:
            return f"times should lie between 0 and 1; yours go from {times.min():.3g} to {times.max():.3g}"
        distance = ks_distance(times, lambda t: np.clip(t, 0, 1))
        if distance > dkw_bound(times.size, self.alpha / 2) + self.cut:
            return "times should be drawn uniformly from 0 to 1, by torch.rand"
        scores, pairs = normal_scores(times), len(times) // 2
        with np.errstate(invalid="ignore", divide="ignore"):
            r = float(np.corrcoef(scores[0 : 2 * pairs : 2], scores[1 : 2 * pairs : 2])[0, 1])
        if not abs(r) <= correlation_bound(pairs, self.alpha / 2):
            return "times of samples that follow each other depend on each other: draw one for each sample"
        return None


@dataclass(frozen=True, slots=True)
class Earliest(OfDraws):
    """A test of whether the earliest of `draws` times from U[0, 1) is as early as chance makes it."""

    @property
    def statistic(self) -> str:
        """The statistic, in words for docs/error-rates.md."""
        return "earliest time"

    @property
    def caught(self) -> dict[str, float]:
        """The earliest time at which a law may begin that is always caught."""
        return {"beginning": self.bound}

    @property
    def bound(self) -> float:
        """What the earliest of n times exceeds with probability alpha: (1 − bound)ⁿ = alpha. Exact."""
        return 1 - float(self.alpha ** (1 / self.draws))
