"""Noising: what is written in place of q_sample(x_start, t, (√ᾱ, √(1 − ᾱ)), noise) → x_t."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("diffusion_solution.py:q_sample", fails=("ddpm.q_sample",))


@misconception
def noise_without_its_weight(x_start, t, coefficients, noise=None):
    """You added the noise without its factor √(1 − ᾱ): early steps are then as noisy as late ones."""
    noise = torch.randn_like(x_start) if noise is None else noise
    return extract(coefficients[0], t, x_start.shape) * x_start + noise


@misconception
def image_without_its_weight(x_start, t, coefficients, noise=None):
    """You added noise to the image without scaling that down by √ᾱ: it never fades, and the variance grows beyond 1."""
    noise = torch.randn_like(x_start) if noise is None else noise
    return x_start + extract(coefficients[1], t, x_start.shape) * noise


@misconception
def weights_exchanged(x_start, t, coefficients, noise=None):
    """You exchanged the two weights: the image is scaled by √ᾱ, the noise by √(1 − ᾱ)."""
    return original(x_start, t, coefficients[::-1], noise)


@misconception
def roots_of_roots(x_start, t, coefficients, noise=None):
    """You took the square roots of coefficients that are square roots already: multiply by √ᾱ and √(1 − ᾱ) as they
    are."""
    return original(x_start, t, [each.sqrt() for each in coefficients], noise)


@misconception
def variance_for_deviation(x_start, t, coefficients, noise=None):
    """You scaled the noise by a variance, 1 − ᾱ. It is scaled by the standard deviation √(1 − ᾱ), which is what you are
    given."""
    return original(x_start, t, (coefficients[0], coefficients[1] ** 2), noise)


@misconception
def one_time_for_all(x_start, t, coefficients, noise=None):
    """You noised the whole batch as of the first image's time. Each image has a time of its own: extract gives each its
    coefficient."""
    return original(x_start, t[:1].expand(len(t)), coefficients, noise)


@misconception
def given_noise_ignored(x_start, t, coefficients, noise=None):
    """You draw new noise even where it is given. A loss that compares with that noise could then never be small: use
    `noise` unless it is None."""
    return original(x_start, t, coefficients)


@misconception
def uniform_noise(x_start, t, coefficients, noise=None):
    """Your noise is uniform between 0 and 1, by torch.rand. It should be standard normal: torch.randn_like."""
    return original(x_start, t, coefficients, torch.rand_like(x_start) if noise is None else noise)


@misconception
def noise_shared_by_images(x_start, t, coefficients, noise=None):
    """You drew one noise for the whole batch. Each image needs its own: torch.randn_like(x_start)."""
    return original(
        x_start, t, coefficients, torch.randn_like(x_start[:1]).expand_as(x_start) if noise is None else noise
    )


@misconception
def noise_shared_by_pixels(x_start, t, coefficients, noise=None):
    """You drew one number for each image, which shifts all of its pixels alike. Each pixel needs noise of its own:
    torch.randn_like(x_start)."""
    if noise is None:
        noise = torch.randn(len(x_start), 1, 1, 1, device=x_start.device).expand_as(x_start)
    return original(x_start, t, coefficients, noise)


@misconception
def noise_subtracted(x_start, t, coefficients, noise=None):
    """You subtracted the noise. It is added: a model that is trained to predict it would else learn its negative."""
    noise = torch.randn_like(x_start) if noise is None else noise
    return original(x_start, t, coefficients, -noise)
