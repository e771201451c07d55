"""A statistical test of whether integers are independent and uniformly distributed on 0 … n − 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from gengrade.arrays import Array
from graders.common.statistics import ALPHA, POWER, bernstein_bound, binomial_bounds, smallest_bias_of_share


@dataclass(frozen=True, slots=True)
class UniformIntegers:
    """A test of two batches of `draws` integers each from 0 … `values` − 1, with false-fail probability `alpha`.

    Half of `alpha` goes to the share of each value in both batches together (Chernoff–Hoeffding bound), half to the
    correlations of neighbours in a batch and of the two batches (Bernstein's inequality over disjoint pairs).
    """

    draws: int
    values: int
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        """The sample size, in words for docs/error-rates.md."""
        return f"2 × {self.draws:,} of {self.values:,} values"

    @property
    def statistic(self) -> str:
        """The statistics, in words for docs/error-rates.md."""
        return "share of each value, correlations"

    @property
    def caught(self) -> dict[str, float]:
        """The smallest bias of each statistic that is caught with probability `POWER`."""
        pairs = self.draws // 2  # neighbours
        return {
            "share": smallest_bias_of_share(2 * self.draws, 1 / self.values, self.alpha / 2, self.values),
            "correlation": (self._products(pairs) + float(ndtri(POWER)) * np.sqrt(pairs)) / pairs,
        }

    def _products(self, pairs: int) -> float:
        """Return the bound on the absolute sum of so many products of two independent standardised draws."""
        largest = 3 * (self.values - 1) / (self.values + 1)
        return bernstein_bound(pairs, largest, self.alpha / 2, comparisons=2)

    def problem(self, first: Array, second: Array) -> str | None:
        """Return a message for the student if two batches [draws] are not independent uniform draws, else None."""
        both = np.concatenate([first, second])
        if both.min() < 0 or both.max() > self.values - 1:
            return f"times should lie between 0 and {self.values - 1}; yours go from {both.min():g} to {both.max():g}"
        if np.ptp(first) == 0:
            return "all times of a batch are the same: draw one for each image"
        counts = np.bincount(both.astype(np.int64), minlength=self.values)
        low, high = binomial_bounds(len(both), 1 / self.values, self.alpha / 2, self.values)
        for value in np.flatnonzero(counts == 0)[:1]:
            return f"the time {value} is never drawn, but all times from 0 to {self.values - 1} should be"
        for value in np.flatnonzero((counts < low * len(both)) | (counts > high * len(both))):
            share = counts[value] / len(both)
            return f"the time {value} is drawn with a frequency of {share:.1%}; it should be one in {self.values}"
        return self._dependence(first, second)

    def _dependence(self, first: Array, second: Array) -> str | None:
        """Return a message for the student if draws are correlated within a batch or between the two, else None."""
        middle, spread = (self.values - 1) / 2, np.sqrt((self.values**2 - 1) / 12)
        one, other = ((batch - middle) / spread for batch in (first, second))
        rows = len(one) - len(one) % 2
        pairs = {
            "the times of a batch depend on each other: draw them independently": one[0:rows:2] * one[1:rows:2],
            "two batches have the same times: draw new ones in every call": one * other,
        }
        for words, products in pairs.items():
            if abs(float(products.sum())) > self._products(len(products)):
                return words
        return None
