"""Mistakes in sample_noise(batch_size, noise_dim), which draws rows of noise uniformly between −1 and 1."""

import torch

from graders.misconceptions import defaults, misconception

defaults("gan.py:sample_noise", fails=("image_gan.sample_noise",))


@misconception
def never_negative(batch_size, noise_dim, dtype=torch.float, device="cpu"):
    """You drew from [0, 1), as torch.rand does. The noise should lie between −1 and 1: multiply by 2 and subtract 1."""
    return torch.rand(batch_size, noise_dim)


@misconception
def normal(batch_size, noise_dim, dtype=torch.float, device="cpu"):
    """You drew normal noise, by torch.randn. It should be uniform between −1 and 1: stretch and shift torch.rand."""
    return torch.randn(batch_size, noise_dim)


@misconception
def normal_stretched(batch_size, noise_dim, dtype=torch.float, device="cpu"):
    """You stretched and shifted normal noise: torch.randn is not confined to [0, 1), so that 2·x − 1 is neither uniform
    nor between −1 and 1. Use torch.rand."""
    return 2 * torch.randn(batch_size, noise_dim) - 1


@misconception
def normal_over_its_largest(batch_size, noise_dim, dtype=torch.float, device="cpu"):
    """You divided normal noise by its largest number. That brings it into [−1, 1], but it is still normal, with most
    numbers near 0. Use torch.rand, stretched and shifted."""
    noise = torch.randn(batch_size, noise_dim)
    return noise / noise.abs().max()


@misconception
def half_as_wide(batch_size, noise_dim, dtype=torch.float, device="cpu"):
    """You only shifted torch.rand, so that the noise lies between −½ and ½. Multiply by 2 first."""
    return torch.rand(batch_size, noise_dim) - 0.5


@misconception
def always_the_same(batch_size, noise_dim, dtype=torch.float, device="cpu"):
    """You seed the random numbers in sample_noise, so that each call gives the same noise."""
    torch.manual_seed(0)
    return 2 * torch.rand(batch_size, noise_dim) - 1
