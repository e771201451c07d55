"""Mistakes in the generator's step, and in its loss −E log D(G(z)) from logits [B, 1]."""

import torch
import torch.nn.functional as F

from graders.misconceptions import defaults, misconception, original

defaults("part2/losses.py:generator_loss", fails=("gan.generator_step",))


@misconception
def saturating_loss(logits_fake):
    """You minimise E log(1 − D(G(z))), the saturating loss, whose gradient vanishes just when the discriminator
    recognises every fake (question 2.2): minimise −E log D(G(z)) instead."""
    return F.logsigmoid(-logits_fake).mean()


@misconception
def labels_exchanged(logits_fake):
    """You label the generator's images as fake in its own step, while the discriminator's step does so too: the
    generator then learns to be recognised. Label them as real here."""
    return F.binary_cross_entropy_with_logits(logits_fake, torch.zeros_like(logits_fake))


@misconception
def negated(logits_fake):
    """Your generator's loss has the wrong sign: it minimises E log D(G(z)), which makes the fakes worse; minimise
    −E log D(G(z))."""
    return -original(logits_fake)


@misconception
def summed_over_the_batch(logits_fake):
    """You sum the generator's loss over the batch, but the expectation should be estimated by the mean: leave out
    reduction="sum"."""
    return original(logits_fake) * len(logits_fake)


@misconception
def not_reduced(logits_fake):
    """You return the generator's loss for every image, but backward() needs a single number: take the mean."""
    return F.softplus(-logits_fake)


@misconception
def sigmoid_twice(logits_fake):
    """You apply a sigmoid to the scores of the generator's images before a loss that expects logits and applies its own
    sigmoid: pass the logits themselves."""
    return original(torch.sigmoid(logits_fake))


@misconception
def mean_score(logits_fake):
    """You minimise −E s(G(z)), the mean score of a Wasserstein GAN, which has no lower bound here: minimise −E log
    D(G(z)), the cross entropy of the logits with the label 1."""
    return -logits_fake.mean()


@misconception
def least_squares(logits_fake):
    """You minimise the squared distance of the generator's scores from 1, as a least-squares GAN does: minimise
    −E log D(G(z)), the cross entropy of the logits with the label 1."""
    return F.mse_loss(logits_fake, torch.ones_like(logits_fake))


@misconception
def least_squares_of_probabilities(logits_fake):
    """You minimise the squared distance of D(G(z)) from 1 instead of the cross entropy: minimise −E log D(G(z))."""
    return F.mse_loss(torch.sigmoid(logits_fake), torch.ones_like(logits_fake))


@misconception
def no_logarithm(logits_fake):
    """You maximise E D(G(z)) itself: the logarithm is missing, and with it the large gradient where D is near 0.
    Minimise −E log D(G(z))."""
    return -torch.sigmoid(logits_fake).mean()


@misconception
def one_minus_logit(logits_fake):
    """You pass 1 − logit to the generator's loss as if it were a probability, but the logit of 1 − D is −logit:
    minimise −E log D(G(z)), the cross entropy of the logits with the label 1."""
    return original(1 - logits_fake)


defaults("part2/train_torch.py:GAN.generator_step", fails=("gan.generator_step",))


@misconception
def real_images_too(self, x_real):
    """You add the loss on real images to the generator's loss: leave it out, since the scores of real images do not
    depend on the generator."""
    logits_fake = self.discriminator(self.generator(self.draw_latents(x_real.shape[0])))
    loss = generator_loss(logits_fake) + generator_loss(self.discriminator(x_real))
    return loss, {"loss": loss}


@misconception
def loss_of_the_discriminator(self, x_real):
    """You train the generator on the discriminator's own loss, so that it learns to be recognised: its loss is
    −E log D(G(z)), with its images labelled as real."""
    logits_fake = self.discriminator(self.generator(self.draw_latents(x_real.shape[0])))
    loss = discriminator_loss(self.discriminator(x_real), logits_fake)
    return loss, {"loss": loss}


@misconception
def discriminators_loss_negated(self, x_real):
    """You train the generator on the negative of the discriminator's loss, which for the generator is the saturating
    loss of question 2.2: minimise −E log D(G(z)) instead."""
    logits_fake = self.discriminator(self.generator(self.draw_latents(x_real.shape[0])))
    loss = -discriminator_loss(self.discriminator(x_real), logits_fake)
    return loss, {"loss": loss}


@misconception
def real_images_instead(self, x_real):
    """You score the real images in the generator's step instead of generated ones: generate images from new latents,
    and score those."""
    loss = generator_loss(self.discriminator(x_real))
    return loss, {"loss": loss}


@misconception
def without_gradient(self, x_real):
    """You generate the images of the generator's step under no_grad (as sample does) or detach them, so that no
    gradient reaches the generator: call self.generator on new latents."""
    with torch.no_grad():
        x_fake = self.generator(self.draw_latents(x_real.shape[0]))
    loss = generator_loss(self.discriminator(x_fake))
    return loss, {"loss": loss}


@misconception
def uniform_noise(self, x_real):
    """You draw the latents of the generator's step with torch.rand, uniformly on [0, 1), while sample draws them from
    N(0, I): use torch.randn in both."""
    z = torch.rand_like(self.draw_latents(x_real.shape[0]))
    loss = generator_loss(self.discriminator(self.generator(z)))
    return loss, {"loss": loss}


@misconception
def one_latent_for_all(self, x_real):
    """You make all fakes of the generator's step from one latent: draw one z for each image of the batch."""
    z = self.draw_latents(1).expand(x_real.shape[0], -1)
    loss = generator_loss(self.discriminator(self.generator(z)))
    return loss, {"loss": loss}
