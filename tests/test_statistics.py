"""The declared error rates hold: each bound against simulation, at rates that a simulation can see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from graders.statistics import (
    ALPHA,
    bernoulli_score,
    bernstein_bound,
    binomial_bounds,
    correlation_bound,
    dkw_bound,
    evidence_bound,
    gaussian_fit_problems,
    hoeffding_bound,
    ks_distance,
    mean_tolerance,
    smallest_scale,
    smallest_shift,
    spread_bounds,
    std_tolerance,
    t_bound,
    z_bound,
)

Array = NDArray[np.float64]

RUNS = 4000
RATE = 0.05


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(20201127)


def agrees(events: NDArray[np.bool_]) -> bool:
    """Whether events of declared probability RATE happened about that often: within 5 standard errors."""
    error = np.sqrt(RATE * (1 - RATE) / events.size)
    return bool(abs(events.mean() - RATE) < 5 * error)


def at_most(events: NDArray[np.bool_]) -> bool:
    """Whether events of declared probability at most RATE happened no more often."""
    return bool(events.mean() < RATE + 5 * np.sqrt(RATE * (1 - RATE) / events.size))


def test_z_bound_is_the_normal_quantile() -> None:
    assert z_bound(0.05) == pytest.approx(1.959964, abs=1e-5)
    assert z_bound(ALPHA) == pytest.approx(4.891638, abs=1e-5)
    assert z_bound(0.05, comparisons=10) == pytest.approx(z_bound(0.005))


def test_t_bound_is_students_quantile() -> None:
    assert t_bound(10, 0.05) == pytest.approx(2.228139, abs=1e-5)


def test_mean_tolerance_is_exceeded_at_its_rate(random: np.random.Generator) -> None:
    means = random.normal(2.0, 3.0, (RUNS, 50)).mean(axis=1)
    assert agrees(np.abs(means - 2.0) > mean_tolerance(3.0, 50, RATE))


def test_spread_bounds_are_exceeded_at_their_rate(random: np.random.Generator) -> None:
    spreads = np.sqrt(np.mean(random.normal(size=(RUNS, 50)) ** 2, axis=1))
    low, high = spread_bounds(50, RATE)
    assert agrees((spreads < low) | (spreads > high))
    assert std_tolerance(2.0, 50, RATE) == pytest.approx(2 * max(1 - low, high - 1))


def test_correlation_bound_is_exceeded_at_its_rate(random: np.random.Generator) -> None:
    pairs = random.normal(size=(RUNS, 2, 30))
    centred = pairs - pairs.mean(axis=2, keepdims=True)
    r = (centred[:, 0] * centred[:, 1]).sum(1) / np.sqrt((centred**2).sum(2).prod(1))
    assert agrees(np.abs(r) > correlation_bound(30, RATE))


def test_dkw_bound_is_exceeded_at_most_at_its_rate(random: np.random.Generator) -> None:
    distances = np.array([ks_distance(random.normal(size=100), ndtr) for _ in range(RUNS)])
    exceeded = distances > dkw_bound(100, RATE)
    assert at_most(exceeded)
    assert exceeded.mean() > RATE / 3  # and it is nearly tight


def test_ks_distance_of_known_points() -> None:
    assert ks_distance(np.array([0.1, 0.9]), lambda x: x) == pytest.approx(0.4)


@pytest.mark.parametrize("p", [0.5, 0.03])
def test_bounds_for_bits_are_exceeded_at_most_at_their_rate(random: np.random.Generator, p: float) -> None:
    bits = (random.uniform(size=(RUNS, 200)) < p).astype(np.float64)
    shares = bits.mean(axis=1)
    low, high = binomial_bounds(200, p, RATE)
    assert low < p < high
    assert at_most((shares < low) | (shares > high))
    assert at_most(np.abs(shares - p) > hoeffding_bound(200, RATE))
    assert at_most(np.abs(shares - p) > np.array([bernstein_bound(row, 1.0, RATE) for row in bits]))


def test_binomial_bounds_reach_the_edges() -> None:
    low, high = binomial_bounds(10, 0.5, ALPHA)
    assert low == pytest.approx(0.0, abs=1e-9)
    assert high == pytest.approx(1.0, abs=1e-9)


def test_bernoulli_score_is_standard_normal(random: np.random.Generator) -> None:
    means = random.uniform(size=(RUNS, 300))
    draws = (random.uniform(size=means.shape) < means).astype(np.float64)
    scores = np.array([bernoulli_score(draw, mean) for draw, mean in zip(draws, means, strict=True)])
    assert agrees(np.abs(scores) > z_bound(RATE))


def test_bernoulli_score_of_certain_bits() -> None:
    certain = np.array([0.0, 1.0, 1.0])
    assert bernoulli_score(certain, certain) == 0.0
    assert bernoulli_score(np.ones(3), certain) == np.inf


def test_an_honest_density_beats_the_truth_at_most_at_its_rate(random: np.random.Generator) -> None:
    x = random.normal(size=(RUNS, 5))
    # q = N(0.2, 1): log q − log p = 0.2·x − 0.02
    assert at_most((0.2 * x - 0.02).mean(axis=1) > evidence_bound(5, RATE))


def test_power_is_as_stated(random: np.random.Generator) -> None:
    shift, scale = smallest_shift(60, RATE), smallest_scale(60, RATE)
    draws = random.normal(size=(RUNS, 60))
    caught_shift = np.abs((draws + shift).mean(axis=1)) > mean_tolerance(1.0, 60, RATE)
    caught_scale = np.sqrt(np.mean((scale * draws) ** 2, axis=1)) > spread_bounds(60, RATE)[1]
    assert caught_shift.mean() == pytest.approx(0.99, abs=0.01)
    assert caught_scale.mean() == pytest.approx(0.99, abs=0.01)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_gaussian_draws_have_no_problems(random: np.random.Generator, d: int) -> None:
    found = np.array([gaussian_fit_problems(random.normal(size=(200, d)), RATE) is not None for _ in range(1500)])
    assert at_most(found)


def repeat_rows(draws: Array) -> Array:
    return np.repeat(draws[: len(draws) // 2], 2, axis=0)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda draws: draws + 0.09, "mean"),
        (lambda draws: 1.07 * draws, "standard deviation"),
        (lambda draws: draws / 1.07, "standard deviation"),
        (lambda draws: np.repeat(draws[:, :1], 2, axis=1), "elements of a sample"),
        (repeat_rows, "follow each other"),
        (lambda draws: np.sqrt(12) * (ndtr(draws) - 0.5), "not Gaussian"),
        (np.abs, "mean"),
        (lambda draws: np.where(draws > 8, draws, np.nan), "not finite"),
    ],
)
def test_what_is_not_gaussian_is_named(
    random: np.random.Generator, spoil: Callable[[Array], Array], words: str
) -> None:
    assert words in str(gaussian_fit_problems(spoil(random.normal(size=(10_000, 2)))))


def test_the_same_point_again_is_named() -> None:
    point = np.tile([[0.99, -1.01]], (100, 1))  # neither mean nor spread gives this one away in few draws
    assert gaussian_fit_problems(point) is not None
