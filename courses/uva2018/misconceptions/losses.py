"""The losses: what is written in place of generator_loss(on_fake) and discriminator_loss(on_real, on_fake).

Both take probabilities [B, 1].
"""

import torch
from torch.nn import functional as F

from graders.misconceptions import defaults, misconception, original


def towards(probabilities, label):
    return F.binary_cross_entropy(probabilities, torch.full_like(probabilities, label))


defaults("a3_gan_template.py:generator_loss", fails=("gan2018.generator_loss",))


@misconception
def saturating(on_fake):
    """You minimise E log(1 − D(G(z))), whose gradient vanishes while the discriminator recognises every fake. Minimise
    −E log D(G(z)) instead."""
    return torch.log(1 - on_fake).mean()


@misconception
def rewarded_for_being_recognised(on_fake):
    """You label the generated images fake in the generator's own loss, so that it learns to be recognised. Its loss is
    −E log D(G(z)): label them real."""
    return towards(on_fake, 0.0)


@misconception
def logarithm_maximised_as_a_loss(on_fake):
    """You minimise E log D(G(z)), which makes the generated images worse. The loss is its negative."""
    return -original(on_fake)


@misconception
def without_the_logarithm(on_fake):
    """The logarithm is missing in the generator's loss: it is −E log D(G(z)), and not −E D(G(z))."""
    return -on_fake.mean()


@misconception
def sigmoid_twice(on_fake):
    """A sigmoid is applied twice in the generator's loss: your discriminator gives probabilities, and the loss takes
    them for logits. Use binary_cross_entropy for probabilities, or leave out the discriminator's sigmoid."""
    return F.binary_cross_entropy_with_logits(on_fake, torch.ones_like(on_fake))


@misconception
def summed_over_the_batch(on_fake):
    """The generator's loss is summed over the batch. An expectation is estimated by the mean."""
    return F.binary_cross_entropy(on_fake, torch.ones_like(on_fake), reduction="sum")


@misconception
def squared_distance(on_fake):
    """The generator's loss is a squared distance from 1. What is asked for is the cross-entropy, −E log D(G(z))."""
    return (on_fake - 1).pow(2).mean()


defaults("a3_gan_template.py:discriminator_loss", fails=("gan2018.discriminator_loss",))


@misconception
def real_images_only(on_real, on_fake):
    """Only the real images count in the discriminator's loss. Add −E log(1 − D(G(z)))."""
    return towards(on_real, 1.0) + 0 * on_fake.mean()


@misconception
def generated_images_only(on_real, on_fake):
    """Only the generated images count in the discriminator's loss. Add −E log D(x)."""
    return towards(on_fake, 0.0) + 0 * on_real.mean()


@misconception
def all_labelled_real(on_real, on_fake):
    """You label generated images real in the discriminator's loss too, so that it learns nothing. Label them fake."""
    return towards(on_real, 1.0) + towards(on_fake, 1.0)


@misconception
def labels_exchanged(on_real, on_fake):
    """You label real images 0 and generated ones 1 in the discriminator's loss, and not in the generator's. Either is
    right, if both agree."""
    return towards(on_real, 0.0) + towards(on_fake, 1.0)


@misconception
def of_the_wrong_sign(on_real, on_fake):
    """The discriminator's loss has the wrong sign: you minimise what it should maximise, E log D(x) +
    E log(1 − D(G(z)))."""
    return -original(on_real, on_fake)


@misconception
def terms_subtracted(on_real, on_fake):
    """You subtract the two terms of the discriminator's loss. It is their sum: −E log D(x) − E log(1 − D(G(z)))."""
    return towards(on_real, 1.0) - towards(on_fake, 0.0)


@misconception
def sigmoid_twice_in_both_terms(on_real, on_fake):
    """A sigmoid is applied twice in the discriminator's loss: the network gives probabilities, and the loss takes them
    for logits. Use binary_cross_entropy for probabilities, or leave out the network's sigmoid."""
    real = F.binary_cross_entropy_with_logits(on_real, torch.ones_like(on_real))
    return real + F.binary_cross_entropy_with_logits(on_fake, torch.zeros_like(on_fake))


@misconception
def difference_of_means(on_real, on_fake):
    """The discriminator's loss is a difference of mean scores, as of a Wasserstein GAN. What is asked for is
    −E log D(x) − E log(1 − D(G(z)))."""
    return on_fake.mean() - on_real.mean()
