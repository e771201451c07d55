"""Mistakes in the least-squares losses: ls_discriminator_loss(scores_real, scores_fake), ls_generator_loss(scores)."""

from graders.misconceptions import defaults, misconception, original

defaults("gan_pytorch.py:ls_discriminator_loss", fails=("image_gan.ls_discriminator_loss",))


@misconception
def half_forgotten(scores_real, scores_fake):
    """You left out the factor ½ of both terms of the discriminator's least-squares loss."""
    return 2 * original(scores_real, scores_fake)


@misconception
def halved_twice(scores_real, scores_fake):
    """You averaged both terms beside their factors ½. The discriminator's least-squares loss is their sum."""
    return original(scores_real, scores_fake) / 2


@misconception
def targets_exchanged(scores_real, scores_fake):
    """You exchanged the targets: the scores of real images should be near 1, and those of generated ones near 0."""
    return original(scores_fake, scores_real)


@misconception
def both_near_one(scores_real, scores_fake):
    """You gave the generated images the target 1, too. In the discriminator's loss it is 0."""
    return 0.5 * ((scores_real - 1) ** 2).mean() + 0.5 * ((scores_fake - 1) ** 2).mean()


@misconception
def half_of_one_term(scores_real, scores_fake):
    """You gave the factor ½ only to the first term. Both terms of the discriminator's least-squares loss have it."""
    return 0.5 * ((scores_real - 1) ** 2).mean() + (scores_fake**2).mean()


@misconception
def summed(scores_real, scores_fake):
    """You summed the discriminator's squared errors over the batch. An expectation is estimated by the mean."""
    return original(scores_real, scores_fake) * len(scores_real)


@misconception
def of_probabilities(scores_real, scores_fake):
    """You applied a sigmoid to the scores. In a least-squares GAN, the squared errors are those of the scores
    themselves."""
    return original(scores_real.sigmoid(), scores_fake.sigmoid())


@misconception
def not_squared(scores_real, scores_fake):
    """You took absolute errors. A least-squares GAN squares them."""
    return 0.5 * (scores_real - 1).abs().mean() + 0.5 * scores_fake.abs().mean()


defaults("gan_pytorch.py:ls_generator_loss", fails=("image_gan.ls_generator_loss",))


@misconception
def generators_half_forgotten(scores_fake):
    """You left out the factor ½ of the generator's least-squares loss."""
    return 2 * original(scores_fake)


@misconception
def generated_near_zero(scores_fake):
    """You gave the generated images the target 0 in the generator's loss, so that it learns to be recognised. It is
    1."""
    return 0.5 * (scores_fake**2).mean()


@misconception
def generators_sum(scores_fake):
    """You summed the generator's squared errors over the batch. An expectation is estimated by the mean."""
    return original(scores_fake) * len(scores_fake)


@misconception
def generators_probabilities(scores_fake):
    """You applied a sigmoid to the scores of the generated images. The squared error is that of the scores
    themselves."""
    return original(scores_fake.sigmoid())


@misconception
def generator_cut_off(scores_fake):
    """You cut the scores off the graph by detach or item, so that the generator gets no gradient."""
    return original(scores_fake.detach())
