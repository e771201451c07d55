"""The numbers that the host computes for a VAE, and the test that tells real draws from false ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from graders.common.bernoulli import PixelFit, cross_entropies, gaussian_kl
from validation.workbench import REFERENCE, Workbench

FIT = PixelFit(images=64, logits=4)


def test_the_divergence_is_the_integral() -> None:
    """KL(q ‖ p) = ∫ q log q/p, by quadrature in one dimension."""
    for mean, std in ((0.0, 1.0), (1.5, 0.3), (-0.7, 2.0)):

        def integrand(x: float, mean: float = mean, std: float = std) -> float:
            log_q = -0.5 * ((x - mean) / std) ** 2 - np.log(std)
            return float(np.exp(log_q) / np.sqrt(2 * np.pi) * (log_q + 0.5 * x**2))

        expected, _ = quad(integrand, mean - 12 * std, mean + 12 * std)
        assert gaussian_kl(np.array([[mean]]), np.log(np.array([[std]])))[0] == pytest.approx(expected, abs=1e-6)


def test_the_divergence_sums_over_latents_and_survives_overflow() -> None:
    mean, log_std = np.ones((2, 3)), np.zeros((2, 3))
    np.testing.assert_allclose(gaussian_kl(mean, log_std), 1.5)
    assert gaussian_kl(mean, log_std + 1000)[0] == np.inf


def test_cross_entropies_of_logits_and_of_means() -> None:
    rng = np.random.default_rng(0)
    means = rng.uniform(0.1, 0.9, (4, 1, 28, 28))
    images = (rng.random(means.shape) < means).astype(float)
    expected = -np.sum(images * np.log(means) + (1 - images) * np.log(1 - means), axis=(1, 2, 3))
    (from_logits,) = cross_entropies(images, np.log(means / (1 - means)))
    np.testing.assert_allclose(from_logits, expected)
    np.testing.assert_allclose(cross_entropies(images, means)[1], expected)


def test_honest_draws_have_no_problem() -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        means = rng.uniform(0, 1, (64, 1, 28, 28))
        assert FIT.problem((rng.random(means.shape) < means).astype(float), means) is None


@pytest.mark.parametrize("certainty", [0.001, 0.01, 0.2])
def test_honest_draws_of_extreme_means_have_no_problem(certainty: float) -> None:
    """All of a few uncertain pixels may be drawn as they would be rounded, and a rare pixel may be set."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        means = np.where(rng.random((8, 1, 28, 28)) < 0.5, certainty**2, 1 - certainty**2)
        means[0, 0, 0, :5] = 0.6
        assert FIT.problem((rng.random(means.shape) < means).astype(float), means) is None


def test_certain_pixels_have_to_be_as_they_are() -> None:
    means = np.tile([0.0, 1.0], (64, 1, 28, 14))
    assert FIT.problem(means.copy(), means) is None
    samples = means.copy()
    samples[0, 0, 0, :4] = [1, 0, 1, 0]
    assert FIT.problem(samples, means) is not None


@pytest.mark.parametrize("seed", range(3))
def test_what_only_looks_like_draws_is_told_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    means = rng.uniform(0, 1, (64, 1, 28, 28))
    shared = rng.random((1, 1, 28, 28))
    for samples, words in (
        (np.round(means), "threshold"),
        (means, "Bernoulli"),
        ((rng.random(means.shape) < np.sqrt(means)).astype(float), "do not fit their means"),
        ((shared < means).astype(float), "images are not independent"),
    ):
        problem = FIT.problem(samples, means)
        assert problem is not None
        assert words in problem


@pytest.mark.parametrize("count", [64, 512])
def test_shared_coins_are_named_by_what_shares_them(count: int) -> None:
    """One coin for all pixels leaves so few independent draws that images seem to depend on each other, too."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        logits = rng.uniform(-4, 4, (1, 1, 28, 28)) + 0.2 * rng.normal(size=(count, 1, 28, 28))
        means = 1 / (1 + np.exp(-logits))
        for shape, words in (((count, 1, 1, 1), "neighbouring pixels"), ((1, 1, 28, 28), "different images")):
            problem = FIT.problem((rng.random(shape) < means).astype(float), means)
            assert problem is not None
            assert f"{words} are not independent" in problem


@pytest.mark.slow
def test_a_short_training_reaches_the_rubrics_threshold(workbench: Workbench) -> None:
    observed = workbench.observe(REFERENCE, "vae.train_bpd")
    assert 0.15 < observed.measures["vae.train_bpd"] <= 0.21
    assert 0.15 < observed.measures["vae.test_bpd"] <= 0.22
    assert len(observed.figures) >= 5


def test_samples_that_no_decoder_made_are_refused(workbench: Workbench) -> None:
    """Samples of ones with means of one are Bernoulli draws, but no decoder gives such means."""
    forged = "        return torch.ones(batch_size, 1, 28, 28), torch.ones(batch_size, 1, 28, 28)\n"
    folder = workbench.variant({"part1/train_torch.py": [("        z = ", f"{forged}        z = ")]})
    assert set(workbench.failing(folder, "vae.sample")) == {"vae.sample"}
