"""Lab two: flow matching and score matching. Points x and z are [B, d], times t [B, 1] from 0 (noise) to 1 (data)."""

import math
from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from torch import nn


class Gaussian:
    """N(0, std²I) in `dim` dimensions."""

    def __init__(self, dim, std):
        self.dim = dim
        self.std = std

    @classmethod
    def isotropic(cls, dim, std):
        return cls(dim, std)

    def sample(self, num_samples):
        return self.std * torch.randn(num_samples, self.dim)


class GaussianMixture:
    """A mixture of Gaussians N(mean, std²I) with equal weights; means [K, d]."""

    def __init__(self, means, std):
        self.means = means
        self.std = std
        self.dim = means.shape[1]

    @classmethod
    def symmetric_2D(cls, nmodes, std, scale=10.0):
        angles = 2 * math.pi * torch.arange(nmodes) / nmodes
        return cls(scale * torch.stack([angles.cos(), angles.sin()], dim=1), std)

    def sample(self, num_samples):
        modes = torch.randint(len(self.means), (num_samples,))
        return self.means[modes] + self.std * torch.randn(num_samples, self.dim)


class ConditionalProbabilityPath(nn.Module, ABC):
    """Densities p_t(x|z) that lead from `p_simple` at t = 0 to the point z at t = 1."""

    def __init__(self, p_simple, p_data):
        super().__init__()
        self.p_simple = p_simple
        self.p_data = p_data

    def sample_conditioning_variable(self, num_samples):
        return self.p_data.sample(num_samples)

    @abstractmethod
    def sample_conditional_path(self, z, t):
        """x ~ p_t(x|z)."""

    @abstractmethod
    def conditional_vector_field(self, x, z, t):
        """u_t(x|z)."""

    @abstractmethod
    def conditional_score(self, x, z, t):
        """∇log p_t(x|z)."""


# 2.1


class LinearAlpha:
    """α(t) = t."""

    def __call__(self, t):
        return t

    def dt(self, t):
        return torch.ones_like(t)


class SquareRootBeta:
    """β(t) = √(1 − t)."""

    def __call__(self, t):
        return torch.sqrt(1 - t)

    def dt(self, t):
        return -0.5 / (torch.sqrt(1 - t) + 1e-4)


# 2.2 to 2.4


class GaussianConditionalProbabilityPath(ConditionalProbabilityPath):
    """p_t(x|z) = N(α(t)z, β(t)²I)."""

    def __init__(self, p_data, alpha, beta):
        super().__init__(Gaussian.isotropic(p_data.dim, 1.0), p_data)
        self.alpha = alpha
        self.beta = beta

    def sample_conditional_path(self, z, t):
        return self.alpha(t) * z + self.beta(t) * torch.randn_like(z)

    def conditional_vector_field(self, x, z, t):
        alpha, beta = self.alpha(t), self.beta(t)
        ratio = self.beta.dt(t) / beta
        return (self.alpha.dt(t) - ratio * alpha) * z + ratio * x

    def conditional_score(self, x, z, t):
        return (self.alpha(t) * z - x) / self.beta(t) ** 2


# 3.1 to 3.3


class MLPVectorField(nn.Module):
    """A field u(x, t) of a network with hidden layers of these widths."""

    def __init__(self, dim, hiddens):
        super().__init__()
        sizes = [dim + 1, *hiddens, dim]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU())]
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, x, t):
        return self.net(torch.cat([x, t], dim=-1))


class Trainer(ABC):
    """Trains a model on a loss."""

    def __init__(self, model):
        self.model = model

    @abstractmethod
    def get_train_loss(self, batch_size):
        """The loss of a new batch, a single number."""

    def train(self, num_epochs, lr=1e-3, **kwargs):
        optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)
        for _ in range(num_epochs):
            optimizer.zero_grad()
            self.get_train_loss(**kwargs).backward()
            optimizer.step()


class ConditionalFlowMatchingTrainer(Trainer):
    """Trains a vector field: Lipman et al. 2023."""

    def __init__(self, path, model):
        super().__init__(model)
        self.path = path

    def get_train_loss(self, batch_size):
        z = self.path.p_data.sample(batch_size)
        t = torch.rand(batch_size, 1).to(z)
        x = self.path.sample_conditional_path(z, t)
        residuals = self.model(x, t) - self.path.conditional_vector_field(x, z, t)
        return residuals.square().sum(dim=-1).mean()


class ConditionalScoreMatchingTrainer(Trainer):
    """Trains a score: Vincent 2011."""

    def __init__(self, path, model):
        super().__init__(model)
        self.path = path

    def get_train_loss(self, batch_size):
        z = self.path.p_data.sample(batch_size)
        t = torch.rand(batch_size, 1).to(z)
        x = self.path.sample_conditional_path(z, t)
        residuals = self.model(x, t) - self.path.conditional_score(x, z, t)
        return residuals.square().sum(dim=-1).mean()


class ScoreFromVectorField(nn.Module):
    """The score of a Gaussian path, from its vector field."""

    def __init__(self, vector_field, alpha, beta):
        super().__init__()
        self.vector_field = vector_field
        self.alpha = alpha
        self.beta = beta

    def forward(self, x, t):
        alpha, beta = self.alpha(t), self.beta(t)
        alpha_dt, beta_dt = self.alpha.dt(t), self.beta.dt(t)
        return (alpha * self.vector_field(x, t) - alpha_dt * x) / (beta**2 * alpha_dt - alpha * beta_dt * beta)


# 4.1


class LinearConditionalProbabilityPath(ConditionalProbabilityPath):
    """x = (1 − t)x₀ + tz with x₀ from any `p_simple`."""

    def sample_conditional_path(self, z, t):
        return (1 - t) * self.p_simple.sample(len(z)) + t * z

    def conditional_vector_field(self, x, z, t):
        return (z - x) / (1 - t)

    def conditional_score(self, x, z, t):
        raise ValueError("the score of a linear path depends on p_simple, and need not exist")
