"""The diffusion process of Ho, Jain & Abbeel 2020 in NumPy: its sequences, and its exact solution for Gaussian data.

For data from N(m, S), x_t = √ᾱ·x_0 + √(1 − ᾱ)·ε is Gaussian with covariance Σ = ᾱ·S + (1 − ᾱ)·I, so the optimal
prediction of the noise is linear: E[ε | x_t] = √(1 − ᾱ)·Σ⁻¹·(x_t − √ᾱ·m). The reverse process with this prediction
stays Gaussian, and its mean and covariance can be computed step by step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from gengrade.arrays import Array, Array32, Floats, Integers
from gengrade.grading import Rng

TIMES_OF_LARGE_STEPS: Final = 12  # up to so many times, a random schedule has the largest steps
LEAST_BETA: Final = 2e-3  # about the least variance of a step in a random schedule


@dataclass(frozen=True)
class Schedule:
    """The eight sequences [T] of a schedule, computed from the variances β of the forward steps.

    Ho, Jain & Abbeel 2020, section 2.
    """

    betas: Array

    @classmethod
    def linear(cls, start: float, end: float, steps: int) -> Schedule:
        """Return the schedule with evenly spaced β from `start` to `end`: Ho, Jain & Abbeel 2020, section 4."""
        return cls(np.linspace(start, end, steps))

    @classmethod
    def random(cls, rng: Rng, steps: int) -> Schedule:
        """Return a random schedule, which no program can hold as constants: β increases, with random ups and downs.

        With more steps, each adds less noise, so that something of the images is left at the end; but none adds so
        little that single precision could not tell it.
        """
        share = min(1.0, TIMES_OF_LARGE_STEPS / steps)
        rising = np.linspace(max(0.03 * share, LEAST_BETA), 0.35 * share, steps)
        return cls(rising * rng.uniform(0.6, 1.4, steps).astype(np.float64))

    @cached_property
    def sequences(self) -> Mapping[str, Array]:
        """The sequences by name, in the hand-out's order."""
        alphas = 1 - self.betas
        products = np.cumprod(alphas)
        before = np.concatenate([[1.0], products[:-1]])
        return {
            "betas": self.betas,
            "alphas": alphas,
            "sqrt_recip_alphas": 1 / np.sqrt(alphas),
            "alphas_cumprod": products,
            "sqrt_alphas_cumprod": np.sqrt(products),
            "sqrt_one_minus_alphas_cumprod": np.sqrt(1 - products),
            "alphas_cumprod_prev": before,
            "posterior_variance": self.betas * (1 - before) / (1 - products),
        }

    def __getitem__(self, name: str) -> Array:
        return self.sequences[name]

    def injected(self, *names: str) -> list[Array32]:
        """Return the sequences of these names, as inputs of a probe."""
        return [self[name].astype(np.float32) for name in names]

    def noised(self, images: Floats, t: Integers, noise: Floats) -> Array:
        """Return x_t = √ᾱ·x_0 + √(1 − ᾱ)·ε for images x_0 and noise ε [B, …] at times t [B].

        Ho, Jain & Abbeel 2020, equation 4.
        """
        return np.asarray(_at(self["sqrt_alphas_cumprod"], t, images) * images + self.spread(t, images) * noise)

    def noise_in(self, noisy: Floats, images: Floats, t: Integers) -> Array:
        """Return the noise [B, …] that turns images [B, …] into noisy ones at times t [B]: equation 4, solved for ε."""
        found: Array = (noisy - _at(self["sqrt_alphas_cumprod"], t, images) * images) / self.spread(t, images)
        return found

    def spread(self, t: Integers, like: Floats) -> Array:
        """Return √(1 − ᾱ) at times t [B], in a shape that can be multiplied with arrays [B, …] such as `like`."""
        return _at(self["sqrt_one_minus_alphas_cumprod"], t, like)

    def mean_before(self, x: Floats, noise: Floats, t: int) -> Array:
        """Return the mean of x_{t−1} given x_t and predicted noise, both [B, …]: Ho et al. 2020, equation 11."""
        factor = self.betas[t] / self["sqrt_one_minus_alphas_cumprod"][t]
        mean: Array = self["sqrt_recip_alphas"][t] * (x - factor * noise)
        return mean


