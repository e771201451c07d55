"""Labs one and two, written quite differently: one formula a line, other names, coefficients shared by a base class."""

ONE = """import math

import torch
from torch import Tensor


class ODE:
    def drift_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        raise NotImplementedError


class SDE(ODE):
    sigma: float

    def diffusion_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        raise NotImplementedError


class EulerSimulator:
    def __init__(self, ode: ODE):
        self.ode = ode

    def step(self, xt: Tensor, t: Tensor, h: Tensor) -> Tensor:
        velocity = self.ode.drift_coefficient(xt, t)
        return torch.add(xt, velocity * h)


class EulerMaruyamaSimulator:
    def __init__(self, sde: SDE):
        self.sde = sde

    def step(self, xt: Tensor, t: Tensor, h: Tensor) -> Tensor:
        new = torch.normal(0.0, math.sqrt(float(h)), size=xt.shape)
        new = new * self.sde.diffusion_coefficient(xt, t)
        new = new + self.sde.drift_coefficient(xt, t) * h
        return new + xt


class BrownianMotion(SDE):
    def __init__(self, sigma: float):
        self.sigma = sigma

    def drift_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return torch.zeros(xt.shape)

    def diffusion_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return torch.ones(xt.shape) * self.sigma


class OUProcess(SDE):
    def __init__(self, theta: float, sigma: float):
        self.theta, self.sigma = theta, sigma

    def drift_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return (0.0 - xt) * self.theta

    def diffusion_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return torch.ones(xt.shape) * self.sigma


class LangevinSDE(SDE):
    def __init__(self, sigma: float, density):
        self.sigma, self.density = sigma, density

    def drift_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return self.density.score(xt) * (self.sigma * self.sigma / 2)

    def diffusion_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return torch.ones(xt.shape) * self.sigma
"""

TWO = """import torch
from torch import Tensor, nn


class Gaussian:
    def __init__(self, dim, std):
        self.dim, self.std = dim, std

    def sample(self, num_samples):
        return torch.normal(0.0, self.std, size=(num_samples, self.dim))


class GaussianMixture:
    def __init__(self, means, std):
        self.means, self.std, self.dim = means, std, means.size(1)

    @classmethod
    def symmetric_2D(cls, nmodes, std, scale=10.0):
        return cls(scale * torch.randn(nmodes, 2), std)

    def sample(self, num_samples):
        chosen = torch.randint(0, self.means.size(0), size=(num_samples,))
        return self.means[chosen] + self.std * torch.randn(num_samples, 2)


class LinearAlpha:
    def __call__(self, t: Tensor) -> Tensor:
        return 1.0 * t

    def dt(self, t: Tensor) -> Tensor:
        return torch.ones(t.shape)


class SquareRootBeta:
    def __call__(self, t: Tensor) -> Tensor:
        return (1.0 - t).pow(0.5)

    def dt(self, t: Tensor) -> Tensor:
        return -1 / (2 * (1.0 - t).pow(0.5) + 2e-4)


class ConditionalProbabilityPath:
    def __init__(self, p_simple, p_data):
        self.p_simple, self.p_data = p_simple, p_data

    def sample_conditioning_variable(self, num_samples):
        return self.p_data.sample(num_samples)


class GaussianConditionalProbabilityPath(ConditionalProbabilityPath):
    def __init__(self, p_data, alpha, beta):
        super().__init__(Gaussian(p_data.dim, 1.0), p_data)
        self.alpha, self.beta = alpha, beta

    def sample_conditional_path(self, z: Tensor, t: Tensor) -> Tensor:
        noise = torch.normal(0.0, 1.0, size=z.shape)
        return noise * self.beta(t) + z * self.alpha(t)

    def conditional_vector_field(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        noise = (x - self.alpha(t) * z) / self.beta(t)
        return noise * self.beta.dt(t) + z * self.alpha.dt(t)

    def conditional_score(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        noise = (x - self.alpha(t) * z) / self.beta(t)
        return -noise / self.beta(t)


def squared_distance(one: Tensor, other: Tensor) -> Tensor:
    return torch.nn.functional.mse_loss(one, other)


class Trainer:
    def __init__(self, model):
        self.model = model


class ConditionalFlowMatchingTrainer(Trainer):
    def __init__(self, path, model):
        super().__init__(model)
        self.path = path

    def get_train_loss(self, batch_size: int) -> Tensor:
        times = torch.empty(batch_size, 1).uniform_()
        z = self.path.sample_conditioning_variable(batch_size)
        x = self.path.sample_conditional_path(z, times)
        target = self.path.conditional_vector_field(x, z, times)
        return squared_distance(self.model(x, times), target)


class ConditionalScoreMatchingTrainer(Trainer):
    def __init__(self, path, model):
        super().__init__(model)
        self.path = path

    def get_train_loss(self, batch_size: int) -> Tensor:
        times = torch.empty(batch_size, 1).uniform_()
        z = self.path.sample_conditioning_variable(batch_size)
        x = self.path.sample_conditional_path(z, times)
        target = self.path.conditional_score(x, z, times)
        return squared_distance(self.model(x, times), target)


class ScoreFromVectorField(nn.Module):
    def __init__(self, vector_field, alpha, beta):
        super().__init__()
        self.vector_field, self.alpha, self.beta = vector_field, alpha, beta

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        a, b, da, db = self.alpha(t), self.beta(t), self.alpha.dt(t), self.beta.dt(t)
        below = b * (b * da - a * db)
        return self.vector_field(x, t) * (a / below) - x * (da / below)


class LinearConditionalProbabilityPath(ConditionalProbabilityPath):
    def sample_conditional_path(self, z: Tensor, t: Tensor) -> Tensor:
        return torch.lerp(self.p_simple.sample(z.size(0)), z, t.expand_as(z))

    def conditional_vector_field(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return torch.div(z - x, 1.0 - t)
"""
