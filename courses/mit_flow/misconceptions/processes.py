"""Mistakes in the coefficients of processes: drift and diffusion [B, d] at points xt [B, d]."""

import torch

from graders.misconceptions import defaults, misconception

defaults("lab_one.py:BrownianMotion.diffusion_coefficient", fails=("flow_matching.brownian_motion",))


@misconception
def brownian_noise_in_the_coefficient(self, xt, t):
    """Your diffusion coefficient is σ times random numbers. It is σ itself: the integrator draws the noise, once in a
    step."""
    return self.sigma * torch.randn_like(xt)


@misconception
def brownian_variance(self, xt, t):
    """Your diffusion coefficient is σ². It is σ: dX = σ dW, and σ² is the variance after a unit of time."""
    return self.original(xt, t) ** 2


@misconception("lab_one.py:BrownianMotion.drift_coefficient")
def brownian_drift(self, xt, t):
    """You gave Brownian motion the drift σ. dX = σ dW has none: return zeros like xt."""
    return torch.full_like(xt, self.sigma)


@misconception("lab_one.py:BrownianMotion.drift_coefficient")
def brownian_drift_of_the_point(self, xt, t):
    """You returned the points as the drift of Brownian motion. dX = σ dW has none: return zeros like xt."""
    return xt


@misconception
def brownian_scaled_by_the_point(self, xt, t):
    """Your diffusion coefficient is σ·x, that of a geometric Brownian motion. It is σ at every point."""
    return self.sigma * xt


@misconception("lab_one.py:BrownianMotion.drift_coefficient", fails=("flow_matching.coefficient_shapes",))
def brownian_drift_as_a_number(self, xt, t):
    """You returned the number 0 as a drift. It works, since numbers are broadcast, but a drift has as many coordinates
    as a point: torch.zeros_like(xt)."""
    return 0.0


@misconception(fails=("flow_matching.coefficient_shapes",))
def brownian_diffusion_as_a_number(self, xt, t):
    """You returned the number σ. It works, since numbers are broadcast, but code that indexes the coefficients will
    not: torch.full_like(xt, self.sigma)."""
    return self.sigma


defaults("lab_one.py:OUProcess.drift_coefficient", fails=("flow_matching.ou_process",))


@misconception
def ou_driven_away(self, xt, t):
    """Your drift is +θx, which drives points away from 0 faster and faster. It pulls them back: −θx."""
    return -self.original(xt, t)


@misconception
def ou_without_theta(self, xt, t):
    """Your drift is −x, whatever θ. It is −θx."""
    return -xt


@misconception
def ou_without_the_point(self, xt, t):
    """Your drift is −θ at every point. It is −θx: the farther a point is from 0, the more it is pulled back."""
    return torch.full_like(xt, -self.theta)


@misconception("lab_one.py:OUProcess.diffusion_coefficient")
def ou_noise_in_the_coefficient(self, xt, t):
    """Your diffusion coefficient is σ times random numbers. It is σ itself: the integrator draws the noise, once in a
    step."""
    return self.sigma * torch.randn_like(xt)


@misconception("lab_one.py:OUProcess.diffusion_coefficient")
def ou_variance(self, xt, t):
    """Your diffusion coefficient is σ². It is σ: dX = −θX dt + σ dW."""
    return self.original(xt, t) ** 2


@misconception("lab_one.py:OUProcess.diffusion_coefficient", fails=("flow_matching.coefficient_shapes",))
def ou_diffusion_as_a_number(self, xt, t):
    """You returned the number σ as the diffusion coefficient of OUProcess. It works, since numbers are broadcast, but
    code that indexes the coefficients will not: torch.full_like(xt, self.sigma)."""
    return self.sigma


defaults("lab_one.py:LangevinSDE.drift_coefficient", fails=("flow_matching.langevin",))


@misconception
def langevin_downhill(self, xt, t):
    """You negated the drift, so that points walk away from where the density is high. It is +½σ²·∇log p(x)."""
    return -self.original(xt, t)


@misconception
def langevin_without_half(self, xt, t):
    """Your drift is σ²·∇log p(x). The ½ is missing: with twice the drift, points end in a density that is narrower than
    p."""
    return 2 * self.original(xt, t)


@misconception
def langevin_deviation_for_variance(self, xt, t):
    """Your drift is ½σ·∇log p(x). σ is squared there: ½σ²·∇log p(x)."""
    return 0.5 * self.sigma * self.density.score(xt)


@misconception
def langevin_score_alone(self, xt, t):
    """Your drift is ∇log p(x), which fits σ = √2 alone. It is ½σ²·∇log p(x)."""
    return self.density.score(xt)


@misconception("lab_one.py:LangevinSDE.diffusion_coefficient")
def langevin_noise_in_the_coefficient(self, xt, t):
    """Your diffusion coefficient is σ times random numbers. It is σ itself: the integrator draws the noise, once in a
    step."""
    return self.sigma * torch.randn_like(xt)


@misconception("lab_one.py:LangevinSDE.drift_coefficient", raises=True)
def langevin_log_density(self, xt, t):
    """You used the log-density, one number for each point, as the drift. It needs its gradient, density.score(x): in
    which direction the density grows."""
    return 0.5 * self.sigma**2 * self.density.log_density(xt).squeeze(-1)
