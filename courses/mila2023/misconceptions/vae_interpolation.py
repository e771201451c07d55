"""Interpolation of a VAE: in place of interpolate(model, z_1, z_2, n_samples) → [n_samples, C, H, W]."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("vae_solution.py:interpolate", fails=("gaussian_vae.interpolate",))


@misconception
def pixels_mixed(model, z_1, z_2, n_samples):
    """You mixed the pixels of the two images, which fades one into the other. Mix the latents, and decode every
    mixture."""
    weight = torch.linspace(0, 1, n_samples).view(-1, 1, 1, 1)
    return (1 - weight) * model.decode(z_1).mode() + weight * model.decode(z_2).mode()


@misconception
def last_end_left_out(model, z_1, z_2, n_samples):
    """Your weights stop before 1, so that the image of z_2 is missing: torch.linspace(0, 1, n_samples) has both
    ends."""
    weight = torch.arange(n_samples).unsqueeze(1) / n_samples
    return model.decode((1 - weight) * z_1 + weight * z_2).mode()


@misconception
def both_ends_left_out(model, z_1, z_2, n_samples):
    """Your weights neither begin at 0 nor end at 1, so that the images of z_1 and z_2 themselves are missing."""
    return original(model, z_1, z_2, n_samples + 2)[1:-1]


@misconception
def draws_for_modes(model, z_1, z_2, n_samples):
    """Your images are draws of p(x|z), with its noise in every pixel. Give the modes."""
    weight = torch.linspace(0, 1, n_samples).unsqueeze(1)
    return model.decode((1 - weight) * z_1 + weight * z_2).sample()


@misconception
def great_circle(model, z_1, z_2, n_samples):
    """You went along a great circle (slerp). The straight line between the latents is asked for."""
    weight = torch.linspace(0, 1, n_samples).unsqueeze(1)
    angle = torch.acos(torch.cosine_similarity(z_1, z_2, dim=-1)).unsqueeze(-1)
    return model.decode(((((1 - weight) * angle).sin() * z_1) + ((weight * angle).sin() * z_2)) / angle.sin()).mode()


@misconception
def ends_not_mixed(model, z_1, z_2, n_samples):
    """You left out the factor 1 − w of z_1, so that the line ends at z_1 + z_2: use (1 − w)·z_1 + w·z_2."""
    weight = torch.linspace(0, 1, n_samples).unsqueeze(1)
    return model.decode(z_1 + weight * z_2).mode()
