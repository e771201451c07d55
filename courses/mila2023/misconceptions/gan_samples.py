"""Samples and interpolations of a GAN: in place of sample(G, num_samples, noise) or interpolate(G, z_1, z_2, n)."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("gan_solution.py:sample", fails=("gan.sample",))


@misconception
@torch.no_grad()
def uniform_noise(generator, num_samples, noise=None):
    """You drew the latents uniformly, by torch.rand. They are drawn from N(0, I): torch.randn."""
    return generator(torch.rand(num_samples, z_dim, 1, 1) if noise is None else noise)


@misconception
@torch.no_grad()
def one_latent_for_all(generator, num_samples, noise=None):
    """You drew one latent for all samples, so that they are all the same: draw num_samples of them."""
    return generator(torch.randn(1, z_dim, 1, 1).expand(num_samples, -1, -1, -1) if noise is None else noise)


@misconception
@torch.no_grad()
def seeded(generator, num_samples, noise=None):
    """You seed the random numbers in sample, so that every call gives the same images."""
    torch.manual_seed(42)
    return generator(torch.randn(num_samples, z_dim, 1, 1) if noise is None else noise)


@misconception
@torch.no_grad()
def scaled(generator, num_samples, noise=None):
    """You scaled the generator's images to [0, 1]. The caller does that: give them in [−1, 1], as they are."""
    return (original(generator, num_samples, noise) + 1) / 2


@misconception
@torch.no_grad()
def squashed(generator, num_samples, noise=None):
    """You sent the generator's images through a sigmoid. They are in [−1, 1] by its own tanh: give them as they are."""
    return original(generator, num_samples, noise).sigmoid()


defaults("gan_solution.py:interpolate", fails=("gan.interpolate",))


@misconception
@torch.no_grad()
def pixels_mixed(generator, z_1, z_2, n_samples):
    """You mixed the pixels of the two end images, which fades one into the other. Mix the latents, and decode every
    mixture."""
    weight = torch.linspace(0, 1, n_samples).view(-1, 1, 1, 1)
    return (1 - weight) * generator(z_1) + weight * generator(z_2)


@misconception
@torch.no_grad()
def last_end_left_out(generator, z_1, z_2, n_samples):
    """Your weights stop before 1, so that the image of z_2 is missing: torch.linspace(0, 1, n_samples) has both
    ends."""
    weight = torch.arange(n_samples).view(-1, 1, 1, 1) / n_samples
    return generator((1 - weight) * z_1 + weight * z_2)


@misconception
@torch.no_grad()
def both_ends_left_out(generator, z_1, z_2, n_samples):
    """Your weights neither begin at 0 nor end at 1, so that the images of z_1 and z_2 themselves are missing."""
    return original(generator, z_1, z_2, n_samples + 2)[1:-1]


@misconception
@torch.no_grad()
def great_circle(generator, z_1, z_2, n_samples):
    """You went along a great circle (slerp). The straight line between the latents is asked for."""
    weight = torch.linspace(0, 1, n_samples).view(-1, 1, 1, 1)
    angle = torch.acos(torch.cosine_similarity(z_1.flatten(1), z_2.flatten(1))).view(1, 1, 1, 1)
    return generator((((1 - weight) * angle).sin() * z_1 + (weight * angle).sin() * z_2) / angle.sin())


@misconception
@torch.no_grad()
def ends_not_mixed(generator, z_1, z_2, n_samples):
    """You left out the factor 1 − w of z_1, so that the line ends at z_1 + z_2: use (1 − w)·z_1 + w·z_2."""
    weight = torch.linspace(0, 1, n_samples).view(-1, 1, 1, 1)
    return generator(z_1 + weight * z_2)
