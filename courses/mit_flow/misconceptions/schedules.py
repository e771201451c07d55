"""Mistakes in the schedules LinearAlpha and SquareRootBeta, at times t [B, 1]."""

import torch

from graders.misconceptions import defaults, misconception

defaults("lab_two.py:LinearAlpha.__call__", fails=("flow_matching.alpha",))


@misconception
def alpha_unsqueezed(self, t):
    """You added an axis to t. It has the shape [B, 1] already, and α(t) has the same: with another axis, products with
    points [B, d] pair every point with every time."""
    return t.unsqueeze(-1)


@misconception
def alpha_falls(self, t):
    """Your α(t) is 1 − t. It grows from 0 to 1, α(t) = t: at t = 0 there is only noise, at t = 1 only data."""
    return 1 - t


@misconception
def alpha_squared(self, t):
    """Your α(t) is √t. LinearAlpha is linear: α(t) = t."""
    return torch.sqrt(t)


defaults("lab_two.py:SquareRootBeta.__call__", fails=("flow_matching.beta",))


@misconception
def beta_without_the_root(self, t):
    """Your β(t) is 1 − t. The square root is missing: β(t) = √(1 − t)."""
    return 1 - t


@misconception
def beta_grows(self, t):
    """Your β(t) is √t, so that noise grows towards the data. It is √(1 − t): all noise at t = 0, none at t = 1."""
    return torch.sqrt(t)


@misconception
def beta_squared_time(self, t):
    """Your β(t) is √(1 − t²). With α(t) = t that keeps variances, but SquareRootBeta is √(1 − t)."""
    return torch.sqrt(1 - t**2)


defaults("lab_two.py:SquareRootBeta.dt", fails=("flow_matching.continuity",))


@misconception
def slope_of_beta_positive(self, t):
    """You changed the derivative of β, and gave it the wrong sign: β falls, so dβ/dt = −½/√(1 − t) is negative. Your
    field then spreads points where the path contracts them."""
    return -self.original(t)


@misconception
def slope_of_beta_without_half(self, t):
    """You changed the derivative of β, and lost its ½: dβ/dt = −½/√(1 − t)."""
    return 2 * self.original(t)
