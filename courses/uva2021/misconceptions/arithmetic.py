"""Mistakes in sample_reparameterize, KLD and elbo_to_bpd of utils.py."""

import math

import torch

from graders.misconceptions import defaults, misconception, original

defaults("part1/utils.py:sample_reparameterize", fails=("vae.reparameterize",))


@misconception
def one_noise_for_all(mean, std):
    """You draw one noise number for the whole tensor: draw one for each element, with randn_like(mean)."""
    return mean + std * torch.randn(1)


@misconception
def uniform_noise(mean, std):
    """You draw the noise with torch.rand, uniformly on [0, 1): draw it from N(0, 1), with torch.randn."""
    return mean + std * torch.rand_like(mean)


@misconception
def cut_off(mean, std):
    """You draw z without a gradient to mean and std, as torch.normal does: use mean + std · ε."""
    return torch.normal(mean.detach(), std.detach()) + 0 * (mean + std)


defaults("part1/utils.py:KLD", fails=("vae.kld",))


@misconception
def log_std_as_log_variance(mean, log_std):
    """You treated log_std as the logarithm of a variance. It is that of a standard deviation, so the variance is
    exp(2·log_std) and its logarithm 2·log_std."""
    return 0.5 * (log_std.exp() + mean**2 - 1 - log_std).sum(dim=-1)


@misconception
def without_the_half(mean, log_std):
    """You left out the factor ½ of the divergence."""
    return 2 * original(mean, log_std)


@misconception(fails=("vae.kld_of_any_rank",))
def summed_over_the_second_dimension(mean, log_std):
    """You sum over dim=1, which is the last dimension only for tensors of two dimensions: sum over dim=-1, since the
    hand-out allows any dimensions before the last."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).sum(dim=1)


@misconception
def averaged(mean, log_std):
    """You average the divergence over the latents: sum it."""
    return original(mean, log_std) / mean.shape[-1]


@misconception("part1/utils.py:elbo_to_bpd", fails=("vae.bpd",))
def nats_for_bits(elbo, img_shape):
    """You left out log₂(e), so that the result is in nats and not in bits."""
    return elbo / math.prod(img_shape[1:])


@misconception("part1/utils.py:elbo_to_bpd", fails=("vae.bpd",))
def batch_as_a_dimension(elbo, img_shape):
    """You divide by the size of the batch as well: divide only by the dimensions of one image, img_shape[1:]."""
    return original(elbo, img_shape) / img_shape[0]


@misconception("part1/utils.py:elbo_to_bpd", fails=("vae.bpd_per_image",))
def batch_mean(elbo, img_shape):
    """You average over the batch in elbo_to_bpd: give one value for each image, and leave averaging to the caller."""
    return original(elbo, img_shape).mean()