@dataclass(frozen=True)
class GaussianData:
    """Data from N(mean, covariance) in d dimensions, under a schedule."""

    mean: Array  # [d]
    covariance: Array  # [d, d]
    schedule: Schedule

    @cached_property
    def denoiser(self) -> tuple[Array32, Array32]:
        """A [T, d, d] and b [T, d] of the optimal prediction A[t]·x + b[t] of the noise in x."""
        signal = self.schedule["alphas_cumprod"][:, None, None]
        total = signal * self.covariance + (1 - signal) * np.eye(len(self.mean))
        matrices = self.schedule["sqrt_one_minus_alphas_cumprod"][:, None, None] * np.linalg.inv(total)
        offsets = -np.einsum("tij,t,j->ti", matrices, self.schedule["sqrt_alphas_cumprod"], self.mean)
        return matrices.astype(np.float32), offsets.astype(np.float32)

    @cached_property
    def back(self) -> tuple[Array, Array, Array]:
        """M [T, d, d], c [T, d] and s [T] of a reverse step with that prediction.

        The step is x ← M[t]·x + c[t] + s[t]·z with z ~ N(0, I), where M = (I − β/√(1 − ᾱ)·A)/√α, and s² is the
        posterior variance, except that the last step, t = 0, adds no noise: Ho, Jain & Abbeel 2020, algorithm 2.
        """
        matrices, offsets = (part.astype(np.float64) for part in self.denoiser)
        scale = self.schedule["sqrt_recip_alphas"]
        weight = scale * self.schedule.betas / self.schedule["sqrt_one_minus_alphas_cumprod"]
        spreads = np.sqrt(self.schedule["posterior_variance"]) * (np.arange(len(scale)) > 0)
        steps = scale[:, None, None] * np.eye(len(self.mean)) - weight[:, None, None] * matrices
        return steps, -weight[:, None] * offsets, spreads

    @cached_property
    def drawn(self) -> tuple[Array, Array]:
        """The mean [d] and covariance [d, d] of the samples, after all reverse steps from N(0, I)."""
        mean: Array = np.zeros(len(self.mean))
        covariance: Array = np.eye(len(self.mean))
        for step, offset, spread in reversed(list(zip(*self.back, strict=True))):
            mean = np.asarray(step @ mean + offset, dtype=np.float64)
            covariance = np.asarray(step @ covariance @ step.T + spread**2 * np.eye(len(mean)), dtype=np.float64)
        return mean, covariance

    def standardised(self, samples: Array) -> Array:
        """Return samples [N, d] whitened by the right mean and covariance; for right samples they follow N(0, I)."""
        mean, covariance = self.drawn
        root = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
        return np.asarray(np.linalg.solve(root, (samples - mean).T).T, dtype=np.float64)


def huber(residuals: Array, bend: float = 1.0) -> float:
    """Return the mean Huber loss (Huber 1964): ½r² for residuals |r| ≤ δ, else δ·(|r| − ½δ), where δ is the `bend`."""
    distance = np.abs(residuals)
    return float(np.mean(np.where(distance <= bend, 0.5 * residuals**2, bend * (distance - 0.5 * bend))))


def broken_huber(residuals: Array) -> float:
    """Return the Huber loss with a common mistake: ½r² for |r| ≤ 1, else |r| instead of |r| − ½, with a jump at 1."""
    distance = np.abs(residuals)
    return float(np.mean(np.where(distance <= 1, 0.5 * residuals**2, distance)))


def huber_slope(residuals: Array) -> Array:
    """Return the gradient of `huber` with δ = 1 with respect to the residuals: r, cut off at ±1 (Huber 1964)."""
    return np.asarray(np.clip(residuals, -1, 1) / residuals.size, dtype=np.float64)


def _at(sequence: Array, t: Integers, like: Floats) -> Array:
    return np.asarray(sequence[t].reshape(-1, *[1] * (like.ndim - 1)), dtype=np.float64)
