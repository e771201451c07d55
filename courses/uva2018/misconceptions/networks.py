"""Encoder and decoder: what is written in place of Encoder.forward(images) and Decoder.forward(z)."""

import torch

from graders.misconceptions import defaults, misconception

defaults("a3_vae_template.py:Encoder.forward", fails=("vae2018.encoder",))


@misconception
def positive_means(self, input):
    """An activation stands behind the layer of the mean, so that means are never negative. The mean of z may be any
    number: leave that layer as it is."""
    mean, std = self.original(input)
    return torch.relu(mean), std


@misconception
def bounded_means(self, input):
    """A tanh or a sigmoid stands behind the layer of the mean. The mean of z may be any number: leave that layer as it
    is."""
    mean, std = self.original(input)
    return torch.tanh(mean), std


@misconception
def constant_spread(self, input):
    """Your encoder's second output is the same for all images. It should follow the image, as the mean does."""
    mean, std = self.original(input)
    return mean, torch.ones_like(std) + 0 * std


@misconception(fails=("vae2018.encoder", "vae2018.bound"))
def spread_of_zero(self, input):
    """A ReLU stands behind the layer of the spread, so that it is exactly 0 for many images, but it has to be positive.
    Use a softplus or an exponential."""
    mean, std = self.original(input)
    return mean, torch.relu(std - 0.7)


@misconception("a3_vae_template.py:Decoder.forward", fails=("vae2018.decoder",))
def sigmoid_twice(self, input):
    """Your decoder applies a sigmoid to a sigmoid, so that no mean is below ½. Apply it once."""
    return torch.sigmoid(self.original(input))


@misconception("a3_gan_template.py:Generator.forward", fails=("gan2018.generator",))
def pixels_between_0_and_1(self, z):
    """Your generator ends in a sigmoid, so that its pixels are never negative. The data are scaled to [−1, 1]: end
    with a tanh."""
    return (self.original(z) + 1) / 2


@misconception("a3_gan_template.py:Generator.forward", fails=("gan2018.generator",))
def pixels_without_bounds(self, z):
    """Your generator ends without an activation, so that its pixels leave [−1, 1]. End with a tanh."""
    return self.layers[:-1](z)


@misconception("a3_gan_template.py:Discriminator.forward", fails=("gan2018.discriminator",))
def relu_for_scores(self, img):
    """A ReLU stands at the end of your discriminator, so that the scores of generated images have no gradient. End
    with a sigmoid, or with nothing."""
    return torch.relu(self.original(img) - 0.5)


@misconception("a3_gan_template.py:Discriminator.forward", fails=("gan2018.discriminator",))
def softmax_of_one(self, img):
    """Your discriminator ends in a softmax over a single number, which is always 1. End with a sigmoid."""
    return torch.softmax(self.layers[:-1](img), dim=1)
