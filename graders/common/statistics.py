"""Statistical tests with declared error rates: how far may a right random answer deviate by chance?

Every check of something random fixes a false-fail probability `alpha` (by default `ALPHA`, one in a million per check)
and computes its tolerance with a function of this module. A check with several comparisons divides `alpha` among them
(Bonferroni's inequality), which does not require independence. The module uses only numpy and scipy.special, since
scipy.stats takes a second to import.

There are two kinds of bounds. *Exact or conservative*: `mean_tolerance`, `spread_bounds` and `correlation_bound` (exact
for Gaussian draws), and `dkw_bound`, `bernstein_bound`, `binomial_bounds`, `tie_bounds` and `evidence_bound` (for any
distribution).
*Asymptotic*: `z_bound`, applied to a mean divided by its estimated error. `smallest_shift` and the other functions
`smallest_…` state the power: the smallest mistake that a test of a given size catches with probability `POWER`.

The classes below are the tests that graders use. A grader declares each test where it chooses the test's size and its
share of the check's `alpha`; docs/error-rates.md lists all declared tests, and the test suite simulates every one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from scipy.special import chdtri, ndtr, ndtri, stdtrit

from gengrade.arrays import Array, Floats

ALPHA = 1e-6  # the default false-fail probability of one check
POWER = 0.99  # the probability of catching a mistake, where a test's power is stated
FAMILIES = 6  # families of sub-tests in `gaussian_fit_problems`, which share its alpha
ALIKE = 0.9  # share of equal neighbours, or average cosine, above which draws are repeated: chance stays far below
SHORT = 10  # rows with fewer numbers are not compared by their cosine, which may be anything by chance
REPEATED = 1e-3  # two draws nearer than this count as equal: by chance, 1 pair of numbers in 1,700 is
TIE = 1e-4  # a gap in the distribution function that rounding can leave between a draw and its repetition


def z_bound(alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return the bound that |Z|, Z ~ N(0, 1), exceeds with probability `alpha` in all `comparisons` together.

    z = −Φ⁻¹(alpha / (2·comparisons)), by Bonferroni's inequality.
    """
    return -float(ndtri(alpha / (2 * comparisons)))


def t_bound(freedom: int, alpha: float = ALPHA) -> float:
    """Return the bound that |T| exceeds with probability `alpha`, T being Student's t with `freedom` degrees."""
    return -float(stdtrit(freedom, alpha / 2))


