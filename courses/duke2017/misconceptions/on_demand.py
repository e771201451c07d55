"""Images on demand: what is written in place of generate(generator, digit, n) → [n, 784]."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("homework.ipynb:generate", fails=("cgan.generate",))


@misconception
@torch.no_grad()
def one_noise_for_all(generator, digit, n=10):
    """You draw one noise vector for all images of a digit, which are then the same: draw one for each of them."""
    labels = torch.full((n,), digit, dtype=torch.long)
    return generator.eval()(generator_input(draw_noise(1).expand(n, -1), labels))


@misconception
def seeded(generator, digit, n=10):
    """You seed the random numbers within the function, so that every call gives the same noise: seed once, at the top
    of the notebook, or not at all."""
    torch.manual_seed(0)
    return original(generator, digit, n)


@misconception
@torch.no_grad()
def without_noise(generator, digit, n=10):
    """You put zeros in the place of the noise: draw it at random from its distribution for each image."""
    labels = torch.full((n,), digit, dtype=torch.long)
    return generator.eval()(generator_input(torch.zeros(n, latent_size), labels))


@misconception
@torch.no_grad()
def any_digit(generator, digit, n=10):
    """You draw the labels at random, whatever digit is asked for: all rows get the label that was asked for."""
    return generator.eval()(generator_input(draw_noise(n), torch.randint(0, 10, (n,))))


@misconception
@torch.no_grad()
def each_digit_once(generator, digit, n=10):
    """You give the rows of a call the labels 0 to 9 in turn: asked for ten images of one digit, all ten get that
    digit's label."""
    return generator.eval()(generator_input(draw_noise(n), torch.arange(n) % classes))


@misconception
def digit_counted_from_one(generator, digit, n=10):
    """You ask the generator for the digit before the one that was asked for, as if they were counted from 1: labels are
    0 … 9, and digit d has label d."""
    return original(generator, (digit - 1) % 10, n)


@misconception
@torch.no_grad()
def one_image_repeated(generator, digit, n=10):
    """You repeat one image of the digit as often as images are asked for: let the generator make each of them from
    noise of its own."""
    return original(generator, digit, 1).expand(n, -1)


@misconception
def first_image_returned(generator, digit, n=10):
    """You return the first of the images only, although the generator made as many as were asked for: return all of
    them."""
    return original(generator, digit, n)[:1]


@misconception
def images_averaged(generator, digit, n=10):
    """You return the mean of the digit's images: show the images themselves, each made of its own noise."""
    images = original(generator, digit, n)
    return images.mean(dim=0, keepdim=True).expand_as(images)
