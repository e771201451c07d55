"""Declared error rates: how far may an honest answer stray by chance?

Every check on something random fixes a false-fail probability `alpha` (by default `ALPHA`, one in a million a check)
and gets its tolerance from a function of this module. A check of several comparisons divides `alpha` among them
(Bonferroni), which needs no independence. Only numpy and scipy.special: scipy.stats takes a second to import.

Two kinds of bound stand here. *Exact or conservative*: `mean_tolerance`, `spread_bounds` and `correlation_bound`
(exact for Gaussian draws), `dkw_bound`, `bernstein_bound`, `binomial_bounds` and `evidence_bound` (whatever the law).
*Asymptotic*: `z_bound` of a mean over its estimated error. `smallest_shift` and its like state the power: the smallest
mistake that a test of a given size catches with probability `POWER`.

The classes below them are the tests that graders make. A grader declares each where it chooses its size and its share
of the check's `alpha`; docs/error-rates.md lists all that are declared, and tests simulate every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr, ndtri, stdtrit

Array = NDArray[np.float64]

ALPHA = 1e-6  # the default false-fail probability of one check
POWER = 0.99  # the probability of catching a mistake, where a test's power is stated
FAMILIES = 5  # of sub-tests in `gaussian_fit_problems`
ALIKE = 0.9  # a share of pairs, or a cosine, that independent draws come nowhere near
SHORT = 10  # numbers, whose cosine with others may be anything
REPEATED = 1e-3  # draws that near are one: by chance one pair of numbers in 1,700 is


def z_bound(alpha: float = ALPHA, comparisons: int = 1) -> float:
    """The two-sided bound on |Z|, Z ~ N(0, 1), exceeded with probability `alpha` over all `comparisons` together.

    z = −Φ⁻¹(alpha / (2·comparisons)), by Bonferroni's inequality.
    """
    return -float(ndtri(alpha / (2 * comparisons)))


def t_bound(freedom: int, alpha: float = ALPHA) -> float:
    """The two-sided bound on |T| for Student's t with `freedom` degrees of freedom."""
    return -float(stdtrit(freedom, alpha / 2))


