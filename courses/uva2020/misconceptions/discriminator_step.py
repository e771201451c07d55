"""Mistakes in the discriminator's step, and in its loss −E log D(x) − E log(1 − D(G(z))) from logits [B, 1] each."""

import torch
import torch.nn.functional as F

from graders.misconceptions import defaults, misconception, original

defaults("part2/losses.py:discriminator_loss", fails=("gan.discriminator_step",))


@misconception
def labels_exchanged(logits_real, logits_fake):
    """You label real images 0 and fakes 1 in the discriminator's step, but the generator's step takes 1 for real, so
    that both work against each other: label real images 1 and fakes 0."""
    return original(logits_fake, logits_real)


@misconception
def both_labelled_real(logits_real, logits_fake):
    """You label the fakes as real in the discriminator's step, so that it does not learn to tell them apart: their
    label is 0."""
    return F.softplus(-logits_real).mean() + F.softplus(-logits_fake).mean()


@misconception
def both_labelled_fake(logits_real, logits_fake):
    """You label the real images as fake in the discriminator's step, so that it does not learn to tell them apart:
    their label is 1."""
    return F.softplus(logits_real).mean() + F.softplus(logits_fake).mean()


@misconception
def real_images_only(logits_real, logits_fake):
    """Only the real images count in your discriminator's loss: add −E log(1 − D(G(z))), the term of the fakes."""
    return F.softplus(-logits_real).mean()


@misconception
def fakes_only(logits_real, logits_fake):
    """Only the fakes count in your discriminator's loss: add −E log D(x), the term of the real images."""
    return F.softplus(logits_fake).mean()


@misconception
def negated(logits_real, logits_fake):
    """Your discriminator's loss has the wrong sign: it maximises E log D(x) + E log(1 − D(G(z))), so minimise the
    negative of that."""
    return -original(logits_real, logits_fake)


@misconception
def fake_term_subtracted(logits_real, logits_fake):
    """You subtract the loss on the fakes from the loss on the real images: the discriminator minimises their sum."""
    return F.softplus(-logits_real).mean() - F.softplus(logits_fake).mean()


@misconception
def real_term_subtracted(logits_real, logits_fake):
    """You subtract the loss on the real images from the loss on the fakes: the discriminator minimises their sum."""
    return F.softplus(logits_fake).mean() - F.softplus(-logits_real).mean()


@misconception
def one_minus_logit(logits_real, logits_fake):
    """You pass 1 − logit to the loss on the fakes as if it were a probability: the logit of 1 − D is −logit. Pass the
    logits themselves with the label 0."""
    return F.softplus(-logits_real).mean() + F.softplus(logits_fake - 1).mean()


@misconception
def log_of_fakes(logits_real, logits_fake):
    """You wrote E log D(G(z)) for the fakes, which has no lower bound: the term should be −E log(1 − D(G(z))), so give
    their logits the label 0."""
    return F.softplus(-logits_real).mean() - F.softplus(-logits_fake).mean()


@misconception
def mean_scores(logits_real, logits_fake):
    """You minimise the difference of the mean scores of fakes and real images, as a Wasserstein critic does, which has
    no lower bound here: minimise −E log D(x) − E log(1 − D(G(z)))."""
    return logits_fake.mean() - logits_real.mean()


@misconception
def least_squares(logits_real, logits_fake):
    """You minimise squared distances of the scores from 1 and 0, as a least-squares GAN does: minimise
    −E log D(x) − E log(1 − D(G(z))), the cross entropy of the logits."""
    return (logits_real - 1).square().mean() + logits_fake.square().mean()


@misconception
def no_logarithms(logits_real, logits_fake):
    """You maximise E D(x) + E (1 − D(G(z))): the logarithms are missing, and with them the large gradients where D is
    wrong. Minimise −E log D(x) − E log(1 − D(G(z)))."""
    return torch.sigmoid(logits_fake).mean() - torch.sigmoid(logits_real).mean()


@misconception
def sigmoid_twice(logits_real, logits_fake):
    """You apply a sigmoid to the discriminator's scores before a loss that expects logits and applies its own sigmoid:
    pass the logits themselves."""
    return original(torch.sigmoid(logits_real), torch.sigmoid(logits_fake))


@misconception
def summed_over_the_batch(logits_real, logits_fake):
    """You sum the discriminator's loss over the batch, but the expectations should be estimated by means: leave out
    reduction="sum"."""
    return original(logits_real, logits_fake) * len(logits_real)


@misconception
def not_reduced(logits_real, logits_fake):
    """You return the discriminator's loss for every pair of images, but backward() needs a single number: take the mean
    of each term."""
    return F.softplus(-logits_real) + F.softplus(logits_fake)


@misconception
def scores_detached(logits_real, logits_fake):
    """You detach the discriminator's scores, or compute them under no_grad, so that no gradient reaches it: detach the
    generated images, but not their scores."""
    return original(logits_real.detach(), logits_fake.detach())


defaults("part2/train_torch.py:GAN.discriminator_step", fails=("gan.discriminator_step",))


@misconception
def real_images_twice(self, x_real):
    """You show the discriminator the real batch twice, the second time instead of the fakes: score self.generator(z),
    detached, with the label 0."""
    self.generator(self.draw_latents(x_real.shape[0]))
    loss = discriminator_loss(self.discriminator(x_real), self.discriminator(x_real))
    return loss, {"loss": loss}


@misconception
def fakes_twice(self, x_real):
    """You show the discriminator the fakes twice, the first time instead of the real batch: score x_real with the label
    1."""
    x_fake = self.generator(self.draw_latents(x_real.shape[0])).detach()
    loss = discriminator_loss(self.discriminator(x_fake), self.discriminator(x_fake))
    return loss, {"loss": loss}


@misconception
def noise_for_fakes(self, x_real):
    """You show the discriminator pictures of noise instead of generated ones, so that it learns nothing about the
    generator: make the fakes with self.generator from latents."""
    loss = discriminator_loss(self.discriminator(x_real), self.discriminator(torch.randn_like(x_real)))
    return loss, {"loss": loss}


@misconception
def uniform_noise(self, x_real):
    """You draw the latents of the discriminator's step with torch.rand, uniformly on [0, 1), while sample draws them
    from N(0, I): use torch.randn in both."""
    z = torch.rand_like(self.draw_latents(x_real.shape[0]))
    loss = discriminator_loss(self.discriminator(x_real), self.discriminator(self.generator(z).detach()))
    return loss, {"loss": loss}


@misconception
def one_latent_for_all(self, x_real):
    """You make all fakes of the discriminator's step from one latent: draw one z for each image of the batch."""
    x_fake = self.generator(self.draw_latents(1).expand(x_real.shape[0], -1)).detach()
    loss = discriminator_loss(self.discriminator(x_real), self.discriminator(x_fake))
    return loss, {"loss": loss}


@misconception(fails=("gan.alternation",))
def fakes_not_detached(self, x_real):
    """You do not detach the fakes in the discriminator's step, and its gradients are still in the generator when the
    generator's optimiser moves it: detach them, or clear the gradients right before each backward()."""
    x_fake = self.generator(self.draw_latents(x_real.shape[0]))
    loss = discriminator_loss(self.discriminator(x_real), self.discriminator(x_fake))
    return loss, {"loss": loss}
