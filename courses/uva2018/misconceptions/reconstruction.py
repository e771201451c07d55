"""The reconstruction: what is written in place of reconstruction(images, means), [B, 784] → [B]; and of forward."""

import torch
from torch.nn import functional as F

from graders.misconceptions import defaults, misconception, original

defaults("a3_vae_template.py:reconstruction", fails=("vae2018.reconstruction", "vae2018.bound"))


@misconception
def mean_over_pixels(images, means):
    """Your cross-entropy is averaged over the pixels (as by default in torch), and the divergence is a sum over
    latents: the divergence then dominates, and z carries no information about the image. −log p(x|z) is the sum over
    the pixels."""
    return F.binary_cross_entropy(means, images, reduction="none").mean(dim=1)


@misconception
def mean_over_pixels_and_images_twice(images, means):
    """Your cross-entropy is averaged over everything and then divided by the number of images once more, so that it
    hardly counts beside the divergence. −log p(x|z) is the sum over the pixels."""
    return (F.binary_cross_entropy(means, images) / len(images)).expand(len(images))


@misconception
def sigmoid_twice(images, means):
    """A sigmoid is applied twice: your decoder gives means, and the loss takes them for logits, so that no mean can
    come below ½. Use binary_cross_entropy for means, or leave out the decoder's sigmoid."""
    return F.binary_cross_entropy_with_logits(means, images, reduction="none").sum(dim=1)


@misconception
def squared_error(images, means):
    """Your reconstruction is a squared error, which belongs to a Gaussian p(x|z). For the Bernoulli distribution of
    binary pixels it is the binary cross-entropy."""
    return (images - means).pow(2).sum(dim=1)


@misconception
def white_pixels_only(images, means):
    """Only pixels that are 1 count in your reconstruction. Those that are 0 have a likelihood too: add
    (1 − x) · log(1 − mean)."""
    return -(images * torch.log(means)).sum(dim=1)


@misconception
def black_pixels_only(images, means):
    """Only pixels that are 0 count in your reconstruction. Those that are 1 have a likelihood too: add x ·
    log(mean)."""
    return -((1 - images) * torch.log(1 - means)).sum(dim=1)


@misconception
def exchanged(images, means):
    """The images and the means are exchanged in your cross-entropy: the logarithms are of the means, and the images say
    which of the two logarithms counts."""
    return -(means * torch.log(images + 1e-8) + (1 - means) * torch.log(1 - images + 1e-8)).sum(dim=1)


@misconception(fails=("vae2018.bound", "vae2018.epoch"))
def of_the_wrong_sign(images, means):
    """You add the log-likelihood to the divergence, where the loss has its negative: −ELBO = −log p(x|z) + KL. As it
    stands, the reconstruction is made worse."""
    return -original(images, means)


@misconception("a3_vae_template.py:VAE.forward", fails=("vae2018.bound",))
def sum_over_the_batch(self, input):
    """Your bound is the sum over the batch, so that it depends on the number of images. Return the average, or let
    epoch_iter divide by the number of images."""
    return len(input) * self.original(input)


@misconception("a3_vae_template.py:VAE.forward", fails=("vae2018.bound",))
def one_for_each_image(self, input):
    """You return a bound for each image. The loop needs one number: the average over the batch."""
    mean, std = self.encoder(input)
    means = self.decoder(draw(mean, std))
    return reconstruction(input, means) + divergence(mean, std)


@misconception("a3_vae_template.py:VAE.forward", fails=("vae2018.bound",))
def average_over_everything(self, input):
    """You average over pixels as well as over images. The bound is in nats an image: the sum over its pixels, averaged
    over images."""
    return self.original(input) / input[0].numel()


@misconception(fails=("vae2018.reconstruction", "vae2018.bound", "vae2018.gradient"))
def arguments_exchanged(images, means):
    """You give the cross-entropy the images as predictions and the means as their targets. The means come first:
    binary_cross_entropy(means, images)."""
    return F.binary_cross_entropy(images, means, reduction="none").sum(dim=1)
