"""The declared error rates hold, each compared with a simulation at rates that it can measure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, ndtr

from gengrade.arrays import Array, Mask
from gengrade.grading import Rng
from gengrade.grading.checks import known
from graders.common.bernoulli import PixelFit
from graders.common.latents import ends_problem
from graders.common.statistics import (
    ALPHA,
    DECLARED,
    POWER,
    Gain,
    GaussianFit,
    Independence,
    Mass,
    RandomTest,
    Share,
    Strays,
    TwoDraws,
    bernstein_bound,
    binomial_bounds,
    correlation_bound,
    dkw_bound,
    evidence_bound,
    gaussian_fit_problems,
    ks_distance,
    mean_tolerance,
    spread_bounds,
    t_bound,
    z_bound,
)
from graders.ddpm.integers import UniformIntegers
from graders.flow.densities import Plane, log_gaussian
from graders.flow_matching.times import Earliest, UniformTimes
from validation.rates import declared, table

RUNS = 4000
RATE = 0.05


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(20201127)


def agrees(events: Mask) -> bool:
    """Return whether events of declared probability RATE happened about that often: within 5 standard errors."""
    error = np.sqrt(RATE * (1 - RATE) / events.size)
    return bool(abs(events.mean() - RATE) < 5 * error)


def at_most(events: Mask) -> bool:
    """Return whether events of declared probability at most RATE happened no more often."""
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
    assert at_most(np.abs(bits.sum(axis=1) - 200 * p) > bernstein_bound(200 * p * (1 - p), max(p, 1 - p), RATE))


def test_binomial_bounds_reach_the_edges() -> None:
    low, high = binomial_bounds(10, 0.5, ALPHA)
    assert low == pytest.approx(0.0, abs=1e-9)
    assert high == pytest.approx(1.0, abs=1e-9)


def test_binomial_bounds_hold_for_draws_of_different_probabilities(random: np.random.Generator) -> None:
    means = random.uniform(size=300)
    low, high = binomial_bounds(300, float(means.mean()), RATE)
    shares = (random.uniform(size=(RUNS, 300)) < means).mean(axis=1)
    assert at_most((shares < low) | (shares > high))


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_binomial_bounds_of_certain_draws(certain: float) -> None:
    assert binomial_bounds(50, certain) == pytest.approx((certain, certain))


def test_an_honest_density_beats_the_truth_at_most_at_its_rate(random: np.random.Generator) -> None:
    x = random.normal(size=(RUNS, 5))
    # q = N(0.2, 1): log q − log p = 0.2·x − 0.02
    assert at_most((0.2 * x - 0.02).mean(axis=1) > evidence_bound(5, RATE))


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
        (lambda draws: np.repeat(draws[:5_000], 2, axis=0) + 0.1 * np.flip(draws), "follow each other"),
        (repeat_rows, "repeat the noise of others"),
        (lambda draws: np.tile(draws[:2_500], (4, 1)), "repeat the noise of others"),
        (lambda draws: np.tile(draws[:2_500], (4, 1)) + 1e-6 * ndtr(draws), "repeat the noise of others"),
        (lambda draws: np.concatenate([draws[:5_000], draws[:5_000, ::-1]]), "repeat the noise of others"),
        (lambda draws: np.sqrt(12) * (ndtr(draws) - 0.5), "not Gaussian"),
        (np.abs, "mean"),
        (lambda draws: np.where(draws > 8, draws, np.nan), "not finite"),
    ],
)
def test_what_is_not_gaussian_is_named(
    random: np.random.Generator, spoil: Callable[[Array], Array], words: str
) -> None:
    assert words in str(gaussian_fit_problems(spoil(random.normal(size=(10_000, 2)))))


def test_a_large_spread_is_not_taken_for_another_mean(random: np.random.Generator) -> None:
    """A mean of draws with 5 times the right spread is often off, by chance; one of other draws is named beside it."""
    found = [str(gaussian_fit_problems(5 * random.normal(size=(200, 2)))) for _ in range(200)]
    assert all("standard deviation is" in each for each in found)
    both = 5 * random.normal(size=(200, 2)) + 3
    assert "mean" in str(gaussian_fit_problems(both))


def test_the_same_point_again_is_named() -> None:
    point = np.tile([[0.99, -1.01]], (100, 1))  # neither mean nor spread gives this one away in few draws
    assert gaussian_fit_problems(point) is not None


# What the graders declare


class Simulation:
    """Draws honest and false samples for a test, and counts how often the test rejects them."""

    def __init__(self, test: RandomTest, random: np.random.Generator) -> None:
        self.test = test
        self.random = random

    def rejects(self, bias: str = "", size: float = 0.0) -> bool:
        """Return whether the test rejects one sample with a bias of that kind and size."""
        match self.test:
            case GaussianFit(n, d):
                rejected = self.test.problem(self._spoilt(self.random.normal(size=(n, d)), bias, size)) is not None
            case TwoDraws(n, alpha):
                pair = self._spoilt(self.random.normal(size=(n, 2)), _OF_ELEMENTS.get(bias, bias), size)
                rejected = ends_problem(pair[:, :1], pair[:, 1:], alpha) is not None
            case Independence(n):
                pair = self._spoilt(self.random.normal(size=(n, 2)), _OF_ELEMENTS.get(bias, bias), size)
                rejected = self.test.correlation(pair[:, 0], pair[:, 1]) is not None
            case Share(n, p):
                low, high = self.test.bounds
                rejected = not low <= float(np.mean(self.random.uniform(size=n) < p + size)) <= high
            case Strays(n):
                rejected = float(np.abs(self.random.normal(size=n)).max()) > self.test.bound
            case Mass(cells):
                mass, error = self._mass(round(cells**0.5))
                shift = 0.0 if not size else size * error / self.test.error
                rejected = abs(mass + shift - 1) > self.test.tolerance(error)
            case Gain(n):
                x = self.random.normal(size=n)
                rejected = float(np.mean(0.01 * x - 0.01**2 / 2)) > self.test.bound
            case PixelFit(images, logits):
                means = np.tile(expit(np.linspace(-logits, logits, 784)).reshape(1, 28, 28), (images, 1, 1, 1))
                rejected = self.test.problem(self._pixels(means, bias, size), means) is not None
            case UniformIntegers(n, values):
                rejected = self.test.problem(*self._times(n, values, bias, size)) is not None
            case UniformTimes(n):
                rejected = self.test.problem(self._moments(n, bias, size)) is not None
            case Earliest(n):
                rejected = float(self.random.uniform(size=n).min()) > self.test.bound
            case _:
                raise NotImplementedError(f"no simulation of {self.test}")
        return bool(rejected)

    def _spoilt(self, draws: Array, bias: str, size: float) -> Array:
        match bias:
            case "mean":
                draws += size
            case "mean of an element":
                draws[:, 0] += size
            case "spread":
                draws *= 1 + size
            case "spread of an element":
                draws[:, 0] *= 1 + size
            case "shape":  # mass is moved across 0, where the distribution function goes up by `size`
                flipped = (self.random.uniform(size=draws.shape) < 2 * size) & (draws > 0)
                draws[flipped] *= -1
            case "correlation of draws":
                half = len(draws) // 2
                draws[1 : 2 * half : 2] = (
                    size * draws[0 : 2 * half : 2] + np.sqrt(1 - size**2) * draws[1 : 2 * half : 2]
                )
            case "correlation of elements":
                draws[:, 1] = size * draws[:, 0] + np.sqrt(1 - size**2) * draws[:, 1]
            case "repetition":
                repeated = round(size * len(draws))
                draws[len(draws) - repeated :] = draws[:repeated].copy()
                self.random.shuffle(draws)
        return draws

    def _mass(self, cells: int) -> tuple[float, float]:
        plane = Plane(cells)
        points = plane.draw(Rng(int(self.random.integers(2**31))))
        return plane.integral(points, np.exp(log_gaussian(points, np.zeros(2), np.full(2, 0.5))))

    def _times(self, n: int, values: int, bias: str, size: float) -> Array:
        times = self.random.integers(0, values, (2, n)).astype(np.float64)
        if bias == "share":
            times[self.random.uniform(size=times.shape) < size / (1 - 1 / values)] = 0
        if bias == "correlation":
            copied = self.random.uniform(size=times[:, 1::2].shape) < size
            times[:, 1::2] = np.where(copied, times[:, 0::2][:, : copied.shape[1]], times[:, 1::2])
        return times

    def _moments(self, n: int, bias: str, size: float) -> Array:
        """Draw uniform times; their distribution function goes up by `size` at ½, or neighbours are correlated."""
        pairs = self.random.normal(size=(n // 2, 2))
        if bias == "correlation":
            pairs[:, 1] = size * pairs[:, 0] + np.sqrt(1 - size**2) * pairs[:, 1]
        times = ndtr(pairs).reshape(-1)
        if bias == "shape":
            moved = (times > 0.5) & (self.random.uniform(size=times.shape) < 2 * size)
            times = np.where(moved, times - 0.5, times)
        return np.asarray(times)

    def _pixels(self, means: Array, bias: str, size: float) -> Array:
        noise = self.random.normal(size=means.shape)
        if bias == "correlation":  # so many pixels are those of the image before
            copied = self.random.uniform(size=noise[1::2].shape) < size
            noise[1::2] = np.where(copied, noise[0::2], noise[1::2])
        if bias == "correlation of two images":  # which do not follow each other
            copied = self.random.uniform(size=noise[0].shape) < size
            noise[3] = np.where(copied, noise[0], noise[3])
        if bias.startswith("share"):
            low, high = (0.4, 0.5) if bias.endswith("½") else (0.0, 0.1)
            means = np.where((means >= low) & (means < high), means + size, means)
        return (ndtr(noise) < means).astype(np.float64)


_OF_ELEMENTS = {
    "correlation": "correlation of elements",
    "mean": "mean of an element",
    "spread": "spread of an element",
}
_BY_ITSELF = (Strays, Gain, Earliest)  # what they catch is caught for certain
_TESTS = list(dict.fromkeys(each.test for each in declared()))
_LARGE = 100_000  # numbers in a sample, of which a hundred samples take long
_MANY_IMAGES = 256  # of a test of pixels, for which the same holds


def case(test: RandomTest) -> Any:
    """Return a test as a pytest parameter; a large one is slow."""
    large = isinstance(test, GaussianFit) and test.draws * test.elements > _LARGE
    large |= isinstance(test, PixelFit) and test.images >= _MANY_IMAGES
    return pytest.param(test, id=str(test), marks=[pytest.mark.slow] if large else [])


@pytest.mark.parametrize("test", map(case, _TESTS))
def test_honest_draws_are_rejected_at_most_at_the_declared_rate(random: np.random.Generator, test: RandomTest) -> None:
    assert isinstance(
        test,
        GaussianFit
        | Independence
        | TwoDraws
        | Share
        | Strays
        | Mass
        | Gain
        | PixelFit
        | UniformIntegers
        | UniformTimes
        | Earliest,
    )
    simulation = Simulation(replace(test, alpha=RATE), random)
    assert at_most(np.array([simulation.rejects() for _ in range(50 if isinstance(test, PixelFit) else 200)]))


@pytest.mark.sampled(8)
@pytest.mark.parametrize("test", [case(test) for test in _TESTS if not isinstance(test, _BY_ITSELF)])
def test_a_bias_is_caught_with_the_stated_power(random: np.random.Generator, test: RandomTest) -> None:
    for name, bias in test.caught.items():
        caught = np.mean([Simulation(test, random).rejects(name, bias) for _ in range(200)])
        assert caught > POWER - 0.04, name


def test_the_tests_of_a_check_share_one_in_a_million() -> None:
    shares: dict[str, float] = defaultdict(float)
    for each in declared():
        shares[each.check] += each.cases * each.test.alpha
    assert shares
    assert all(share == pytest.approx(ALPHA) for share in shares.values())
    assert set(shares) <= set(known())
    assert len(DECLARED) == len(declared())


def test_the_documentation_lists_what_is_declared() -> None:
    page = (Path(__file__).parents[1] / "docs" / "error-rates.md").read_text()
    assert table() in page, f"docs/error-rates.md should hold this table:\n\n{table()}"
