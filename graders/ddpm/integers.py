"""Whether whole numbers are independent draws, each of 0 … n − 1 as likely as any other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from graders.common.statistics import ALPHA, POWER, bernstein_bound, binomial_bounds, smallest_bias_of_share

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class UniformIntegers:
    """Two batches of so many `draws` from 0 … `values` − 1; `alpha` in all.

    Half of it goes to the share of each value among both batches (Chernoff–Hoeffding, for any law), half to the
    correlation of neighbours in a batch and of the two batches (Bernstein, over disjoint pairs).
    """

    draws: int
    values: int
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"2 × {self.draws:,} of {self.values:,} values"

    @property
    def statistic(self) -> str:
        return "share of each value, correlations"

    @property
    def caught(self) -> dict[str, float]:
        pairs = self.draws // 2  # neighbours
        return {
            "share": smallest_bias_of_share(2 * self.draws, 1 / self.values, self.alpha / 2, self.values),
            "correlation": (self._products(pairs) + float(ndtri(POWER)) * np.sqrt(pairs)) / pairs,
        }

    def _products(self, pairs: int) -> float:
        """How far the sum of so many products of two independent standardised draws may lie from 0."""
        largest = 3 * (self.values - 1) / (self.values + 1)
        return bernstein_bound(pairs, largest, self.alpha / 2, comparisons=2)

    def problem(self, first: Array, second: Array) -> str | None:
        """What keeps two batches [draws] each from being such draws, in words; None when nothing does."""
        both = np.concatenate([first, second])
        if both.min() < 0 or both.max() > self.values - 1:
            return f"times go from {both.min():g} to {both.max():g}, and only 0 … {self.values - 1} are any"
        if np.ptp(first) == 0:
            return "all times of a batch are the same: draw one for each image"
        counts = np.bincount(both.astype(np.int64), minlength=self.values)
        low, high = binomial_bounds(len(both), 1 / self.values, self.alpha / 2, self.values)
        for value in np.flatnonzero(counts == 0)[:1]:
            return f"the time {value} never comes up"
        for value in np.flatnonzero((counts < low * len(both)) | (counts > high * len(both))):
            share = counts[value] / len(both)
            return f"the time {value} comes up in {share:.1%} of the draws, where one in {self.values} is right"
        return self._dependence(first, second)

    def _dependence(self, first: Array, second: Array) -> str | None:
        middle, spread = (self.values - 1) / 2, np.sqrt((self.values**2 - 1) / 12)
        one, other = ((batch - middle) / spread for batch in (first, second))
        rows = len(one) - len(one) % 2
        pairs = {
            "the times of a batch depend on each other": one[0:rows:2] * one[1:rows:2],
            "two batches have the same times: draw new ones in every call": one * other,
        }
        for words, products in pairs.items():
            if abs(float(products.sum())) > self._products(len(products)):
                return words
        return None
