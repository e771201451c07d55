"""The losses of a GAN: in place of discriminator_train(D, G, real, fake), generator_train(D, G, fake) or criterion."""

import torch
import torch.nn.functional as F

from graders.misconceptions import defaults, misconception, original

defaults("gan_solution.py:generator_train", fails=("gan.generator_step",))


@misconception
def saturating(discriminator, generator, fake_samples):
    """You minimise E log(1 − D(G(z))), the saturating loss. Its gradient vanishes just when the discriminator
    recognises every fake, at the start: minimise −E log D(G(z)), the loss with the label of real images."""
    output = discriminator(fake_samples)
    return -criterion(output, torch.zeros_like(output))


@misconception
def rewarded_for_being_caught(discriminator, generator, fake_samples):
    """You label the fakes as fake in the generator's loss too, so that it learns to be recognised. In its own loss they
    are labelled real."""
    output = discriminator(fake_samples)
    return criterion(output, torch.zeros_like(output))


@misconception
def sign_turned(discriminator, generator, fake_samples):
    """You turned the sign of the generator's loss, so that an optimiser makes the fakes worse."""
    return -original(discriminator, generator, fake_samples)


@misconception
def fakes_detached(discriminator, generator, fake_samples):
    """You detach the fakes in the generator's loss, so that no gradient reaches the generator. Detaching belongs to the
    discriminator's step only."""
    return original(discriminator, generator, fake_samples.detach())


@misconception
def mean_score(discriminator, generator, fake_samples):
    """You maximise the mean score, which is a Wasserstein loss. The loss of this GAN is −E log D(G(z))."""
    return -discriminator(fake_samples).mean()


@misconception
def squared_error(discriminator, generator, fake_samples):
    """You took a squared error, which is a least-squares GAN. The loss of this GAN is a cross-entropy."""
    output = discriminator(fake_samples)
    return F.mse_loss(output, torch.ones_like(output))


@misconception
def summed(discriminator, generator, fake_samples):
    """You summed the generator's loss over the batch. An expectation is its mean."""
    return original(discriminator, generator, fake_samples) * len(fake_samples)


@misconception
def sigmoid_twice(discriminator, generator, fake_samples):
    """You applied a sigmoid before the generator's loss, which applies one itself: BCEWithLogitsLoss takes logits."""
    output = discriminator(fake_samples).sigmoid()
    return criterion(output, torch.ones_like(output))


defaults("gan_solution.py:discriminator_train", fails=("gan.discriminator_step",))


@misconception
def only_real_images(discriminator, generator, real_samples, fake_samples):
    """Your discriminator's loss has the real images only: add −E log(1 − D(G(z)))."""
    output = discriminator(real_samples)
    discriminator(fake_samples)
    return criterion(output, torch.ones_like(output))


@misconception
def only_fake_images(discriminator, generator, real_samples, fake_samples):
    """Your discriminator's loss has the generated images only: add −E log D(x)."""
    discriminator(real_samples)
    output = discriminator(fake_samples)
    return criterion(output, torch.zeros_like(output))


@misconception
def all_labelled_real(discriminator, generator, real_samples, fake_samples):
    """You labelled the generated images real in the discriminator's loss as well. There they are fake, 0."""
    return sum(
        criterion(output, torch.ones_like(output)) for output in map(discriminator, (real_samples, fake_samples))
    )


@misconception
def labels_exchanged(discriminator, generator, real_samples, fake_samples):
    """You labelled real images 0 and fakes 1 in the discriminator's loss only. The generator's loss has to use the same
    labels: real 1 and fake 0 in both."""
    real, fake = discriminator(real_samples), discriminator(fake_samples)
    return criterion(real, torch.zeros_like(real)) + criterion(fake, torch.ones_like(fake))


@misconception
def terms_subtracted(discriminator, generator, real_samples, fake_samples):
    """You subtracted the loss of the generated images from that of the real ones. Their sum is the loss."""
    real, fake = discriminator(real_samples), discriminator(fake_samples)
    return criterion(real, torch.ones_like(real)) - criterion(fake, torch.zeros_like(fake))


@misconception
def loss_turned(discriminator, generator, real_samples, fake_samples):
    """You turned the sign of the discriminator's loss, so that an optimiser makes it worse."""
    return -original(discriminator, generator, real_samples, fake_samples)


@misconception
def one_is_subtracted(discriminator, generator, real_samples, fake_samples):
    """You took 1 − score for the generated images. A score is a logit, and 1 − logit is not the logit of 1 − D: use a
    label of 0."""
    real, fake = discriminator(real_samples), 1 - discriminator(fake_samples)
    return criterion(real, torch.ones_like(real)) + criterion(fake, torch.ones_like(fake))


@misconception
def difference_of_scores(discriminator, generator, real_samples, fake_samples):
    """You took the difference of the mean scores, which is a Wasserstein loss. This GAN has a cross-entropy."""
    return discriminator(fake_samples).mean() - discriminator(real_samples).mean()


@misconception("gan_solution.py:criterion", fails=("gan.discriminator_step", "gan.generator_step"), raises=True)
def loss_of_probabilities(output, target):
    """Your criterion takes probabilities, and the discriminator gives logits: use BCEWithLogitsLoss, or a sigmoid
    before."""
    return F.binary_cross_entropy(output, target)


@misconception("gan_solution.py:criterion", fails=("gan.discriminator_step", "gan.generator_step"))
def least_squares(output, target):
    """Your criterion is a squared error, which is a least-squares GAN. The loss of this one is a cross-entropy of
    logits: BCEWithLogitsLoss."""
    return F.mse_loss(output, target)
