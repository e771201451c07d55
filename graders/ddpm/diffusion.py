"""The diffusion process of Ho, Jain and Abbeel (2020) in numpy: its sequences, and what it makes of Gaussian data.

For data from N(m, S), x_t = √ᾱ·x_0 + √(1 − ᾱ)·ε is Gaussian with covariance Σ = ᾱ·S + (1 − ᾱ)·I, so that the best
guess of the noise is linear, E[ε | x_t] = √(1 − ᾱ)·Σ⁻¹·(x_t − √ᾱ·m). A process that goes back by that guess stays
Gaussian, and its mean and covariance follow step by step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import Rng

Array = NDArray[np.float64]
Numbers = NDArray[np.floating]
Array32 = NDArray[np.float32]


@dataclass(frozen=True)
class Schedule:
    """The eight sequences [T] that follow from the variances β."""

    betas: Array

    @classmethod
    def linear(cls, start: float, end: float, steps: int) -> Schedule:
        return cls(np.linspace(start, end, steps))

    @classmethod
    def random(cls, rng: Rng, steps: int) -> Schedule:
        """Not one that anybody would have written into a program: increasing on the whole, up and down in detail."""
        return cls(np.linspace(0.03, 0.35, steps) * rng.uniform(0.6, 1.4, steps).astype(np.float64))

    @cached_property
    def sequences(self) -> Mapping[str, Array]:
        """By name, in the hand-out's order."""
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
        """Some of them as inputs of a probe."""
        return [self[name].astype(np.float32) for name in names]

    def noised(self, images: Numbers, t: NDArray[np.int64], noise: Numbers) -> Array:
        """√ᾱ·x_0 + √(1 − ᾱ)·ε for images [B, …] at times [B]: equation 4."""
        return np.asarray(_at(self["sqrt_alphas_cumprod"], t, images) * images + self.spread(t, images) * noise)

    def noise_in(self, noisy: Numbers, images: Numbers, t: NDArray[np.int64]) -> Array:
        """What the noise must have been."""
        found: Array = (noisy - _at(self["sqrt_alphas_cumprod"], t, images) * images) / self.spread(t, images)
        return found

    def spread(self, t: NDArray[np.int64], like: Numbers) -> Array:
        return _at(self["sqrt_one_minus_alphas_cumprod"], t, like)

    def mean_before(self, x: Numbers, noise: Numbers, t: int) -> Array:
        """The mean of x_{t−1} given x_t and the predicted noise: equation 11."""
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
        """A [T, d, d] and b [T, d] of the best guess of the noise, A[t]·x + b[t]."""
        signal = self.schedule["alphas_cumprod"][:, None, None]
        total = signal * self.covariance + (1 - signal) * np.eye(len(self.mean))
        matrices = self.schedule["sqrt_one_minus_alphas_cumprod"][:, None, None] * np.linalg.inv(total)
        offsets = -np.einsum("tij,t,j->ti", matrices, self.schedule["sqrt_alphas_cumprod"], self.mean)
        return matrices.astype(np.float32), offsets.astype(np.float32)

    @cached_property
    def back(self) -> tuple[Array, Array, Array]:
        """M [T, d, d], c [T, d] and s [T] of a step back by that guess, x ← M[t]·x + c[t] + s[t]·z with z ~ N(0, I).

        M = (I − β/√(1 − ᾱ)·A)/√α and s² = β̃, but for the last step, t = 0, which is without noise.
        """
        matrices, offsets = (part.astype(np.float64) for part in self.denoiser)
        scale = self.schedule["sqrt_recip_alphas"]
        weight = scale * self.schedule.betas / self.schedule["sqrt_one_minus_alphas_cumprod"]
        spreads = np.sqrt(self.schedule["posterior_variance"]) * (np.arange(len(scale)) > 0)
        steps = scale[:, None, None] * np.eye(len(self.mean)) - weight[:, None, None] * matrices
        return steps, -weight[:, None] * offsets, spreads

    @cached_property
    def drawn(self) -> tuple[Array, Array]:
        """The mean [d] and covariance [d, d] of what comes out at the end of all steps back from N(0, I)."""
        mean: Array = np.zeros(len(self.mean))
        covariance: Array = np.eye(len(self.mean))
        for step, offset, spread in reversed(list(zip(*self.back, strict=True))):
            mean = np.asarray(step @ mean + offset, dtype=np.float64)
            covariance = np.asarray(step @ covariance @ step.T + spread**2 * np.eye(len(mean)), dtype=np.float64)
        return mean, covariance

    def standardised(self, samples: Array) -> Array:
        """Samples [N, d] less their mean, whitened: N(0, I) where they are as they should be."""
        mean, covariance = self.drawn
        root = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
        return np.asarray(np.linalg.solve(root, (samples - mean).T).T, dtype=np.float64)


def huber(residuals: Array, bend: float = 1.0) -> float:
    """The mean of ½r² where |r| ≤ δ, and of δ·(|r| − ½δ) beyond: Huber 1964, where δ is the `bend`."""
    distance = np.abs(residuals)
    return float(np.mean(np.where(distance <= bend, 0.5 * residuals**2, bend * (distance - 0.5 * bend))))


def broken_huber(residuals: Array) -> float:
    """The mean of ½r² where |r| ≤ 1, and of |r| beyond, which jumps: the Huber loss without the ½ of its lines."""
    distance = np.abs(residuals)
    return float(np.mean(np.where(distance <= 1, 0.5 * residuals**2, distance)))


def huber_slope(residuals: Array) -> Array:
    """The gradient of `huber` by the residuals."""
    return np.asarray(np.clip(residuals, -1, 1) / residuals.size, dtype=np.float64)


def _at(sequence: Array, t: NDArray[np.int64], like: Numbers) -> Array:
    return np.asarray(sequence[t].reshape(-1, *[1] * (like.ndim - 1)), dtype=np.float64)
