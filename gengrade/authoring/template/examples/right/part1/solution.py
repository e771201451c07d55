"""A right solution that differs from the reference."""

import torch
from torch.distributions import Normal, kl_divergence as divergence


def kl_divergence(mean, log_std):
    prior = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return divergence(Normal(mean, log_std.exp()), prior).sum(-1)
