"""Mistakes in sample_noise(batch_size, dim), which draws noise [batch_size, dim] uniformly between −1 and 1."""

import torch

from graders.misconceptions import defaults, misconception

defaults("gan_pytorch.py:sample_noise", fails=("image_gan.sample_noise",))


@misconception
def never_negative(batch_size, dim, seed=None):
    """You drew from [0, 1), as torch.rand does. The noise should lie between −1 and 1: multiply by 2 and subtract 1."""
    return torch.rand(batch_size, dim)


@misconception
def normal(batch_size, dim, seed=None):
    """You drew normal noise, by torch.randn. It should be uniform between −1 and 1: stretch and shift torch.rand."""
    return torch.randn(batch_size, dim)


@misconception
def normal_stretched(batch_size, dim, seed=None):
    """You stretched and shifted normal noise: torch.randn is not confined to [0, 1), so that 2·x − 1 is neither uniform
    nor between −1 and 1. Use torch.rand."""
    return 2 * torch.randn(batch_size, dim) - 1


@misconception
def normal_over_its_largest(batch_size, dim, seed=None):
    """You divided normal noise by its largest number. That brings it into [−1, 1], but it is still normal, with most
    numbers near 0. Use torch.rand, stretched and shifted."""
    noise = torch.randn(batch_size, dim)
    return noise / noise.abs().max()


@misconception
def half_as_wide(batch_size, dim, seed=None):
    """You only shifted torch.rand, so that the noise lies between −½ and ½. Multiply by 2 first."""
    return torch.rand(batch_size, dim) - 0.5


@misconception
def shifted_before_it_is_stretched(batch_size, dim, seed=None):
    """You subtracted 1 before you multiplied by 2, so that the noise lies between −2 and 0. Multiply first."""
    return 2 * (torch.rand(batch_size, dim) - 1)


@misconception
def one_row_for_all(batch_size, dim, seed=None):
    """You drew one row and repeated it, so that all images of a batch would be the same. Draw batch_size rows."""
    return (2 * torch.rand(1, dim) - 1).expand(batch_size, dim)


@misconception
def always_the_same(batch_size, dim, seed=None):
    """You seed the random numbers in sample_noise even if no seed is given, so that each call gives the same noise."""
    torch.manual_seed(0)
    return 2 * torch.rand(batch_size, dim) - 1


@misconception
def transposed(batch_size, dim, seed=None):
    """You exchanged the number of rows and the number of latents: the noise has the shape [batch_size, dim]."""
    return 2 * torch.rand(dim, batch_size) - 1


@misconception
def signs(batch_size, dim, seed=None):
    """You drew only −1 and 1. Every number between them should be as likely as any other: stretch and shift
    torch.rand."""
    return torch.randint(0, 2, (batch_size, dim)) * 2.0 - 1
