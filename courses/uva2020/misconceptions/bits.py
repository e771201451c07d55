"""Mistakes in elbo_to_bpd(elbo, img_shape), bits per dimension: [B] and [B, C, H, W] → [B]."""

import math

from graders.misconceptions import defaults, misconception

defaults("part1/utils.py:elbo_to_bpd", fails=("vae.bpd",))


@misconception
def nats_kept(elbo, img_shape):
    """You divided by the dimensions of an image and stayed with nats. Multiply by log₂(e) ≈ 1.443 to get bits."""
    return elbo / math.prod(img_shape[1:])


@misconception
def multiplied_by_ln_2(elbo, img_shape):
    """You converted nats the wrong way, multiplying by ln(2) ≈ 0.693: divide by ln(2), or multiply by log₂(e) ≈ 1.443,
    to get bits."""
    return elbo * math.log(2) / math.prod(img_shape[1:])


@misconception
def decimal_logarithm(elbo, img_shape):
    """You multiplied by log₁₀(e) ≈ 0.434, the logarithm to the base 10. Bits have the base 2: multiply by
    log₂(e) ≈ 1.443."""
    return elbo * math.log10(math.e) / math.prod(img_shape[1:])


@misconception(fails=("vae.bpd", "vae.bpd_per_image", "vae.loss"))
def logarithm_of_bound(elbo, img_shape):
    """You took the logarithm of the bound itself. It is a logarithm already, to the base e: multiply it by log₂(e) to
    change the base."""
    return elbo.log2() / math.prod(img_shape[1:])


@misconception
def divided_by_batch(elbo, img_shape):
    """You divided by the size of the batch too, the first entry of img_shape. Only the dimensions of one image count:
    C · H · W, the product of img_shape[1:]."""
    return elbo * math.log2(math.e) / math.prod(img_shape)


@misconception
def negated(elbo, img_shape):
    """You changed the sign: in spite of its name, the argument elbo is a negative log-likelihood already, so bits per
    dimension are positive."""
    return -elbo * math.log2(math.e) / math.prod(img_shape[1:])


@misconception(fails=("vae.bpd",))
def channels_forgotten(elbo, img_shape):
    """You divided by height · width. The channels are dimensions of an image too: divide by C · H · W."""
    return elbo * math.log2(math.e) / math.prod(img_shape[2:])


@misconception(fails=("vae.bpd",))
def size_of_mnist(elbo, img_shape):
    """You divided by 784, the size of MNIST's images. Use img_shape, which says the size of any: C · H · W, the
    product of img_shape[1:]."""
    return elbo * math.log2(math.e) / 784


@misconception
def not_divided(elbo, img_shape):
    """You gave the bits of a whole image. Divide by its dimensions, C · H · W, the product of img_shape[1:]."""
    return elbo * math.log2(math.e)


@misconception
def multiplied_by_dimensions(elbo, img_shape):
    """You multiplied by the number of dimensions. The bound is that of a whole image: divide it by C · H · W to get
    bits per dimension."""
    return elbo * math.log2(math.e) * math.prod(img_shape[1:])


@misconception
def sizes_added(elbo, img_shape):
    """You divided by the sum of the image's sizes. The number of its dimensions is their product, C · H · W."""
    return elbo * math.log2(math.e) / sum(img_shape[1:])


@misconception(fails=("vae.bpd_per_image",))
def averaged_over_batch(elbo, img_shape):
    """You averaged over the batch, and gave one number. Return one value for each image, and leave averaging to the
    caller."""
    return (elbo * math.log2(math.e) / math.prod(img_shape[1:])).mean()


@misconception(fails=("vae.bpd", "vae.bpd_per_image"))
def summed_over_batch(elbo, img_shape):
    """You summed over the batch, so that the result grows with its size. Return one value for each image, and leave
    averaging to the caller."""
    return (elbo * math.log2(math.e) / math.prod(img_shape[1:])).sum()
