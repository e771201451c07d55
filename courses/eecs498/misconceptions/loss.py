"""Mistakes in loss_function(x_hat, x, mu, logvar): (Σ cross-entropy + ½ Σ (exp(logvar) + mu² − 1 − logvar)) / N."""

import torch
from torch.nn import functional as F

from graders.misconceptions import defaults, misconception, original

defaults("vae.py:loss_function", fails=("vae.loss_function",))


def entropy(x_hat, x):
    """The right cross-entropy, summed."""
    return F.binary_cross_entropy(x_hat, x, reduction="sum")


@misconception
def twice_the_logarithm(x_hat, x, mu, logvar):
    """You multiplied logvar by 2 in the divergence. That would be right for the logarithm of a standard deviation; with
    that of a variance, it is ½ Σ (exp(logvar) + mu² − 1 − logvar)."""
    return (entropy(x_hat, x) + 0.5 * torch.sum(logvar.exp() + mu**2 - 1 - 2 * logvar)) / len(x)


@misconception
def logarithm_of_a_deviation(x_hat, x, mu, logvar):
    """You treated logvar as the logarithm of a standard deviation in the divergence. The variance is exp(logvar), and
    its logarithm is logvar."""
    return (entropy(x_hat, x) + 0.5 * torch.sum((2 * logvar).exp() + mu**2 - 1 - 2 * logvar)) / len(x)


@misconception
def variance_squared(x_hat, x, mu, logvar):
    """You squared the variance in the divergence. It is ½ Σ (exp(logvar) + mu² − 1 − logvar)."""
    return (entropy(x_hat, x) + 0.5 * torch.sum((2 * logvar).exp() + mu**2 - 1 - logvar)) / len(x)


@misconception
def mean_cross_entropy(x_hat, x, mu, logvar):
    """You averaged the cross-entropy over all pixels, and summed the divergence: that makes the images count 784 times
    too little. Sum both, and divide by the number of images."""
    return F.binary_cross_entropy(x_hat, x) + original(x_hat, x, mu, logvar) - entropy(x_hat, x) / len(x)


@misconception
def mean_cross_entropy_beside_a_sum(x_hat, x, mu, logvar):
    """You averaged the cross-entropy over all pixels and images, and summed the divergence over latents and images. Sum
    both, and divide by the number of images."""
    return F.binary_cross_entropy(x_hat, x) + 0.5 * torch.sum(logvar.exp() + mu**2 - 1 - logvar)


@misconception
def mean_divergence(x_hat, x, mu, logvar):
    """You averaged the divergence over the latents, too. Sum it over latents, and divide by the number of images
    only."""
    return entropy(x_hat, x) / len(x) + 0.5 * torch.mean(logvar.exp() + mu**2 - 1 - logvar)


@misconception
def not_averaged(x_hat, x, mu, logvar):
    """You did not divide by the number of images: the loss is the average over the batch."""
    return len(x) * original(x_hat, x, mu, logvar)


@misconception
def divergence_alone_averaged(x_hat, x, mu, logvar):
    """You divided only the divergence by the number of images. The cross-entropy is divided by it, too."""
    return original(x_hat, x, mu, logvar) + (len(x) - 1) / len(x) * entropy(x_hat, x)


@misconception
def divergence_subtracted(x_hat, x, mu, logvar):
    """You gave the divergence the wrong sign: minimising it would drive the posterior away from the prior. Add
    ½ Σ (exp(logvar) + mu² − 1 − logvar)."""
    return 2 * entropy(x_hat, x) / len(x) - original(x_hat, x, mu, logvar)


@misconception
def half_forgotten(x_hat, x, mu, logvar):
    """You left out the factor ½ of the divergence."""
    return 2 * original(x_hat, x, mu, logvar) - entropy(x_hat, x) / len(x)


@misconception
def one_forgotten(x_hat, x, mu, logvar):
    """You left out the −1 in the divergence, which is 0 at mu = 0 and logvar = 0: ½ Σ (exp(logvar) + mu² − 1 −
    logvar)."""
    return original(x_hat, x, mu, logvar) + 0.5 * mu.shape[1]


@misconception
def mean_not_squared(x_hat, x, mu, logvar):
    """You did not square mu in the divergence: ½ Σ (exp(logvar) + mu² − 1 − logvar)."""
    return (entropy(x_hat, x) + 0.5 * torch.sum(logvar.exp() + mu - 1 - logvar)) / len(x)


@misconception
def no_divergence(x_hat, x, mu, logvar):
    """You left out the divergence from N(0, I), without which latents drawn from that give no digits."""
    return entropy(x_hat, x) / len(x) + 0 * (mu + logvar).sum()


@misconception
def no_cross_entropy(x_hat, x, mu, logvar):
    """You left out the cross-entropy, so that nothing makes reconstructions like the images."""
    return original(x_hat, x, mu, logvar) - entropy(x_hat, x) / len(x)


@misconception
def means_taken_for_logits(x_hat, x, mu, logvar):
    """You gave the decoder's means to a cross-entropy of logits, which applies another sigmoid. The decoder ends in a
    sigmoid already: use F.binary_cross_entropy."""
    logits = F.binary_cross_entropy_with_logits(x_hat, x, reduction="sum")
    return original(x_hat, x, mu, logvar) + (logits - entropy(x_hat, x)) / len(x)


@misconception
def images_exchanged(x_hat, x, mu, logvar):
    """You exchanged the arguments of the cross-entropy: the first are the decoder's means, the second the images."""
    inside = x.clamp(1e-6, 1 - 1e-6)
    return original(x_hat, x, mu, logvar) + (entropy(inside, x_hat.detach()) - entropy(x_hat, x)) / len(x)


@misconception
def squared_error(x_hat, x, mu, logvar):
    """You used a squared error. The reconstruction term is the binary cross-entropy."""
    return original(x_hat, x, mu, logvar) + (((x_hat - x) ** 2).sum() - entropy(x_hat, x)) / len(x)
