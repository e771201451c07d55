"""Mistakes in EulerMaruyamaSimulator.step(xt, t, h): points [B, d] after a step of the Euler–Maruyama method."""

import torch

from graders.misconceptions import defaults, misconception

defaults("lab_one.py:EulerMaruyamaSimulator.step", fails=("flow_matching.euler_maruyama",))


@misconception
def no_noise(self, xt, t, h):
    """You added no noise: σ(x, t)·√h is multiplied by standard normal numbers, torch.randn_like(xt). Without them, an
    SDE becomes an ODE."""
    return xt + h * self.sde.drift_coefficient(xt, t) + torch.sqrt(h) * self.sde.diffusion_coefficient(xt, t)


@misconception
def drift_alone(self, xt, t, h):
    """You made a step of Euler's method: the diffusion σ(x, t)·√h·ε, with ε from torch.randn_like(xt), is missing."""
    return xt + h * self.sde.drift_coefficient(xt, t)


@misconception
def uniform_noise(self, xt, t, h):
    """You drew uniform noise, by torch.rand_like. Its mean of ½ moves the points to one side. The increments of
    Brownian motion are normal: torch.randn_like."""
    noise = torch.rand_like(xt)
    return xt + h * self.sde.drift_coefficient(xt, t) + torch.sqrt(h) * self.sde.diffusion_coefficient(xt, t) * noise


@misconception
def noise_scaled_by_h(self, xt, t, h):
    """You multiplied the noise by h. The variance of Brownian motion grows with time, so noise is multiplied by √h:
    with h, it would vanish for small steps."""
    noise = torch.randn_like(xt)
    return xt + h * self.sde.drift_coefficient(xt, t) + h * self.sde.diffusion_coefficient(xt, t) * noise


@misconception
def noise_not_scaled(self, xt, t, h):
    """You added noise that does not depend on the step's length. Its standard deviation is σ(x, t)·√h."""
    return xt + h * self.sde.drift_coefficient(xt, t) + self.sde.diffusion_coefficient(xt, t) * torch.randn_like(xt)


@misconception
def drift_not_scaled(self, xt, t, h):
    """You added the drift as it is. In a time h it moves points by h·u(x, t); the noise grows with √h."""
    noise = torch.sqrt(h) * self.sde.diffusion_coefficient(xt, t) * torch.randn_like(xt)
    return xt + self.sde.drift_coefficient(xt, t) + noise


@misconception
def all_scaled_by_the_root(self, xt, t, h):
    """You multiplied the drift by √h, too. Only the noise is scaled by √h; the drift is scaled by h."""
    noise = self.sde.diffusion_coefficient(xt, t) * torch.randn_like(xt)
    return xt + torch.sqrt(h) * (self.sde.drift_coefficient(xt, t) + noise)


@misconception
def noise_shared_by_points(self, xt, t, h):
    """You drew one noise for the whole batch, so that all points move alike. Each point needs its own:
    torch.randn_like(xt)."""
    noise = torch.randn(1, xt.shape[1])
    return xt + h * self.sde.drift_coefficient(xt, t) + torch.sqrt(h) * self.sde.diffusion_coefficient(xt, t) * noise


@misconception
def noise_shared_by_coordinates(self, xt, t, h):
    """You drew one number for each point, so that all its coordinates get the same noise. Each coordinate needs a
    number of its own: torch.randn_like(xt)."""
    noise = torch.randn(len(xt), 1)
    return xt + h * self.sde.drift_coefficient(xt, t) + torch.sqrt(h) * self.sde.diffusion_coefficient(xt, t) * noise


@misconception
def root_of_all(self, xt, t, h):
    """You took the square root of σ·h. Only the step's length is under the root: σ(x, t)·√h."""
    spread = torch.sqrt(h * self.sde.diffusion_coefficient(xt, t))
    return xt + h * self.sde.drift_coefficient(xt, t) + spread * torch.randn_like(xt)


@misconception
def variance_for_deviation(self, xt, t, h):
    """You multiplied the noise by σ². The diffusion coefficient σ is the standard deviation in a unit of time, not the
    variance."""
    spread = torch.sqrt(h) * self.sde.diffusion_coefficient(xt, t) ** 2
    return xt + h * self.sde.drift_coefficient(xt, t) + spread * torch.randn_like(xt)


@misconception
def noise_of_one_seed(self, xt, t, h):
    """You set a seed in every step, so that all steps add the same noise, and points walk off in straight lines. Set
    seeds once, outside of the step."""
    torch.manual_seed(0)
    return self.original(xt, t, h)
