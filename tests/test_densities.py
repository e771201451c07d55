"""The score of a claimed density is right for densities, and dishonest claims do not raise it."""

from __future__ import annotations

import numpy as np
import pytest

from gengrade.arrays import Floats
from gengrade.grading import Rng
from graders.common.units import BITS
from graders.flow.densities import Mixture, Square, Truth, density_of, judge, log_gaussian

MODES = Mixture(mus=np.array([[1.0, 1.0], [-1.0, -1.0]]), sigmas=np.full((2, 2), 0.3))
TRUTH = Truth(MODES, Square(limit=2.5, cells=140))
WIDE = Mixture(mus=MODES.mus, sigmas=1.2 * MODES.sigmas)


@pytest.fixture
def rng() -> Rng:
    return Rng(3)


def test_gaussian_log_density_of_known_values() -> None:
    x = np.array([[0.0, 0.0], [2.0, 0.0]])
    expected = [-np.log(2 * np.pi) - np.log(2.0), -np.log(2 * np.pi) - np.log(2.0) - 0.5]
    assert log_gaussian(x, np.zeros(2), np.array([2.0, 1.0])) == pytest.approx(expected)


def test_entropy_of_the_practicals_target() -> None:
    assert TRUTH.entropy * BITS / 2 == pytest.approx(0.8101, abs=5e-5)


def test_entropy_of_a_gaussian_is_the_closed_form() -> None:
    one = Mixture(mus=np.zeros((2, 2)), sigmas=np.full((2, 2), 0.3))
    assert Truth(one, TRUTH.square).entropy == pytest.approx(np.log(2 * np.pi * np.e * 0.09), abs=1e-6)


def test_integral_finds_the_mass_within_its_error(rng: Rng) -> None:
    square = Square(limit=2.5, cells=60)
    off = []
    for _ in range(200):
        mass, error = square.integral(density_of(MODES.log_prob(square.draw(rng))))
        off.append((mass - 1) / error)
    assert np.std(off) == pytest.approx(1, abs=0.25)
    assert abs(np.mean(off)) < 0.4


def test_points_lie_in_their_cells_and_pictures_stand_upright(rng: Rng) -> None:
    square = Square(limit=1.0, cells=4)
    points = square.draw(rng)
    assert (np.abs(points - np.concatenate([square.centres, square.centres])) <= 0.25).all()
    rows = square.picture(points[:, 1])
    assert (np.diff(rows.mean(axis=1)) > 0).all()  # rows run along the second coordinate


def claims(rng: Rng) -> tuple[Floats, Floats]:
    return TRUTH.sample(rng, 20_000), TRUTH.square.draw(rng)


def test_the_target_itself_scores_its_entropy(rng: Rng) -> None:
    points, cells = claims(rng)
    verdict = judge(TRUTH, points, MODES.log_prob(points), MODES.log_prob(cells))
    assert verdict.problem is None
    assert verdict.mass == pytest.approx(1, abs=0.005)
    assert verdict.bits == pytest.approx(0.8101, abs=0.001)


def test_another_density_scores_its_cross_entropy(rng: Rng) -> None:
    points, cells = claims(rng)
    verdict = judge(TRUTH, points, WIDE.log_prob(points), WIDE.log_prob(cells))
    # KL(N(μ, σ²) ‖ N(μ, (1.2σ)²)) for each dimension, in nats; the modes do not overlap
    divergence = np.log(1.2) + 1 / (2 * 1.44) - 0.5
    assert verdict.problem is None
    assert verdict.bits == pytest.approx(0.8101 + divergence * BITS, abs=0.003)


def test_points_without_a_finite_density_cost_and_do_not_break(rng: Rng) -> None:
    points, cells = claims(rng)
    at_points = MODES.log_prob(points)
    at_points[:20], at_points[20:40] = np.nan, np.inf
    verdict = judge(TRUTH, points, at_points, MODES.log_prob(cells))
    assert verdict.problem is None
    assert 0.812 < verdict.bits < 0.83


def test_a_scaled_density_has_too_much_mass(rng: Rng) -> None:
    points, cells = claims(rng)
    verdict = judge(TRUTH, points, MODES.log_prob(points) + 0.1, MODES.log_prob(cells) + 0.1)
    assert verdict.problem == "too much mass"


@pytest.mark.parametrize("huge", [1e30, 600.0])
def test_huge_claims_have_too_much_mass(rng: Rng, huge: float) -> None:
    points, cells = claims(rng)
    assert judge(TRUTH, points, np.full(len(points), huge), np.full(len(cells), huge)).problem == "too much mass"


def test_claiming_no_mass_between_the_samples_is_impossible(rng: Rng) -> None:
    """A dishonest density recognises points of the integration, claims no mass there, and more elsewhere."""
    points, cells = claims(rng)
    side = 5 / 140
    crowd = {tuple(cell) for cell in np.floor(points / side).astype(int).tolist()}
    alone = np.array([tuple(cell) not in crowd for cell in np.floor(cells / side).astype(int).tolist()])
    at_cells = np.where(alone, -np.inf, MODES.log_prob(cells))
    mass, _ = TRUTH.square.integral(density_of(at_cells))
    assert mass < 0.97
    verdict = judge(TRUTH, points, MODES.log_prob(points) - np.log(mass), at_cells - np.log(mass))
    assert verdict.problem == "impossible"


def test_knowing_which_points_count_is_impossible(rng: Rng) -> None:
    points, cells = claims(rng)
    assert judge(TRUTH, points, np.full(len(points), 5.0), np.full(len(cells), -np.inf)).problem == "impossible"


def test_honest_densities_are_not_refused(rng: Rng) -> None:
    for seed in range(50):
        points, cells = claims(Rng(seed))
        near = Mixture(mus=MODES.mus + 0.02 * rng.normal(2, 2), sigmas=MODES.sigmas)
        assert judge(TRUTH, points, near.log_prob(points), near.log_prob(cells)).problem is None
