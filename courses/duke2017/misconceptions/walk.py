"""The walk of a GAN: what is written in place of interpolate(generator, z_start, z_end, steps), [1, d] twice →
[steps, 784]."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("homework.ipynb:interpolate", fails=("interpolation.gan",))


@misconception
@torch.no_grad()
def pixels_mixed(generator, z_start, z_end, steps=10):
    """You mix the pixels of the two end images, which fades one into the other: mix their latents, and put every
    mixture through the generator."""
    first, last = generator.eval()(torch.cat([z_start, z_end])).flatten(1)
    return first + torch.linspace(0, 1, steps).view(-1, 1) * (last - first)


@misconception
@torch.no_grad()
def end_left_out(generator, z_start, z_end, steps=10):
    """Your weights are k / 10, which stop short of 1, so that the walk never reaches z_end: divide by the number of
    steps less one, or let linspace run from 0 to 1."""
    return generator.eval()(z_start + torch.arange(steps).view(-1, 1) / steps * (z_end - z_start))


@misconception
@torch.no_grad()
def start_left_out(generator, z_start, z_end, steps=10):
    """Your weights are (k + 1) / 10, which begin above 0, so that z_start is not in the walk: let the weights run from
    0 to 1, both included, as linspace does."""
    return generator.eval()(z_start + (torch.arange(steps).view(-1, 1) + 1) / steps * (z_end - z_start))


@misconception
def both_ends_left_out(generator, z_start, z_end, steps=10):
    """Your walk has neither z_start nor z_end: the first and the last of the ten images are those of the two ends."""
    way = z_end - z_start
    return original(generator, z_start + way / (steps + 1), z_end - way / (steps + 1), steps)


@misconception
def ends_on_top(generator, z_start, z_end, steps=10):
    """Your walk has ten images between the two ends and these besides: the ten include both ends, z_start = z_1 and
    z_10 = z_end."""
    return original(generator, z_start, z_end, steps + 2)


@misconception
def one_too_many(generator, z_start, z_end, steps=10):
    """Your walk has eleven images, as ten steps between points make: the ten images include both ends, so there are
    nine steps between them."""
    return original(generator, z_start, z_end, steps + 1)


@misconception
@torch.no_grad()
def great_circle(generator, z_start, z_end, steps=10):
    """You walk along a great circle (slerp), where the assignment asks for linear interpolation: use (1 − w)·z_start +
    w·z_end."""
    angle = torch.acos(torch.cosine_similarity(z_start, z_end)).view(1, 1)
    weight = torch.linspace(0, 1, steps).view(-1, 1)
    return generator.eval()(
        (torch.sin((1 - weight) * angle) * z_start + torch.sin(weight * angle) * z_end) / torch.sin(angle)
    )


@misconception
def fresh_ends(generator, z_start, z_end, steps=10):
    """You draw new latents for the ends within the function, and not those whose images were picked: walk between
    z_start and z_end as they are given."""
    return original(generator, torch.randn_like(z_start), torch.randn_like(z_end), steps)


@misconception
@torch.no_grad()
def weights_do_not_add_up(generator, z_start, z_end, steps=10):
    """You add w·z_end to z_start without taking anything of z_start away, so that the walk ends at z_start + z_end: use
    (1 − w)·z_start + w·z_end."""
    return generator.eval()(z_start + torch.linspace(0, 1, steps).view(-1, 1) * z_end)


@misconception
def from_the_origin(generator, z_start, z_end, steps=10):
    """You scale z_end from 0 up to itself, and z_start has no part in the walk: begin at z_start."""
    return original(generator, torch.zeros_like(z_start), z_end, steps)


@misconception
@torch.no_grad()
def weights_squared(generator, z_start, z_end, steps=10):
    """You square the weights, so that the steps grow along the walk: take evenly spaced weights, as linspace gives
    them."""
    return generator.eval()(z_start + torch.linspace(0, 1, steps).view(-1, 1) ** 2 * (z_end - z_start))