def mean_tolerance(std: float, n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return how far the mean of `n` independent draws with standard deviation `std` may be from its expectation.

    z·std/√n, with z of `z_bound`: exact for Gaussian draws, by the central limit theorem for others.
    """
    return z_bound(alpha, comparisons) * std / float(np.sqrt(n))


def spread_bounds(n: int, alpha: float = ALPHA, comparisons: int = 1) -> tuple[float, float]:
    """Return the interval that the root mean square of `n` draws from N(0, 1) leaves with probability `alpha`.

    The sum of n squares is χ²(n), so the bounds are √(q/n), where q are its quantiles at alpha/2 and 1 − alpha/2.
    Exact.
    """
    tail = alpha / (2 * comparisons)
    # chdtri(v, p) is the inverse of the survival function.
    return float(np.sqrt(chdtri(n, 1 - tail) / n)), float(np.sqrt(chdtri(n, tail) / n))


def correlation_bound(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return the bound that |r|, the sample correlation of `n` independent Gaussian pairs, exceeds by chance.

    r·√((n−2)/(1−r²)) is Student's t with n − 2 degrees of freedom (Fisher 1915), so r = t/√(n − 2 + t²). Exact.
    """
    t = t_bound(n - 2, alpha / comparisons)
    return t / float(np.sqrt(n - 2 + t * t))


def dkw_bound(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return how far the empirical distribution function of `n` draws may be from the true one at its worst point.

    P(sup |F_n − F| > ε) ≤ 2·exp(−2nε²): Dvoretzky, Kiefer and Wolfowitz 1956, with the constant of Massart 1990.
    Valid for any distribution.
    """
    return float(np.sqrt(np.log(2 * comparisons / alpha) / (2 * n)))


def ks_distance(samples: Array, cdf: Callable[[Array], Array]) -> float:
    """Return the Kolmogorov–Smirnov distance sup |F_n − F| of all numbers in `samples` from the distribution `cdf`."""
    ordered = np.sort(np.asarray(samples, dtype=np.float64).ravel())
    n = ordered.size
    expected = cdf(ordered)
    above = np.arange(1, n + 1) / n - expected
    below = expected - np.arange(n) / n
    return float(max(above.max(), below.max()))


def bernstein_bound(variance: float, largest: float, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return how far a sum of independent values may be from its expectation.

    P(|sum − E| ≥ t) ≤ 2·exp(−t² / 2(variance + largest·t/3)), solved for t: Bernstein's inequality, Boucheron, Lugosi
    and Massart 2013, corollary 2.11. Valid for any distribution.

    Args:
        variance: the variance of the sum.
        largest: the largest possible distance of a single value from its expectation.
    """
    log_term = float(np.log(2 * comparisons / alpha))
    linear = largest * log_term / 3
    return linear + float(np.sqrt(linear**2 + 2 * variance * log_term))


def binomial_bounds(n: int, p: float, alpha: float = ALPHA, comparisons: int = 1) -> tuple[float, float]:
    """Return bounds on the share of successes in `n` draws with probability `p` (the Chernoff–Hoeffding bound).

    P(share ≥ q) ≤ exp(−n·KL(q‖p)) for q > p, and likewise for q < p: Hoeffding 1963, theorem 1; solved by bisection.
    Also valid for draws with different probabilities whose average is `p`. Conservative: never too tight.
    """
    budget = float(np.log(2 * comparisons / alpha)) / n
    return _bernoulli_kl_inverse(p, budget, towards=0.0), _bernoulli_kl_inverse(p, budget, towards=1.0)


def tie_bounds(n: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Return the largest gap that counts as a tie, and the largest share of ties among `n` sorted uniform draws.

    A gap between neighbours is below t with probability 1 − (1 − t)ⁿ (Pyke 1965, section 2.1). Gaps are negatively
    associated (Joag-Dev & Proschan 1983), so that the Chernoff–Hoeffding bound of `binomial_bounds` holds for the
    number of those below t. Conservative.
    """
    gap = min(TIE, 0.05 / n)
    return gap, binomial_bounds(n - 1, 1 - (1 - gap) ** n, alpha)[1]


def evidence_bound(n: int, alpha: float = ALPHA) -> float:
    """Return by how many nats per draw a density q may by chance exceed the true p, on average over `n` draws from p.

    If q has a mass of at most 1, E_p[Π q(x_i)/p(x_i)] ≤ 1, so P(Σ log q(x_i) − log p(x_i) ≥ ln(1/alpha)) ≤ alpha by
    Markov's inequality. Valid for any q, whatever the variance.
    """
    return -float(np.log(alpha)) / n


def _bernoulli_kl_inverse(p: float, budget: float, towards: float) -> float:
    """Return the q between `p` and `towards` with KL(q‖p) = budget, or `towards` if the divergence stays smaller."""
    near, far = p, towards
    for _ in range(60):
        middle = (near + far) / 2
        if _bernoulli_kl(middle, p) <= budget:
            near = middle
        else:
            far = middle
    return far


def _bernoulli_kl(q: float, p: float) -> float:
    """Return KL(Bernoulli(q) ‖ Bernoulli(p)) in nats, with 0·log 0 = 0."""
    with np.errstate(divide="ignore"):
        heads = q * (np.log(q) - np.log(p)) if q > 0 else 0.0
        tails = (1 - q) * (np.log1p(-q) - np.log1p(-p)) if q < 1 else 0.0
    return float(heads + tails)


def smallest_shift(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return the smallest bias of a mean, in standard deviations, that `mean_tolerance` catches (`POWER`)."""
    return (z_bound(alpha, comparisons) + float(ndtri(POWER))) / float(np.sqrt(n))


def smallest_scale(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return the smallest factor above 1 on a standard deviation that `spread_bounds` catches (`POWER`)."""
    return spread_bounds(n, alpha, comparisons)[1] / float(np.sqrt(chdtri(n, POWER) / n))


def smallest_correlation(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return the smallest correlation of Gaussian pairs that `correlation_bound` catches (`POWER`).

    By Fisher's transformation, artanh r is approximately N(artanh ρ, 1/(n − 3)) (Fisher 1921).
    """
    bound = float(np.arctanh(correlation_bound(n, alpha, comparisons)))
    return float(np.tanh(bound + float(ndtri(POWER)) / np.sqrt(n - 3)))


def smallest_distortion(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return how far a distribution function must be off at some point for `dkw_bound` to catch it (`POWER`).

    At that point, the empirical function falls short of it by more than ε with probability at most exp(−2nε²)
    (Hoeffding 1963).
    """
    return dkw_bound(n, alpha, comparisons) + float(np.sqrt(-np.log(1 - POWER) / (2 * n)))


def smallest_repetition(n: int, alpha: float = ALPHA) -> float:
    """Return the smallest share of draws equal to another, different draw that `tie_bounds` catches (`POWER`).

    By the normal approximation for the draws that are tied by chance.
    """
    gap, most = tie_bounds(n, alpha)
    chance = 1 - (1 - gap) ** n
    return most + float(ndtri(POWER)) * float(np.sqrt(chance * (1 - chance) / n))


def smallest_bias_of_share(n: int, p: float, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """Return how far above `p` a probability must be for `binomial_bounds` to catch it (`POWER`).

    By the normal approximation. For p ≥ ½ the same distance below `p` is caught.
    """
    _, high = binomial_bounds(n, p, alpha, comparisons)
    return high - p + float(ndtri(POWER)) * float(np.sqrt(high * (1 - high) / n))


class RandomTest(Protocol):
    """A test of something random: its false-fail probability, its size, and what it catches."""

    @property
    def alpha(self) -> float: ...

    @property
    def size(self) -> str:
        """Describes the sample."""

    @property
    def statistic(self) -> str:
        """Names what is compared."""

    @property
    def caught(self) -> Mapping[str, float]:
        """For each kind of bias, the smallest that is caught with probability `POWER`."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A test that a grader uses: in which check, of which random quantity, and in how many cases of the check."""

    check: str
    random: str
    test: RandomTest
    cases: int


DECLARED: dict[tuple[str, str], Declared] = {}
_Test = TypeVar("_Test", bound=RandomTest)


def declare(check: str, random: str, test: _Test, cases: int = 1) -> _Test:
    """Record that a check uses a test, for docs/error-rates.md, and return the test.

    Args:
        check: the check's id.
        random: names the random quantity that is tested.
        test: the test, with its share of the check's alpha.
        cases: in how many cases of the check the test is made, each with its own draws.
    """
    DECLARED[check, random] = Declared(check, random, test, cases)
    return test


@dataclass(frozen=True, slots=True)
class OfDraws:
    """What tests of `draws` numbers share, each a draw of its own; `alpha` is the false-fail probability."""

    draws: int
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"{self.draws:,}"


@dataclass(frozen=True, slots=True)
class GaussianFit:
    """Tests whether `draws` rows of `elements` numbers are independent N(0, 1): see `gaussian_fit_problems`."""

    draws: int
    elements: int = 1
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"{self.draws:,} × {self.elements}" if self.elements > 1 else f"{self.draws:,}"

    @property
    def statistic(self) -> str:
        return "mean, spread, correlations, Kolmogorov–Smirnov distance, repetitions"

    @property
    def caught(self) -> dict[str, float]:
        n, d, share = self.draws, self.elements, self.alpha / FAMILIES
        comparisons = _comparisons(d)
        caught = {
            "mean": smallest_shift(n * d, share, comparisons),
            "spread": smallest_scale(n * d, share, comparisons) - 1,
            "shape": smallest_distortion(n * d, share),
            "correlation of draws": smallest_correlation(n // 2 * d, share),
            "repetition": smallest_repetition(n, share),
        }
        if d == 1:
            return caught
        return caught | {
            "mean of an element": smallest_shift(n, share, comparisons),
            "spread of an element": smallest_scale(n, share, comparisons) - 1,
            "correlation of elements": smallest_correlation(n, share, d * (d - 1) // 2),
        }

    def problem(self, standardised: Floats, cases: int = 1) -> str | None:
        """Say for the student why these draws are not independent N(0, 1); None if they may be.

        Args:
            standardised: [n] or [n, d]; rows are draws.
            cases: the number of such tests that share `alpha`.
        """
        return gaussian_fit_problems(standardised, self.alpha / cases)


@dataclass(frozen=True, slots=True)
class Independence:
    """Tests whether two vectors of independent N(0, 1) draws are independent of each other."""

    pairs: int
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"{self.pairs:,} pairs"

    @property
    def statistic(self) -> str:
        return "correlation"

    @property
    def caught(self) -> dict[str, float]:
        return {"correlation": smallest_correlation(self.pairs, self.alpha)}

    def correlation(self, first: Array, second: Array) -> float | None:
        """Return the correlation of two arrays if it exceeds chance, else None; infinite if one array is constant."""
        with np.errstate(invalid="ignore", divide="ignore"):
            r = float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
        if np.isnan(r):
            return float("inf")
        return r if abs(r) > correlation_bound(first.size, self.alpha) else None


@dataclass(frozen=True, slots=True)
class TwoDraws:
    """Tests whether two vectors of `numbers` elements are independent draws from N(0, I): three tests share `alpha`."""

    numbers: int
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"2 × {self.numbers:,}"

    @property
    def statistic(self) -> str:
        return "mean, spread, correlation"

    @property
    def caught(self) -> dict[str, float]:
        n, share = self.numbers, self.alpha / 3
        return {
            "mean": smallest_shift(n, share, comparisons=2),
            "spread": smallest_scale(n, share, comparisons=2) - 1,
            **self.independence.caught,
        }

    @property
    def mean(self) -> float:
        """How far the mean of either vector may be from 0."""
        return mean_tolerance(1.0, self.numbers, self.alpha / 3, comparisons=2)

    @property
    def spread(self) -> tuple[float, float]:
        """The bounds on the root mean square of either vector."""
        return spread_bounds(self.numbers, self.alpha / 3, comparisons=2)

    @property
    def independence(self) -> Independence:
        """The test of the correlation of both vectors, with its share of `alpha`."""
        return Independence(self.numbers, self.alpha / 3)


@dataclass(frozen=True, slots=True)
class Share:
    """Tests whether an event has probability `p`, by its share in `draws` draws."""

    draws: int
    p: float
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"{self.draws:,}"

    @property
    def statistic(self) -> str:
        return f"share, against {self.p:g}"

    @property
    def caught(self) -> dict[str, float]:
        return {"share": smallest_bias_of_share(self.draws, self.p, self.alpha)}

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds on the share of draws in which the event happens."""
        return binomial_bounds(self.draws, self.p, self.alpha)


@dataclass(frozen=True, slots=True)
class Strays(OfDraws):
    """Tests whether `draws` numbers all lie as near to 0 as draws from N(0, 1) do."""

    @property
    def statistic(self) -> str:
        return "largest distance from the mode"

    @property
    def caught(self) -> dict[str, float]:
        """How far from its mode a single sample must lie to be caught, whatever its distribution."""
        return {"stray": self.bound}

    @property
    def bound(self) -> float:
        """The bound on the absolute values of all numbers."""
        return z_bound(self.alpha, self.draws)


@dataclass(frozen=True, slots=True)
class Mass:
    """Tests whether a function has the right integral, estimated from two random points in each of `cells` cells.

    The error of the estimate, divided by its standard error, is N(0, 1) by the central limit theorem. The power is
    stated for the standard error `error`.
    """

    cells: int
    error: float
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"2 points in each of {self.cells:,} cells"

    @property
    def statistic(self) -> str:
        return "mass"

    @property
    def caught(self) -> dict[str, float]:
        return {"mass": self.tolerance(self.error) + float(ndtri(POWER)) * self.error}

    def tolerance(self, error: float) -> float:
        """Return how far an estimate with the standard error `error` may be from the right integral."""
        return z_bound(self.alpha) * error


@dataclass(frozen=True, slots=True)
class Gain(OfDraws):
    """Tests whether a density assigns draws from the true one more probability than the true one does.

    No density can do so by more than chance (`evidence_bound`), so a claim that does is no density.
    """

    @property
    def statistic(self) -> str:
        return "log-density beyond the true one, in nats a draw"

    @property
    def caught(self) -> dict[str, float]:
        """The smallest excess in nats per draw that is caught, if it is the same for all draws."""
        return {"gain": self.bound}

    @property
    def bound(self) -> float:
        """The bound on the average excess of the claimed log-density, in nats per draw."""
        return evidence_bound(self.draws, self.alpha)


def in_turns(first: Array, second: Array) -> Array:
    """Return the draws of two calls, [N, …] and [M, …], in turns: one of the first, one of the second, and so on.

    If both calls are drawn independently, so are all of these rows. A row that repeats the one of the other call, even
    with some noise, follows on it, and so shows in a `GaussianFit` as well as in a `PixelFit`; and an exact repetition
    does in whatever order it comes.
    """
    n = min(len(first), len(second))
    return np.stack([first[:n], second[:n]], axis=1).reshape(2 * n, *first.shape[1:])


def gaussian_fit_problems(standardised: Floats, alpha: float = ALPHA) -> str | None:
    """Say for the student why these draws are not independent N(0, 1); None if they may be.

    Six families of sub-tests share `alpha`: rows with the same numbers in some order (draws may repeat anywhere); the
    mean of each column and of all numbers; their standard deviation; the correlation of columns (elements of a draw may
    share noise); the correlation of each row with the next; and the shape of the distribution (Kolmogorov–Smirnov).
    `GaussianFit.caught` states the power.

    Args:
        standardised: [n] or [n, d], n ≥ 10: draws minus their mean, divided by their standard deviation. Rows are
            draws.
        alpha: false-fail probability of all sub-tests together.
    """
    values = np.asarray(standardised, dtype=np.float64)
    values = values.reshape(len(values), -1)
    n, d = values.shape
    if not np.isfinite(values).all():
        return "some of the samples are not finite numbers"
    repeated = _repetition(values)
    if repeated:
        return repeated
    share = alpha / FAMILIES
    for problem in (_ties_problem, _moments_problem, _columns_problem, _rows_problem):
        found = problem(values, share)
        if found:
            return found
    distance = ks_distance(values, ndtr)
    if distance > dkw_bound(n * d, share):
        return f"the samples are not Gaussian: their distribution function is up to {distance:.3f} off the normal one"
    return None


def _repetition(values: Array) -> str | None:
    """Say if all draws, or all elements of each draw, have the same noise: that is the cause of all other problems."""
    same = np.all(np.isclose(values[1:], values[:-1], atol=REPEATED), axis=1)
    if np.mean(same) > ALIKE or _likeness(values) > ALIKE:
        return "all samples have the same noise: draw noise for each of them"
    if _likeness(values.T) > ALIKE:
        return "all elements of a sample have the same noise: draw noise for each of them"
    return None


def _likeness(rows: Array) -> float:
    """Return the average cosine of each row with the next; 0 if rows are too short for it to mean anything."""
    if rows.shape[1] < SHORT or len(rows) < 2:
        return 0.0
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
    return float(np.mean(np.sum(rows[1:] * rows[:-1], axis=1) / (lengths[1:] * lengths[:-1])))


def _ties_problem(values: Array, alpha: float) -> str | None:
    """Say if some draws repeat others: this, too, causes other problems."""
    n, d = values.shape
    gap, most = tie_bounds(n, alpha)
    # The sum of a row of d independent N(0, 1) numbers, divided by √d, is N(0, 1), and equal rows have equal sums.
    ranks = ndtr(values.sum(axis=1) / np.sqrt(d))
    order = np.argsort(ranks)
    elements = np.sort(values, axis=1)[order]
    equal = np.all(np.isclose(elements[1:], elements[:-1], atol=REPEATED), axis=1)
    share = float(np.mean((np.diff(ranks[order]) < gap) & equal))
    if share > most:
        return f"samples repeat the noise of others ({share:.0%} of them do): draw noise for each of them"
    return None


def _moments_problem(values: Array, alpha: float) -> str | None:
    """Say what is wrong with the mean or the standard deviation; each has the probability `alpha` of its own.

    Draws with a large spread also have a mean that is off, by chance. So where both are wrong, the mean is named only
    if it is off for the spread that the draws have.
    """
    mean, spread = _mean_problem(values, alpha), _spread_problem(values, alpha)
    if mean and spread:
        own = np.maximum(values.std(axis=0), np.finfo(np.float32).tiny)
        return mean if _mean_problem(values / own, alpha) else spread
    return mean or spread


def _mean_problem(values: Array, alpha: float) -> str | None:
    for numbers in _parts(values):
        worst = float(np.abs(numbers.mean(axis=0)).max())
        if worst > mean_tolerance(1.0, len(numbers), alpha, _comparisons(values.shape[1])):
            return f"the samples' mean is {worst:.3f} standard deviations away from the right mean"
    return None


def _spread_problem(values: Array, alpha: float) -> str | None:
    for numbers in _parts(values):
        low, high = spread_bounds(len(numbers), alpha, _comparisons(values.shape[1]))
        for spread in np.sqrt(np.mean(numbers**2, axis=0)):
            if not low <= spread <= high:
                return f"the samples' standard deviation is {spread:.3f} times the right standard deviation"
    return None


def _parts(values: Array) -> list[Array]:
    """Return the columns [n, d], each of which is tested, and all numbers as one column [n·d, 1]."""
    return [values, values.reshape(-1, 1)] if values.shape[1] > 1 else [values]


def _comparisons(d: int) -> int:
    return d + 1 if d > 1 else 1


def _columns_problem(values: Array, alpha: float) -> str | None:
    n, d = values.shape
    pairs = d * (d - 1) // 2
    if pairs == 0:
        return None
    with np.errstate(invalid="ignore"):
        matrix = np.atleast_2d(np.corrcoef(values, rowvar=False))
    worst = float(np.abs(matrix[np.triu_indices(d, 1)]).max())
    if worst > correlation_bound(n, alpha, comparisons=pairs):
        return f"the elements of a sample are not independent: two have a correlation of {worst:.2f}, and should have 0"
    return None


def _rows_problem(values: Array, alpha: float) -> str | None:
    n = len(values)
    # Each row is compared with the next in disjoint pairs, so that the pairs are independent.
    first, second = values[0 : n - n % 2 : 2], values[1:n:2]
    with np.errstate(invalid="ignore"):
        r = float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    if abs(r) > correlation_bound(first.size, alpha):
        return f"samples that follow each other are not independent: their correlation is {r:.2f}, and should be 0"
    return None
