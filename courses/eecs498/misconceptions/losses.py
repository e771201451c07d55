"""Mistakes in the losses of logits: discriminator_loss(logits_real, logits_fake), generator_loss(logits_fake)."""

import torch
from torch.nn import functional as F

from graders.misconceptions import defaults, misconception, original

defaults("gan.py:discriminator_loss", fails=("image_gan.discriminator_loss",))


@misconception
def labels_exchanged(logits_real, logits_fake):
    """You labelled the real images 0 and the generated ones 1. Real images are labelled 1, and generated ones 0."""
    return original(logits_fake, logits_real)


@misconception
def halved(logits_real, logits_fake):
    """You averaged both terms. The discriminator's loss is their sum, without a factor ½."""
    return original(logits_real, logits_fake) / 2


@misconception
def all_labelled_real(logits_real, logits_fake):
    """You labelled the generated images 1, too. In the discriminator's loss, generated images are labelled 0."""
    return bce(logits_real, torch.ones_like(logits_real)) + bce(logits_fake, torch.ones_like(logits_fake))


@misconception
def sigmoid_twice(logits_real, logits_fake):
    """You applied a sigmoid to the logits before binary_cross_entropy_with_logits, which applies it, too. Give
    it the logits themselves."""
    return original(logits_real.sigmoid(), logits_fake.sigmoid())


@misconception("gan.py:discriminator_loss", fails=("image_gan.large_scores",))
def clamped_probabilities(logits_real, logits_fake):
    """You computed the discriminator's loss from probabilities, whose logarithms are cut at −100 and have no gradient
    for large scores. Use the cross-entropy of the logits, F.binary_cross_entropy_with_logits."""
    real, fake = logits_real.sigmoid(), logits_fake.sigmoid()
    return F.binary_cross_entropy(real, torch.ones_like(real)) + F.binary_cross_entropy(fake, torch.zeros_like(fake))


defaults("gan.py:generator_loss", fails=("image_gan.generator_loss",))


@misconception
def generated_labelled_fake(logits_fake):
    """You labelled the generated images 0 in the generator's loss, so that it learns to be recognised. It minimises the
    cross-entropy with the label 1."""
    return bce(logits_fake, torch.zeros_like(logits_fake))


@misconception
def saturating(logits_fake):
    """You minimise E log(1 − D(G(z))), whose gradient vanishes while the discriminator recognises every image. Minimise
    −E log D(G(z)) instead."""
    return -bce(logits_fake, torch.zeros_like(logits_fake))


@misconception
def sigmoid_twice_in_the_generator(logits_fake):
    """You applied a sigmoid to the logits of the generated images before
    binary_cross_entropy_with_logits, which applies it, too."""
    return original(logits_fake.sigmoid())


@misconception("gan.py:generator_loss", fails=("image_gan.large_scores",))
def clamped_probability(logits_fake):
    """You computed the generator's loss from probabilities, whose logarithms are cut at −100 and have no gradient for
    large scores. Use the cross-entropy of the logits, F.binary_cross_entropy_with_logits."""
    return F.binary_cross_entropy(logits_fake.sigmoid(), torch.ones_like(logits_fake))
