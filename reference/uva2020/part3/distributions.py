"""Densities of the toy problem: a Gaussian with a diagonal covariance, and an equal mixture of two of them."""

import math

import torch


class MultivariateGaussianDiag:
    """N(mu, diag(sigma²)) over vectors.

    Args:
        mu: means, [dims] or [1, dims]
        sigma: standard deviations, [dims] or [1, dims]
        dims: length of a vector
    """

    def __init__(self, mu, sigma, dims):
        self.mu = mu.reshape(dims)
        self.sigma = sigma.reshape(dims)
        self.dims = dims

    def log_prob(self, x):
        """log p(x) = Σ_i −½((x_i − μ_i)/σ_i)² − log σ_i − ½ log 2π, for x [..., dims]; returns [...]."""
        standardised = (x - self.mu) / self.sigma
        return (-0.5 * standardised**2 - torch.log(self.sigma) - 0.5 * math.log(2 * math.pi)).sum(dim=-1)

    def sample(self, num_samples):
        """Independent draws, [num_samples, dims]."""
        noise = torch.randn(num_samples, self.dims, dtype=self.mu.dtype, device=self.mu.device)
        return self.mu + self.sigma * noise


class BimodalGaussianDiag:
    """½ N(mu[0], diag(sigma[0]²)) + ½ N(mu[1], diag(sigma[1]²)).

    Args:
        mu: the two means, each [dims] or [1, dims]
        sigma: the two standard deviations, likewise
        dims: length of a vector
    """

    def __init__(self, mu, sigma, dims):
        self.p1 = MultivariateGaussianDiag(mu[0], sigma[0], dims)
        self.p2 = MultivariateGaussianDiag(mu[1], sigma[1], dims)
        self.mus = mu
        self.sigmas = sigma
        self.dims = dims

    def log_prob(self, x):
        """log p(x) for x [..., dims], by log-sum-exp, so that no point's density rounds to zero; returns [...]."""
        return torch.logaddexp(self.p1.log_prob(x), self.p2.log_prob(x)) - math.log(2)

    def sample(self, num_samples):
        """Independent draws, [num_samples, dims]: a coin picks the mode of each."""
        first = torch.rand(num_samples, 1, device=self.p1.mu.device) < 0.5
        return torch.where(first, self.p1.sample(num_samples), self.p2.sample(num_samples))
