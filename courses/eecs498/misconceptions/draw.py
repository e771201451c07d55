"""Mistakes in reparametrize(mu, logvar), which draws from N(mu, exp(logvar)) so that gradients flow to both."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("vae.py:reparametrize", fails=("vae.reparameterize",))


@misconception
def variance_for_deviation(mu, logvar):
    """You multiplied the noise by the variance, exp(logvar). It should be the standard deviation, exp(logvar/2)."""
    return mu + logvar.exp() * torch.randn_like(mu)


@misconception
def logarithm_for_deviation(mu, logvar):
    """You multiplied the noise by logvar itself, which is a logarithm. The standard deviation is exp(logvar/2)."""
    return mu + logvar * torch.randn_like(mu)


@misconception
def twice_the_logarithm(mu, logvar):
    """You multiplied logvar by 2, where it should be halved: the standard deviation is exp(logvar/2)."""
    return mu + torch.exp(2 * logvar) * torch.randn_like(mu)


@misconception
def uniform_noise(mu, logvar):
    """You drew the noise by torch.rand, which is uniform and never negative. It should be standard normal:
    torch.randn."""
    return mu + torch.exp(0.5 * logvar) * torch.rand_like(mu)


@misconception
def one_row_of_noise(mu, logvar):
    """You drew one row of noise for the whole batch. Each image needs noise of its own."""
    return mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape[1])


@misconception
def one_number_for_each_image(mu, logvar):
    """You drew one number of noise for each image. Each of its latents needs noise of its own."""
    return mu + torch.exp(0.5 * logvar) * torch.randn(len(mu), 1)


@misconception
def no_noise(mu, logvar):
    """You returned mu. A draw adds noise to it: mu + exp(logvar/2)·ε with ε ~ N(0, 1)."""
    return mu


@misconception
def mean_left_out(mu, logvar):
    """You left out mu: a draw is mu + exp(logvar/2)·ε."""
    return torch.exp(0.5 * logvar) * torch.randn_like(mu)


@misconception
def sampled_without_gradients(mu, logvar):
    """You drew by torch.normal, through which no gradient flows. Compute mu + exp(logvar/2)·ε, with ε ~ N(0, 1)."""
    return torch.normal(mu, torch.exp(0.5 * logvar)).detach()


@misconception
def deviation_cut_off(mu, logvar):
    """You detached the standard deviation, so that logvar gets no gradient."""
    return mu + torch.exp(0.5 * logvar).detach() * torch.randn_like(mu)


@misconception
def always_the_same(mu, logvar):
    """You seed the random numbers within reparametrize, so that each call draws the same noise."""
    torch.manual_seed(0)
    return original(mu, logvar)
