"""The measures of samples agree with cases whose results are known."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from numpy.typing import NDArray

from gengrade.arrays import Array, Pixels
from gengrade.data import DataSet, Split
from gengrade.grading import Mismatch, Rng
from graders.common.latents import arrangements, ends_problem, line_problem, trace
from graders.common.quality import copied, coverage, frechet, nearest_distances, progress
from graders.common.samples import decoded, expect_same, refuse_company


def _normal(seed: int, n: int, d: int) -> Array:
    return np.random.default_rng(seed).standard_normal((n, d))


def test_frechet_of_gaussians() -> None:
    """Between N(0, I) and N(m, s²I) it is ‖m‖² + d·(1 − s)²."""
    first = _normal(0, 200_000, 3)
    second = 2 * _normal(1, 200_000, 3) + np.array([1.0, -2.0, 0.5])
    assert frechet(first, second) == pytest.approx(5.25 + 3, rel=0.02)


def test_frechet_of_dependent_features() -> None:
    """In two dimensions, tr (C₁C₂)^½ is √(tr C₁C₂ + 2√det C₁C₂)."""
    mix = np.array([[1.0, 0.8], [0.0, 0.6]])
    first, second = _normal(0, 5000, 2), _normal(1, 5000, 2) @ mix
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = np.sqrt(np.trace(c1 @ c2) + 2 * np.sqrt(np.linalg.det(c1 @ c2)))
    mean = first.mean(axis=0) - second.mean(axis=0)
    assert frechet(first, second) == pytest.approx(mean @ mean + np.trace(c1) + np.trace(c2) - 2 * root)


def test_frechet_is_zero_for_the_same_and_finite_for_collapsed_samples() -> None:
    features = _normal(0, 500, 8)
    assert frechet(features, features) == pytest.approx(0, abs=1e-9)
    assert frechet(np.zeros((500, 8)), features) == pytest.approx(np.trace(np.cov(features, rowvar=False)), rel=0.1)


def test_progress() -> None:
    assert progress(1000, 1000, 250) == 0
    assert progress(500, 1000, 250) == pytest.approx(0.5)
    assert progress(250, 1000, 250) == pytest.approx(1)
    assert progress(3000, 1000, 250) == 0
    assert np.isfinite(progress(0, 1000, 0))
    assert progress(500, 0, 0) == 0


def test_coverage_of_the_same_distribution() -> None:
    """About 1 − 2⁻ᵏ for as many samples as real ones; Naeem et al. 2020, section 3.3."""
    assert coverage(_normal(0, 1000, 8), _normal(1, 1000, 8), neighbours=5) == pytest.approx(1 - 2**-5, abs=0.02)


def test_coverage_of_collapsed_and_foreign_samples() -> None:
    real = _normal(0, 1000, 8)
    assert coverage(real, np.repeat(real[:1], 1000, axis=0)) < 0.05
    assert coverage(real, _normal(1, 1000, 8) + 20) == 0


def test_copies_are_seen() -> None:
    random = np.random.default_rng(0)
    training, heldout, new = (random.integers(0, 256, (n, 28, 28), dtype=np.uint8) for n in (6000, 50, 50))

    def split(images: Pixels) -> Split:
        return Split(images, np.zeros(len(images), np.int64))

    data = DataSet("noise", split(training), split(heldout[:25]), split(heldout[25:]))

    def share(samples: Pixels) -> float:
        return copied(samples, data)

    assert share(new) == 0
    assert share(training[-50:]) == share(heldout) == 1
    noisy = np.clip(training[:50] + random.normal(0, 5, (50, 28, 28)), 0, 255).astype(np.uint8)
    assert share(np.concatenate([noisy, new])) == 0.5
    moved = np.roll(training[:50], (1, -1), axis=(1, 2))
    assert share(np.concatenate([moved, new])) == 0.5


def test_nearest_distances() -> None:
    black, white = np.zeros((1, 28, 28), np.uint8), np.full((1, 28, 28), 255, np.uint8)
    grey = np.full((1, 28, 28), 51, np.uint8)
    assert nearest_distances(grey, np.concatenate([white, black]))[0] == pytest.approx(0.2 * 28, rel=1e-3)


def _strips(n: int = 48, steps: int = 5, d: int = 48) -> Array:
    first, last = _normal(0, n, d)[:, None], _normal(1, n, d)[:, None]
    return first + np.linspace(0, 1, steps)[None, :, None] * (last - first)


def test_lines() -> None:
    strips = _strips()
    assert line_problem(strips) is None
    assert line_problem(strips[:, ::-1]) is None
    assert line_problem(strips[:, [0, 1, 3, 4]]) is not None
    assert line_problem(strips[:, [0, 4]]) is not None


def test_ends_hold_their_error_rate() -> None:
    """At a false-fail probability of 1 in 10, at most about 1 in 10 of right ends fail (three tests, each bounded)."""
    failed = sum(
        ends_problem(_normal(2 * i, 20, 8), _normal(2 * i + 1, 20, 8), alpha=0.1) is not None for i in range(400)
    )
    assert failed <= 60


def test_tracing_and_arranging() -> None:
    strips = _strips(n=4, d=6)
    latents = strips.swapaxes(0, 1).reshape(-1, 6)  # decoded step by step
    images = np.tanh(latents @ _normal(2, 6, 20))
    found = trace(images[::-1], images, latents)
    assert found is not None
    np.testing.assert_array_equal(found, latents[::-1])
    assert trace(images + 0.01, images, latents) is None
    by_strip, by_step = arrangements(latents, 4)
    assert line_problem(by_strip) is not None
    np.testing.assert_allclose(by_step, strips)
    assert arrangements(latents[:-1], 4) == []


def test_images_are_decoded_in_an_order_of_the_hosts() -> None:
    asked: list[NDArray[np.intp]] = []

    def decode(places: NDArray[np.intp]) -> Pixels:
        asked.append(places)
        return np.broadcast_to((places % 251).astype(np.uint8)[:, None, None], (len(places), 28, 28))

    rng = Rng(0)
    images = decoded(decode, 300, rng)
    assert np.array_equal(images[:, 0, 0], np.arange(300) % 251)
    assert not np.array_equal(asked[0], np.arange(300))
    refuse_company(images, decode, rng)


@pytest.mark.parametrize(("moved", "refused"), [(0.0, False), (0.1, False), (1.0, True)])
def test_images_that_depend_on_their_company_are_refused(moved: float, refused: bool) -> None:
    """Those of a network that norms its batch move by a few per cent of how far they are apart."""
    rng = np.random.default_rng(0)
    images, others = rng.integers(0, 256, (2, 50, 28, 28))
    again = ((1 - moved) * images + moved * others).astype(np.uint8)
    with pytest.raises(Mismatch, match="which others") if refused else nullcontext():
        expect_same(images.astype(np.uint8), again)
    same = np.repeat(images[:1], 50, axis=0).astype(np.uint8)  # a generator that collapsed
    expect_same(same, same)
