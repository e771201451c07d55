"""Mistakes in the losses of logits: discriminator_loss(logits_real, logits_fake), generator_loss(logits_fake)."""

import torch
from torch.nn import functional as F

from graders.misconceptions import defaults, misconception, original

defaults("gan_pytorch.py:discriminator_loss", fails=("image_gan.discriminator_loss",))


@misconception
def labels_exchanged(logits_real, logits_fake):
    """You labelled the real images 0 and the generated ones 1. Real images are labelled 1, and generated ones 0."""
    return original(logits_fake, logits_real)


@misconception
def halved(logits_real, logits_fake):
    """You averaged both terms. The discriminator's loss is their sum, without a factor ½."""
    return original(logits_real, logits_fake) / 2


@misconception
def real_images_only(logits_real, logits_fake):
    """You left out the generated images: add −E log(1 − D(G(z)))."""
    return bce_loss(logits_real, torch.ones_like(logits_real))


@misconception
def generated_images_only(logits_real, logits_fake):
    """You left out the real images: add −E log D(x)."""
    return bce_loss(logits_fake, torch.zeros_like(logits_fake))


@misconception
def all_labelled_real(logits_real, logits_fake):
    """You labelled the generated images 1, too. In the discriminator's loss, generated images are labelled 0."""
    return bce_loss(logits_real, torch.ones_like(logits_real)) + bce_loss(logits_fake, torch.ones_like(logits_fake))


@misconception
def difference_of_the_terms(logits_real, logits_fake):
    """You subtracted the term of the generated images. Both terms of the discriminator's loss are added."""
    return bce_loss(logits_real, torch.ones_like(logits_real)) - bce_loss(logits_fake, torch.zeros_like(logits_fake))


@misconception
def sigmoid_twice(logits_real, logits_fake):
    """You applied a sigmoid to the logits before bce_loss, which applies it, too. Give it the logits themselves."""
    return original(logits_real.sigmoid(), logits_fake.sigmoid())


@misconception
def summed(logits_real, logits_fake):
    """You summed the discriminator's loss over the batch. An expectation is estimated by the mean."""
    return original(logits_real, logits_fake) * len(logits_real)


@misconception
def wrong_sign(logits_real, logits_fake):
    """You gave the discriminator's loss the wrong sign: minimising it would make the discriminator worse."""
    return -original(logits_real, logits_fake)


@misconception("gan_pytorch.py:discriminator_loss", fails=("image_gan.large_scores",))
def clamped_probabilities(logits_real, logits_fake):
    """You computed the discriminator's loss from probabilities, whose logarithms are cut at −100 and have no gradient
    for large scores. Use the cross-entropy of the logits, such as bce_loss."""
    real, fake = logits_real.sigmoid(), logits_fake.sigmoid()
    return F.binary_cross_entropy(real, torch.ones_like(real)) + F.binary_cross_entropy(fake, torch.zeros_like(fake))


@misconception("gan_pytorch.py:discriminator_loss", fails=("image_gan.large_scores",))
def logarithms_of_probabilities(logits_real, logits_fake):
    """You took logarithms of sigmoids in the discriminator's loss, which are infinite for large scores. Use the
    cross-entropy of the logits, such as bce_loss."""
    return -(logits_real.sigmoid().log().mean() + (1 - logits_fake.sigmoid()).log().mean())


defaults("gan_pytorch.py:generator_loss", fails=("image_gan.generator_loss",))


@misconception
def generated_labelled_fake(logits_fake):
    """You labelled the generated images 0 in the generator's loss, so that it learns to be recognised. It minimises the
    cross-entropy with the label 1."""
    return bce_loss(logits_fake, torch.zeros_like(logits_fake))


@misconception
def saturating(logits_fake):
    """You minimise E log(1 − D(G(z))), whose gradient vanishes while the discriminator recognises every image. Minimise
    −E log D(G(z)) instead."""
    return -bce_loss(logits_fake, torch.zeros_like(logits_fake))


@misconception
def sign_of_the_generator(logits_fake):
    """You gave the generator's loss the wrong sign: minimising E log D(G(z)) makes the images worse."""
    return -original(logits_fake)


@misconception
def sigmoid_twice_in_the_generator(logits_fake):
    """You applied a sigmoid to the logits of the generated images before bce_loss, which applies it, too."""
    return original(logits_fake.sigmoid())


@misconception
def summed_over_the_batch(logits_fake):
    """You summed the generator's loss over the batch. An expectation is estimated by the mean."""
    return original(logits_fake) * len(logits_fake)


@misconception
def cut_off(logits_fake):
    """You cut the logits off the graph by detach or item, so that the generator gets no gradient."""
    return original(logits_fake.detach())


@misconception("gan_pytorch.py:generator_loss", fails=("image_gan.large_scores",))
def clamped_probability(logits_fake):
    """You computed the generator's loss from probabilities, whose logarithms are cut at −100 and have no gradient for
    large scores. Use the cross-entropy of the logits, such as bce_loss."""
    return F.binary_cross_entropy(logits_fake.sigmoid(), torch.ones_like(logits_fake))
