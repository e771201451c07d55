"""Gaussian probability paths in NumPy: Lipman et al. 2023, section 4, and their closed forms for mixtures.

A path p_t(x|z) = N(α(t)z, β(t)²I) leads from noise at t = 0 to the point z at t = 1. For data from a mixture of
Gaussians N(m, s²I), the marginal p_t is the mixture of N(αm, vI) with v = α²s² + β². Its score and its vector field are
averages of those of the modes, weighted by the probabilities of the modes given x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from gengrade.arrays import Array, Floats
from gengrade.grading import Rng


@dataclass(frozen=True)
class Powers:
    """The schedules α(t) = tᵃ and β(t) = (1 − t)ᵇ. Those of the hand-out have a = 1 and b = ½. Times are [B, 1]."""

    a: float = 1.0
    b: float = 0.5

    @classmethod
    def random(cls, rng: Rng) -> Powers:
        """Return random schedules, which no program can contain as constants."""
        a, b = rng.uniform(1.1, 1.9, 1), rng.uniform(0.55, 0.7, 1)
        return cls(float(a[0]), float(b[0]))

    @property
    def settings(self) -> dict[str, float]:
        """The exponents, as inputs of a probe."""
        return {"a": self.a, "b": self.b}

    def alpha(self, t: Floats) -> Array:
        return np.asarray(np.float64(t) ** self.a)

    def beta(self, t: Floats) -> Array:
        return np.asarray((1 - np.float64(t)) ** self.b)

    def alpha_dt(self, t: Floats) -> Array:
        return np.asarray(self.a * np.float64(t) ** (self.a - 1))

    def beta_dt(self, t: Floats) -> Array:
        return np.asarray(-self.b * (1 - np.float64(t)) ** (self.b - 1))

    def field(self, x: Floats, z: Floats, t: Floats) -> Array:
        """Return the conditional vector field u(x|z) = (α̇ − αβ̇/β)z + (β̇/β)x: Lipman et al. 2023, theorem 3."""
        ratio = self.beta_dt(t) / self.beta(t)
        return np.asarray((self.alpha_dt(t) - self.alpha(t) * ratio) * z + ratio * x)

    def score(self, x: Floats, z: Floats, t: Floats) -> Array:
        """Return the conditional score ∇log p(x|z) = (αz − x)/β², the gradient of Bishop 2006, equation 2.43."""
        return np.asarray((self.alpha(t) * z - x) / self.beta(t) ** 2)

    def log_density_change(self, x: Floats, z: Floats, t: Floats) -> Array:
        """Return ∂ₜ log p_t(x|z) [B] at a fixed x, the derivative of Bishop 2006, equation 2.43, through αz and β."""
        beta, rate, d = self.beta(t), self.beta_dt(t) / self.beta(t), x.shape[-1]
        away = x - self.alpha(t) * z
        moved = (away * z).sum(axis=-1, keepdims=True) * self.alpha_dt(t) / beta**2
        spread = rate * ((away**2).sum(axis=-1, keepdims=True) / beta**2 - d)
        return np.asarray((moved + spread)[:, 0])


@dataclass(frozen=True)
class Mixture:
    """Data from Σ wₖ N(mₖ, sₖ²I) in d dimensions, on a Gaussian path with these schedules."""

    weights: Array  # [K]
    means: Array  # [K, d]
    stds: Array  # [K]
    schedule: Powers = Powers()

    @classmethod
    def random(cls, rng: Rng, modes: int, d: int, schedule: Powers) -> Mixture:
        """Return a random mixture whose modes overlap."""
        weights = rng.uniform(0.5, 1.5, modes).astype(np.float64)
        stds = rng.uniform(0.4, 1.2, modes).astype(np.float64)
        return cls(weights / weights.sum(), 1.5 * rng.normal(modes, d).astype(np.float64), stds, schedule)

    def sample(self, rng: Rng, n: int) -> Array:
        """Draws from the data: [n, d]."""
        modes = np.searchsorted(np.cumsum(self.weights), rng.uniform(0, 1, n)).clip(0, len(self.weights) - 1)
        return np.asarray(self.means[modes] + self.stds[modes][:, None] * rng.normal(n, self.means.shape[1]))

    def sample_path(self, rng: Rng, t: Floats) -> Array:
        """Draws from the marginal at times t [B, 1]: [B, d]."""
        z = self.sample(rng, len(t))
        return np.asarray(self.schedule.alpha(t) * z + self.schedule.beta(t) * rng.normal(*z.shape))

    def log_density(self, x: Floats, t: Floats) -> Array:
        """Return log p_t(x) [B]."""
        return np.asarray(logsumexp(self._joint(x, t)[0], axis=1))

    def score(self, x: Floats, t: Floats) -> Array:
        """Return ∇log p_t(x) [B, d]."""
        joint, away, variances = self._joint(x, t)
        return np.asarray((_shares(joint)[..., None] * -away / variances[..., None]).sum(axis=1))

    def field(self, x: Floats, t: Floats) -> Array:
        """Return the marginal vector field Σ rₖ[α̇mₖ + (αα̇sₖ² + ββ̇)/vₖ·(x − αmₖ)] [B, d], with the modes' shares rₖ(x).

        Lipman et al. 2023, equation 8, where p(z|x) is a mixture as well.
        """
        joint, away, variances = self._joint(x, t)
        alpha, alpha_dt = self.schedule.alpha(t), self.schedule.alpha_dt(t)
        beta, beta_dt = self.schedule.beta(t), self.schedule.beta_dt(t)
        rates = (alpha * alpha_dt * self.stds**2 + beta * beta_dt) / variances
        fields = alpha_dt[..., None] * self.means + rates[..., None] * away
        return np.asarray((_shares(joint)[..., None] * fields).sum(axis=1))

    def _joint(self, x: Floats, t: Floats) -> tuple[Array, Array, Array]:
        """Return log wₖ N(x; αmₖ, vₖI) [B, K], the distances x − αmₖ [B, K, d], and the variances vₖ [B, K]."""
        alpha, beta = self.schedule.alpha(t), self.schedule.beta(t)
        variances = alpha**2 * self.stds**2 + beta**2
        away = x[:, None] - alpha[..., None] * self.means
        squares = (away**2).sum(axis=-1) / variances
        d = self.means.shape[1]
        return np.log(self.weights) - 0.5 * squares - 0.5 * d * np.log(2 * np.pi * variances), away, variances


def _shares(joint: Array) -> Array:
    """Return the probabilities of the modes, from the logarithms of their joint densities with x: [B, K]."""
    return np.asarray(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)))
