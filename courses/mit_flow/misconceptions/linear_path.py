"""Mistakes in the linear path x = (1 − t)x₀ + tz with x₀ from any p_simple: its draws and its vector field, [B, d]."""

import torch

from graders.misconceptions import defaults, misconception

defaults("lab_two.py:LinearConditionalProbabilityPath.sample_conditional_path", fails=("flow_matching.linear_sample",))


@misconception
def normal_start(self, z, t):
    """You drew x₀ from a normal distribution. It comes from self.p_simple, which may be any, such as a checkerboard."""
    return (1 - t) * torch.randn_like(z) + t * z


@misconception
def ends_exchanged(self, z, t):
    """You exchanged the ends: at t = 0 the path is at x₀, at t = 1 at z, so it is (1 − t)x₀ + tz."""
    return t * self.p_simple.sample(len(z)) + (1 - t) * z


@misconception
def one_start_for_all(self, z, t):
    """You drew one x₀ for the whole batch. Each z needs its own: self.p_simple.sample(z.shape[0])."""
    return (1 - t) * self.p_simple.sample(1) + t * z


@misconception
def start_from_the_data(self, z, t):
    """You drew x₀ from p_data. The path leads from self.p_simple to the data."""
    return (1 - t) * self.p_data.sample(len(z)) + t * z


@misconception
def start_not_faded(self, z, t):
    """You added x₀ with its full weight. It fades while z grows: (1 − t)x₀ + tz."""
    return self.p_simple.sample(len(z)) + t * z


defaults("lab_two.py:LinearConditionalProbabilityPath.conditional_vector_field", fails=("flow_matching.linear_field",))


@misconception
def field_not_divided(self, x, z, t):
    """Your field is z − x, which is right at t = 0 alone. The rest of the way is covered in the rest of the time:
    (z − x)/(1 − t)."""
    return z - x


@misconception
def field_backwards(self, x, z, t):
    """Your field leads away from z. It is (z − x)/(1 − t)."""
    return -self.original(x, z, t)


@misconception
def field_divided_by_the_time(self, x, z, t):
    """You divided by t. Points are at z when t = 1, so what is left of the time is 1 − t: (z − x)/(1 − t)."""
    return (z - x) / t


@misconception
def field_from_a_new_start(self, x, z, t):
    """You drew a new x₀ and returned z − x₀. The field belongs to the given x: solve x = (1 − t)x₀ + tz for x₀, which
    leads to (z − x)/(1 − t)."""
    return z - self.p_simple.sample(len(z))
