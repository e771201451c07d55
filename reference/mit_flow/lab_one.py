"""Lab one: simulating ODEs and SDEs. Points x are [B, d]; times t and steps h are single numbers, shape ()."""

from abc import ABC, abstractmethod

import torch


class ODE(ABC):
    """dx = u(x, t) dt."""

    @abstractmethod
    def drift_coefficient(self, xt, t):
        """u(x, t): [B, d]."""


class SDE(ABC):
    """dX = u(X, t) dt + σ(X, t) dW."""

    @abstractmethod
    def drift_coefficient(self, xt, t):
        """u(x, t): [B, d]."""

    @abstractmethod
    def diffusion_coefficient(self, xt, t):
        """σ(x, t): [B, d], one for each coordinate."""


class Simulator(ABC):
    """Takes a process from step to step."""

    @abstractmethod
    def step(self, xt, t, h):
        """The points at t + h: [B, d]."""

    @torch.no_grad()
    def simulate_with_trajectory(self, x, ts):
        """The points at all times ts [n]: [B, n, d]."""
        xs = [x]
        for t, h in zip(ts[:-1], ts.diff(), strict=True):
            xs.append(self.step(xs[-1], t, h))
        return torch.stack(xs, dim=1)


# 1.1


class EulerSimulator(Simulator):
    """Euler's method."""

    def __init__(self, ode):
        self.ode = ode

    def step(self, xt, t, h):
        return xt + h * self.ode.drift_coefficient(xt, t)


class EulerMaruyamaSimulator(Simulator):
    """The Euler–Maruyama method: Maruyama 1955."""

    def __init__(self, sde):
        self.sde = sde

    def step(self, xt, t, h):
        drift = self.sde.drift_coefficient(xt, t)
        diffusion = self.sde.diffusion_coefficient(xt, t)
        return xt + h * drift + diffusion * torch.sqrt(h) * torch.randn_like(xt)


# 2.1


class BrownianMotion(SDE):
    """dX = σ dW."""

    def __init__(self, sigma):
        self.sigma = sigma

    def drift_coefficient(self, xt, t):
        return torch.zeros_like(xt)

    def diffusion_coefficient(self, xt, t):
        return torch.full_like(xt, self.sigma)


# 2.2


class OUProcess(SDE):
    """dX = −θX dt + σ dW: Uhlenbeck & Ornstein 1930."""

    def __init__(self, theta, sigma):
        self.theta = theta
        self.sigma = sigma

    def drift_coefficient(self, xt, t):
        return -self.theta * xt

    def diffusion_coefficient(self, xt, t):
        return torch.full_like(xt, self.sigma)


# 3.1


class LangevinSDE(SDE):
    """dX = ½σ²∇log p(X) dt + σ dW, which keeps the density p."""

    def __init__(self, sigma, density):
        self.sigma = sigma
        self.density = density

    def drift_coefficient(self, xt, t):
        return 0.5 * self.sigma**2 * self.density.score(xt)

    def diffusion_coefficient(self, xt, t):
        return torch.full_like(xt, self.sigma)