def mean_tolerance(std: float, n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """How far the mean of `n` independent draws of known spread `std` may lie from the expectation: z·std/√n.

    Exact for Gaussian draws; by the central limit theorem for others.
    """
    return z_bound(alpha, comparisons) * std / float(np.sqrt(n))


def spread_bounds(n: int, alpha: float = ALPHA, comparisons: int = 1) -> tuple[float, float]:
    """Between which values the root mean square of `n` standard normal draws lies, but for a probability `alpha`.

    The sum of n squares is χ²(n), so the bounds are √(q/n) with q its quantiles at alpha/2 and 1 − alpha/2. Exact.
    """
    tail = alpha / (2 * comparisons)
    # chdtri(v, p) inverts the survival function
    return float(np.sqrt(chdtri(n, 1 - tail) / n)), float(np.sqrt(chdtri(n, tail) / n))


def correlation_bound(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """How large |r|, the sample correlation of `n` independent Gaussian pairs, gets by chance.

    r·√((n−2)/(1−r²)) is Student's t with n − 2 degrees of freedom (Fisher 1915), so r = t/√(n − 2 + t²). Exact.
    """
    t = t_bound(n - 2, alpha / comparisons)
    return t / float(np.sqrt(n - 2 + t * t))


def dkw_bound(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """How far the empirical distribution function of `n` draws may lie from the true one, anywhere.

    P(sup |F_n − F| > ε) ≤ 2·exp(−2nε²): Dvoretzky, Kiefer and Wolfowitz 1956, with Massart's constant (1990).
    For any law.
    """
    return float(np.sqrt(np.log(2 * comparisons / alpha) / (2 * n)))


def ks_distance(samples: Array, cdf: Callable[[Array], Array]) -> float:
    """The Kolmogorov–Smirnov distance sup |F_n − F| of flat `samples` from the distribution function `cdf`."""
    ordered = np.sort(np.asarray(samples, dtype=np.float64).ravel())
    n = ordered.size
    expected = cdf(ordered)
    above = np.arange(1, n + 1) / n - expected
    below = expected - np.arange(n) / n
    return float(max(above.max(), below.max()))


def bernstein_bound(variance: float, largest: float, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """How far the sum of independent values may lie from its expectation.

    `variance`: of the sum; `largest`: how far any one value may lie from its expectation. P(|sum − E| ≥ t) ≤
    2·exp(−t² / 2(variance + largest·t/3)): Bernstein 1924, as in Boucheron, Lugosi and Massart 2013, corollary 2.11;
    solved for t. For any law.
    """
    log_term = float(np.log(2 * comparisons / alpha))
    linear = largest * log_term / 3
    return linear + float(np.sqrt(linear**2 + 2 * variance * log_term))


def binomial_bounds(n: int, p: float, alpha: float = ALPHA, comparisons: int = 1) -> tuple[float, float]:
    """Between which shares the success rate of `n` draws of probability `p` lies, by the Chernoff–Hoeffding bound.

    P(share ≥ q) ≤ exp(−n·KL(q‖p)) for q > p and likewise below (Hoeffding 1963, theorem 1), solved by bisection. Also
    for draws of different probabilities, with `p` their average. Never too tight.
    """
    budget = float(np.log(2 * comparisons / alpha)) / n
    return _bernoulli_kl_inverse(p, budget, towards=0.0), _bernoulli_kl_inverse(p, budget, towards=1.0)


def evidence_bound(n: int, alpha: float = ALPHA) -> float:
    """By how many nats a draw an honest density may beat the true one, on average over `n` draws from the true one.

    E_p[Π q(x_i)/p(x_i)] ≤ 1 when q has at most mass 1, so P(Σ log q(x_i) − log p(x_i) ≥ ln(1/alpha)) ≤ alpha, by
    Markov's inequality. For any q, and with no word about its variance.
    """
    return -float(np.log(alpha)) / n


def _bernoulli_kl_inverse(p: float, budget: float, towards: float) -> float:
    """The q between `p` and `towards` with KL(q‖p) = budget, or `towards` when all of them cost less."""
    near, far = p, towards
    for _ in range(60):
        middle = (near + far) / 2
        if _bernoulli_kl(middle, p) <= budget:
            near = middle
        else:
            far = middle
    return far


def _bernoulli_kl(q: float, p: float) -> float:
    """KL(Bernoulli(q) ‖ Bernoulli(p)) in nats, with 0·log 0 = 0."""
    with np.errstate(divide="ignore"):
        heads = q * (np.log(q) - np.log(p)) if q > 0 else 0.0
        tails = (1 - q) * (np.log1p(-q) - np.log1p(-p)) if q < 1 else 0.0
    return float(heads + tails)


def smallest_shift(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """The smallest bias of a mean, in standard deviations, that `mean_tolerance` catches with probability `POWER`."""
    return (z_bound(alpha, comparisons) + float(ndtri(POWER))) / float(np.sqrt(n))


def smallest_scale(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """The smallest factor above 1 on a standard deviation that `spread_bounds` catches with probability `POWER`."""
    return spread_bounds(n, alpha, comparisons)[1] / float(np.sqrt(chdtri(n, POWER) / n))


def smallest_correlation(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """The smallest correlation of Gaussian pairs that `correlation_bound` catches with probability `POWER`.

    By Fisher's transformation: artanh r is about N(artanh ρ, 1/(n − 3)).
    """
    bound = float(np.arctanh(correlation_bound(n, alpha, comparisons)))
    return float(np.tanh(bound + float(ndtri(POWER)) / np.sqrt(n - 3)))


def smallest_distortion(n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """How far a distribution function must be off, somewhere, for `dkw_bound` to catch it with probability `POWER`.

    There the empirical one falls short by more than ε with probability at most exp(−2nε²) (Hoeffding 1963).
    """
    return dkw_bound(n, alpha, comparisons) + float(np.sqrt(-np.log(1 - POWER) / (2 * n)))


def smallest_bias_of_share(n: int, p: float, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """How far above `p` a probability must be for `binomial_bounds` to catch it with probability `POWER`.

    By the normal approximation; likewise below `p` for one that is ½ or larger.
    """
    _, high = binomial_bounds(n, p, alpha, comparisons)
    return high - p + float(ndtri(POWER)) * float(np.sqrt(high * (1 - high) / n))


class RandomTest(Protocol):
    """A test of something random: its false-fail probability, its size, and what it catches."""

    @property
    def alpha(self) -> float: ...

    @property
    def size(self) -> str:
        """The sample, in words."""

    @property
    def statistic(self) -> str:
        """What is compared, in words."""

    @property
    def caught(self) -> Mapping[str, float]:
        """By kind, the smallest bias that is caught with probability `POWER`."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A test that a grader makes: of which check, on what that is random, and in how many cases of the check."""

    check: str
    random: str
    test: RandomTest
    cases: int


DECLARED: dict[tuple[str, str], Declared] = {}
_Test = TypeVar("_Test", bound=RandomTest)


def declare(check: str, random: str, test: _Test, cases: int = 1) -> _Test:
    """Notes that a check makes this test in so many cases, each on its own draws; returns the test."""
    DECLARED[check, random] = Declared(check, random, test, cases)
    return test


@dataclass(frozen=True, slots=True)
class GaussianFit:
    """Whether `draws` rows of `elements` numbers are independent N(0, 1): see `gaussian_fit_problems`."""

    draws: int
    elements: int = 1
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"{self.draws:,} × {self.elements}" if self.elements > 1 else f"{self.draws:,}"

    @property
    def statistic(self) -> str:
        return "mean, spread, correlations, Kolmogorov–Smirnov distance"

    @property
    def caught(self) -> dict[str, float]:
        n, d, share = self.draws, self.elements, self.alpha / FAMILIES
        comparisons = _comparisons(d)
        caught = {
            "mean": smallest_shift(n * d, share, comparisons),
            "spread": smallest_scale(n * d, share, comparisons) - 1,
            "shape": smallest_distortion(n * d, share),
            "correlation of draws": smallest_correlation(n // 2 * d, share),
        }
        if d == 1:
            return caught
        return caught | {
            "mean of an element": smallest_shift(n, share, comparisons),
            "spread of an element": smallest_scale(n, share, comparisons) - 1,
            "correlation of elements": smallest_correlation(n, share, d * (d - 1) // 2),
        }

    def problem(self, standardised: NDArray[np.floating], cases: int = 1) -> str | None:
        """What keeps these draws, one of so many `cases`, from being independent N(0, 1); None when nothing does."""
        return gaussian_fit_problems(standardised, self.alpha / cases)


@dataclass(frozen=True, slots=True)
class Independence:
    """Whether two vectors of independent N(0, 1) draws are independent of each other."""

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
        """The correlation of two arrays of one size, when it is no accident; infinite when one of them is constant."""
        with np.errstate(invalid="ignore", divide="ignore"):
            r = float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
        if np.isnan(r):
            return float("inf")
        return r if abs(r) > correlation_bound(first.size, self.alpha) else None


@dataclass(frozen=True, slots=True)
class TwoDraws:
    """Whether two vectors of so many `numbers` are independent draws from N(0, I): three tests share `alpha`."""

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
        """How far the mean of either may lie from 0."""
        return mean_tolerance(1.0, self.numbers, self.alpha / 3, comparisons=2)

    @property
    def spread(self) -> tuple[float, float]:
        """Between which values the root mean square of either lies."""
        return spread_bounds(self.numbers, self.alpha / 3, comparisons=2)

    @property
    def independence(self) -> Independence:
        return Independence(self.numbers, self.alpha / 3)


@dataclass(frozen=True, slots=True)
class Share:
    """Whether something happens with probability `p`."""

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
        return binomial_bounds(self.draws, self.p, self.alpha)


@dataclass(frozen=True, slots=True)
class Strays:
    """Whether numbers lie as near to 0 as all of so many N(0, 1) draws do."""

    draws: int
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"{self.draws:,}"

    @property
    def statistic(self) -> str:
        return "largest distance from the mode"

    @property
    def caught(self) -> dict[str, float]:
        """How far a single stray has to lie, whatever it is a draw of."""
        return {"stray": self.bound}

    @property
    def bound(self) -> float:
        return z_bound(self.alpha, self.draws)


@dataclass(frozen=True, slots=True)
class Mass:
    """Whether the integral of a function is what it should be, by stratified random points: two in each cell.

    The estimate over its standard error is N(0, 1) by the central limit theorem. `error`: the usual standard error, for
    which the power is stated.
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
        """How far an integral with that standard error may be off."""
        return z_bound(self.alpha) * error


@dataclass(frozen=True, slots=True)
class Gain:
    """Whether a density could explain draws from another one so much better than that one does itself."""

    draws: int
    alpha: float = ALPHA

    @property
    def size(self) -> str:
        return f"{self.draws:,}"

    @property
    def statistic(self) -> str:
        return "log-density beyond the true one, in nats a draw"

    @property
    def caught(self) -> dict[str, float]:
        """What a claim gains on each draw, where it is the same on all."""
        return {"gain": self.bound}

    @property
    def bound(self) -> float:
        return evidence_bound(self.draws, self.alpha)


def gaussian_fit_problems(standardised: NDArray[np.floating], alpha: float = ALPHA) -> str | None:
    """What keeps these draws from being independent N(0, 1), in words for a student; None when nothing does.

    `standardised`: [n] or [n, d] draws, less their mean and over their standard deviation; rows are draws (n ≥ 10).
    Five families of sub-tests share `alpha`: the mean of each column and of all numbers, likewise the spread, the
    correlation of columns (the elements of a draw share their noise), that of a row with the next (draws repeat), and
    the shape (Kolmogorov–Smirnov). `GaussianFit.caught` is its power.
    """
    values = np.asarray(standardised, dtype=np.float64)
    values = values.reshape(len(values), -1)
    n, d = values.shape
    if not np.isfinite(values).all():
        return "some of the samples are not finite"
    repeated = _repetition(values)
    if repeated:
        return repeated
    share = alpha / FAMILIES
    for problem in (_mean_problem, _spread_problem, _columns_problem, _rows_problem):
        found = problem(values, share)
        if found:
            return found
    distance = ks_distance(values, ndtr)
    if distance > dkw_bound(n * d, share):
        return f"the samples are not Gaussian: their distribution function is up to {distance:.3f} off the normal one"
    return None


def _repetition(values: Array) -> str | None:
    """Draws that are one and the same, which shows in every test, and is the cause."""
    same = np.all(np.isclose(values[1:], values[:-1], atol=REPEATED), axis=1)
    if np.mean(same) > ALIKE or _likeness(values) > ALIKE:
        return "all samples have the same noise: each needs its own"
    if _likeness(values.T) > ALIKE:
        return "all elements of a sample have the same noise: each needs its own"
    return None


def _likeness(rows: Array) -> float:
    """The average cosine of each row with the next; 0 where they are too short to tell."""
    if rows.shape[1] < SHORT or len(rows) < 2:
        return 0.0
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
    return float(np.mean(np.sum(rows[1:] * rows[:-1], axis=1) / (lengths[1:] * lengths[:-1])))


def _mean_problem(values: Array, alpha: float) -> str | None:
    for numbers in _parts(values):
        worst = float(np.abs(numbers.mean(axis=0)).max())
        if worst > mean_tolerance(1.0, len(numbers), alpha, _comparisons(values.shape[1])):
            return f"the samples' mean is {worst:.3f} standard deviations away from the right one"
    return None


def _spread_problem(values: Array, alpha: float) -> str | None:
    for numbers in _parts(values):
        low, high = spread_bounds(len(numbers), alpha, _comparisons(values.shape[1]))
        for spread in np.sqrt(np.mean(numbers**2, axis=0)):
            if not low <= spread <= high:
                return f"the samples' standard deviation is {spread:.3f} times the right one"
    return None


def _parts(values: Array) -> list[Array]:
    """The columns [n, d], each a sample; and all numbers [n·d, 1] as one."""
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
        return f"the elements of a sample are not independent: their correlation is {worst:.2f}"
    return None


def _rows_problem(values: Array, alpha: float) -> str | None:
    n = len(values)
    # every second row with its neighbour: disjoint pairs, hence independent ones
    first, second = values[0 : n - n % 2 : 2], values[1:n:2]
    with np.errstate(invalid="ignore"):
        r = float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    if abs(r) > correlation_bound(first.size, alpha):
        return f"samples that follow each other are not independent: their correlation is {r:.2f}"
    return None
