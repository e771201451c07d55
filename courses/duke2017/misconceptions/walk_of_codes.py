"""The walk of a VAE: what is written in place of interpolate_vae(vae, x_start, x_end, steps) → [steps, 784]."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("homework.ipynb:interpolate_vae", fails=("interpolation.vae",))


@misconception
@torch.no_grad()
def images_mixed(vae, x_start, x_end, steps=10):
    """You mix the two images and then encode every mixture: encode the two images once each, and mix their codes."""
    weight = torch.linspace(0, 1, steps).view(-1, 1)
    mixed = x_start.view(1, -1) + weight * (x_end - x_start).view(1, -1)
    return vae.decode(vae.encode(mixed)[0])


@misconception
@torch.no_grad()
def decoded_pixels_mixed(vae, x_start, x_end, steps=10):
    """You mix the pixels of the two reconstructions: mix the codes, and decode every mixture."""
    first, last = (vae.decode(vae.encode(x)[0]).flatten(1) for x in (x_start, x_end))
    return first + torch.linspace(0, 1, steps).view(-1, 1) * (last - first)


@misconception
@torch.no_grad()
def encoder_left_out(vae, x_start, x_end, steps=10):
    """You walk between draws from the prior, and the two images have no part in it: the ends are what the encoder gives
    for the images."""
    z_start, z_end = torch.randn(2, 1, latent_size)
    return vae.decode(z_start + torch.linspace(0, 1, steps).view(-1, 1) * (z_end - z_start))


@misconception
@torch.no_grad()
def between_spreads(vae, x_start, x_end, steps=10):
    """You walk between the second outputs of the encoder, the spreads: an image's place is the first output, the
    mean."""
    z_start, z_end = vae.encode(x_start)[1], vae.encode(x_end)[1]
    return vae.decode(z_start + torch.linspace(0, 1, steps).view(-1, 1) * (z_end - z_start))


@misconception
@torch.no_grad()
def spread_as_the_other_code(vae, x_start, x_end, steps=10):
    """You walk from an image's mean to a spread: the encoder's two outputs are the mean and the spread of one Gaussian,
    and not two codes. Walk from the first image's mean to the second's."""
    z_start, z_end = vae.encode(x_start)[0], vae.encode(x_end)[1]
    return vae.decode(z_start + torch.linspace(0, 1, steps).view(-1, 1) * (z_end - z_start))


@misconception
def one_image_twice(vae, x_start, x_end, steps=10):
    """You encode the first image for both ends: the walk ends at the second image's code."""
    return original(vae, x_start, x_start, steps)


@misconception
@torch.no_grad()
def end_left_out(vae, x_start, x_end, steps=10):
    """Your weights are k / 10, which stop short of 1, so that the walk never reaches the second image's code: divide by
    the number of steps less one, or let linspace run from 0 to 1."""
    z_start, z_end = vae.encode(x_start)[0], vae.encode(x_end)[0]
    return vae.decode(z_start + torch.arange(steps).view(-1, 1) / steps * (z_end - z_start))


@misconception
@torch.no_grad()
def start_left_out(vae, x_start, x_end, steps=10):
    """Your weights are (k + 1) / 10, which begin above 0, so that the first image's code is not in the walk: let the
    weights run from 0 to 1, both included, as linspace does."""
    z_start, z_end = vae.encode(x_start)[0], vae.encode(x_end)[0]
    return vae.decode(z_start + (torch.arange(steps).view(-1, 1) + 1) / steps * (z_end - z_start))


@misconception
def ends_on_top(vae, x_start, x_end, steps=10):
    """Your walk has ten images between the two codes and these besides: the ten include both ends."""
    return original(vae, x_start, x_end, steps + 2)


@misconception
@torch.no_grad()
def noise_at_every_step(vae, x_start, x_end, steps=10):
    """You add noise to the code at every step, so that the walk is no straight line: draw at the two ends at most, and
    decode the points between them as they are."""
    z_start, z_end = vae.encode(x_start)[0], vae.encode(x_end)[0]
    z = z_start + torch.linspace(0, 1, steps).view(-1, 1) * (z_end - z_start)
    return vae.decode(z + 400 * torch.randn_like(z))


@misconception
@torch.no_grad()
def weights_do_not_add_up(vae, x_start, x_end, steps=10):
    """You add w times the second code to the first without taking anything of the first away: use (1 − w)·z_start +
    w·z_end."""
    z_start, z_end = vae.encode(x_start)[0], vae.encode(x_end)[0]
    return vae.decode(z_start + torch.linspace(0, 1, steps).view(-1, 1) * z_end)


@misconception
@torch.no_grad()
def great_circle(vae, x_start, x_end, steps=10):
    """You walk along a great circle (slerp), where the assignment asks for linear interpolation: use (1 − w)·z_start +
    w·z_end."""
    z_start, z_end = vae.encode(x_start)[0], vae.encode(x_end)[0]
    angle = torch.acos(torch.cosine_similarity(z_start, z_end)).view(1, 1)
    weight = torch.linspace(0, 1, steps).view(-1, 1)
    return vae.decode(
        (torch.sin((1 - weight) * angle) * z_start + torch.sin(weight * angle) * z_end) / torch.sin(angle)
    )
