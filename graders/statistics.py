"""Declared error rates: how far may an honest answer stray by chance?

Every check on something random fixes a false-fail probability `alpha` (by default `ALPHA`, one in a million a check)
and gets its tolerance from a function of this module. A check of several comparisons divides `alpha` among them
(Bonferroni), which needs no independence. Only numpy and scipy.special: scipy.stats takes a second to import.

Two kinds of bound stand here. *Exact or conservative*: `mean_tolerance`, `spread_bounds` and `correlation_bound`
(exact for Gaussian draws), `dkw_bound`, `hoeffding_bound`, `bernstein_bound`, `binomial_bounds` and `evidence_bound`
(whatever the law). *Asymptotic*: `bernoulli_score` (the normal approximation of a sum of independent bits). Tests
compare them with simulation. `smallest_shift` and `smallest_scale` state the power: the smallest mistake that a check
of a given size catches with probability 0.99.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr, ndtri, stdtrit

Array = NDArray[np.float64]

ALPHA = 1e-6  # the default false-fail probability of one check
POWER = 0.99  # the probability of catching a mistake, where a check's power is stated


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

    Exact for Gaussian draws; by the central limit theorem for others (use `hoeffding_bound` for bounded ones).
    """
    return z_bound(alpha, comparisons) * std / float(np.sqrt(n))


def spread_bounds(n: int, alpha: float = ALPHA, comparisons: int = 1) -> tuple[float, float]:
    """Between which values the root mean square of `n` standard normal draws lies, but for a probability `alpha`.

    The sum of n squares is χ²(n), so the bounds are √(q/n) with q its quantiles at alpha/2 and 1 − alpha/2. Exact.
    """
    tail = alpha / (2 * comparisons)
    # chdtri(v, p) inverts the survival function
    return float(np.sqrt(chdtri(n, 1 - tail) / n)), float(np.sqrt(chdtri(n, tail) / n))


def std_tolerance(std: float, n: int, alpha: float = ALPHA, comparisons: int = 1) -> float:
    """How far the root mean square of `n` Gaussian draws about their known mean may lie from `std`.

    The larger of the distances from 1 to either of `spread_bounds`, times `std`.
    """
    low, high = spread_bounds(n, alpha, comparisons)
    return std * max(1 - low, high - 1)


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


def hoeffding_bound(n: int, alpha: float = ALPHA, comparisons: int = 1, width: float = 1.0) -> float:
    """How far the mean of `n` independent values, each within an interval of `width`, may lie from its expectation.

    P(|mean − E| > t) ≤ 2·exp(−2nt²/width²), Hoeffding 1963. For any law.
    """
    return width * dkw_bound(n, alpha, comparisons)


def bernstein_bound(samples: Array, width: float, alpha: float = ALPHA) -> float:
    """How far the mean of independent values within an interval of `width` may lie from its expectation.

    |mean − E| ≤ √(2·v·L/n) + 7·width·L/(3(n−1)) with v the sample variance and L = ln(4/alpha): the empirical
    Bernstein inequality of Maurer and Pontil 2009, theorem 4, on both sides. For any law; it beats `hoeffding_bound`
    where v is small.
    """
    n = samples.size
    log_term = float(np.log(4 / alpha))
    return float(np.sqrt(2 * samples.var(ddof=1) * log_term / n)) + 7 * width * log_term / (3 * (n - 1))


def bernoulli_score(draws: Array, means: Array) -> float:
    """The standard score of the sum of 0/1 `draws` with probabilities `means` (same shape): N(0, 1) for honest draws.

    The sum is Poisson-binomial: expectation Σp, variance Σp(1 − p). Compare with `z_bound`. Zero when nothing is
    random; infinite when certain bits are wrong.
    """
    excess = float(np.sum(draws - means))
    variance = float(np.sum(means * (1 - means)))
    if variance < 1e-9:
        return 0.0 if abs(excess) < 1e-6 else float(np.copysign(np.inf, excess))
    return excess / float(np.sqrt(variance))


def binomial_bounds(n: int, p: float, alpha: float = ALPHA, comparisons: int = 1) -> tuple[float, float]:
    """Between which shares the success rate of `n` draws of probability `p` lies, by the Chernoff–Hoeffding bound.

    P(share ≥ q) ≤ exp(−n·KL(q‖p)) for q > p and likewise below (Hoeffding 1963, theorem 1), solved by bisection.
    Never too tight.
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
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [q * np.log(q / p) if q > 0 else 0.0, (1 - q) * np.log((1 - q) / (1 - p)) if q < 1 else 0.0]
    return float(sum(terms))


def smallest_shift(n: int, alpha: float = ALPHA, comparisons: int = 1, power: float = POWER) -> float:
    """The smallest bias of a mean, in standard deviations, that `mean_tolerance` catches with probability `power`."""
    return (z_bound(alpha, comparisons) + float(ndtri(power))) / float(np.sqrt(n))


def smallest_scale(n: int, alpha: float = ALPHA, comparisons: int = 1, power: float = POWER) -> float:
    """The smallest factor above 1 on a standard deviation that `spread_bounds` catches with probability `power`."""
    return spread_bounds(n, alpha, comparisons)[1] / float(np.sqrt(chdtri(n, power) / n))


def gaussian_fit_problems(standardised: NDArray[np.floating], alpha: float = ALPHA) -> str | None:
    """What keeps these draws from being independent N(0, 1), in words for a student; None when nothing does.

    `standardised`: [n] or [n, d] draws, less their mean and over their standard deviation; rows are draws (n ≥ 10).
    Five families of sub-tests share `alpha`: each column's mean, each column's spread, the correlation of columns (the
    elements of a draw share their noise), that of a row with the next (draws repeat), and the shape
    (Kolmogorov–Smirnov). For 10,000 draws of 2 elements, a bias of 0.08 standard deviations or a factor of 1.06 on the
    spread is caught with probability 0.99.
    """
    values = np.asarray(standardised, dtype=np.float64)
    values = values.reshape(len(values), -1)
    n, d = values.shape
    if not np.isfinite(values).all():
        return "some of the samples are not finite"
    share = alpha / 5
    for problem in (_mean_problem, _spread_problem, _columns_problem, _rows_problem):
        found = problem(values, share)
        if found:
            return found
    distance = ks_distance(values, ndtr)
    if distance > dkw_bound(n * d, share):
        return f"the samples are not Gaussian: their distribution function is up to {distance:.3f} off the normal one"
    return None


def _mean_problem(values: Array, alpha: float) -> str | None:
    n, d = values.shape
    worst = float(np.abs(values.mean(axis=0)).max())
    if worst > mean_tolerance(1.0, n, alpha, comparisons=d):
        return f"the samples' mean is {worst:.3f} standard deviations away from the right one"
    return None


def _spread_problem(values: Array, alpha: float) -> str | None:
    n, d = values.shape
    low, high = spread_bounds(n, alpha, comparisons=d)
    for spread in np.sqrt(np.mean(values**2, axis=0)):
        if not low <= spread <= high:
            return f"the samples' standard deviation is {spread:.3f} times the right one"
    return None


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
    shared = float(np.mean(np.all(values[1:] == values[:-1], axis=1)))
    if shared > 0.9:
        return "all samples are the same point: each needs noise of its own"
    with np.errstate(invalid="ignore"):
        r = float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    if abs(r) > correlation_bound(first.size, alpha):
        return f"samples that follow each other are not independent: their correlation is {r:.2f}"
    return None
