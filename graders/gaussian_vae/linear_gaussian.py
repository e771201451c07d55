"""A linear-Gaussian VAE with a known likelihood: x = W·z + b + ε with z ~ N(0, I) and ε ~ N(0, I), and WᵀW diagonal.

This is probabilistic PCA (Tipping & Bishop 1999; Bishop 2006, section 12.2). The marginal p(x) is N(b, I + W·Wᵀ), and
the true posterior is a diagonal Gaussian like the encoder's, with precision 1 + s, where s is the diagonal of WᵀW, and
mean Wᵀ(x − b) / (1 + s).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from gengrade.arrays import Array, Array32, Floats
from gengrade.grading import Rng

LOG_TWO_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class LinearGaussian:
    """The model with matrix W [P, d], whose columns are orthogonal, and offset b [P], for P pixels and d latents."""

    matrix: Array
    offset: Array

    @classmethod
    def random(cls, rng: Rng, pixels: int, d: int, low: float = 0.5, high: float = 3.0) -> LinearGaussian:
        """Return a random model for `pixels` pixels and d latents.

        The squared lengths of W's columns are in [low, high].
        """
        directions, _ = np.linalg.qr(rng.normal(pixels, d).astype(np.float64))
        lengths = np.sqrt(rng.uniform(low, high, d).astype(np.float64))
        offset = 0.3 * rng.normal(pixels).astype(np.float64)
        # Rounded to single precision, since the guest gets W in that.
        return cls((directions * lengths).astype(np.float32).astype(np.float64), offset)

    @property
    def injected(self) -> Mapping[str, Array32]:
        """W and b as inputs of a probe."""
        return {"matrix": self.matrix.astype(np.float32), "offset": self.offset.astype(np.float32)}

    @cached_property
    def strengths(self) -> Array:
        """The diagonal s [d] of WᵀW."""
        return np.asarray((self.matrix**2).sum(axis=0), dtype=np.float64)

    def draw(self, rng: Rng, n: int, shape: tuple[int, ...]) -> Array32:
        """Return n images [n, *shape] drawn from the model."""
        z = rng.normal(n, self.matrix.shape[1])
        x = self.decode(z.astype(np.float64)) + rng.normal(n, len(self.offset))
        return x.astype(np.float32).reshape(n, *shape)

    def decode(self, z: Floats) -> Array:
        """Return the means of p(x|z) [N, P] for latents z [N, d]."""
        return np.asarray(z @ self.matrix.T + self.offset, dtype=np.float64)

    def decode_bent(self, z: Floats) -> Array:
        """Return the images [N, P] that the bent decoder of `probes.interpolate` gives for latents z [N, d]."""
        return self.decode(2 * np.arcsinh(z))

    def posterior(self, x: Floats) -> tuple[Array, Array]:
        """Return the mean and log-variance [N, d] of p(z|x) for images x [N, …]: Bishop 2006, equation 2.116."""
        mean = (x.reshape(len(x), -1) - self.offset) @ self.matrix / (1 + self.strengths)
        return mean, np.broadcast_to(-np.log1p(self.strengths), mean.shape).copy()

    def log_prob(self, x: Floats) -> Array:
        """Return log p(x) [N] in nats of images x [N, …]: Bishop 2006, equation 2.115, with the Woodbury identity."""
        residuals = x.reshape(len(x), -1) - self.offset
        projected = residuals @ self.matrix
        squares = (residuals**2).sum(axis=1) - (projected**2 / (1 + self.strengths)).sum(axis=1)
        return np.asarray(-0.5 * (squares + np.log1p(self.strengths).sum() + residuals.shape[1] * LOG_TWO_PI))

    def estimate(self, x: Floats, z: Floats, mean: Floats, logvar: Floats) -> Array:
        """Return the importance-weighted estimate of log p(x) [N] in nats, from K latents z [K, N, d] for each image.

        They are drawn from N(mean, exp(logvar)), with parameters [N, d]. Burda et al. 2016, section 3.
        """
        flat = x.reshape(len(x), -1)
        given_z = log_gaussian(flat, self.decode(z), np.zeros(1))
        weights = given_z + log_gaussian(z, np.zeros(1), np.zeros(1)) - log_gaussian(z, mean, logvar)
        return np.asarray(logsumexp(weights, axis=0) - np.log(len(z)), dtype=np.float64)


def orders(z: Array, batch: int) -> list[Array]:
    """Return the ways to read latents [K·B, d], of which each image of a batch of B has K, as [K, B, d].

    They may come draw by draw for the whole batch, image by image, or draw by draw for equal shares of the batch.
    """
    sizes = [size for size in range(1, batch + 1) if batch % size == 0]
    shares = (z.reshape(batch // size, -1, size, z.shape[-1]) for size in reversed(sizes))
    return [share.swapaxes(0, 1).reshape(-1, batch, z.shape[-1]) for share in shares]


def log_gaussian(x: Floats, mean: Floats, logvar: Floats) -> Array:
    """Return log N(x; mean, exp(logvar)) in nats, summed over the last dimension: Bishop 2006, equation 2.43."""
    terms = -0.5 * ((x - mean) ** 2 / np.exp(logvar) + logvar + LOG_TWO_PI)
    return np.asarray(np.sum(np.broadcast_to(terms, np.broadcast_shapes(terms.shape, x.shape)), axis=-1))


def divergence(mean: Floats, logvar: Floats) -> Array:
    """Return KL(N(mean, exp(logvar)) ‖ N(0, I)) in nats [N], for parameters [N, d].

    Kingma & Welling 2014, appendix B.
    """
    return np.asarray(0.5 * (np.exp(logvar) + mean**2 - 1 - logvar).sum(axis=-1), dtype=np.float64)
