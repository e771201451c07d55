"""Samples and the manifold: what is written in place of VAE.sample(n) → (samples, means), [n, 784], and manifold."""

import torch

from graders.misconceptions import defaults, misconception

defaults("a3_vae_template.py:VAE.sample", fails=("vae2018.sample",))


@misconception
def means_for_samples(self, n_samples):
    """You return the means in place of samples. Each pixel should be drawn from a Bernoulli distribution, 0 or 1."""
    _, means = self.original(n_samples)
    return means, means


@misconception
def rounded_means(self, n_samples):
    """Your samples are the means, rounded. Each pixel should be drawn: 1 with the probability that its mean says."""
    _, means = self.original(n_samples)
    return means.round(), means


@misconception
def exchanged(self, n_samples):
    """You return the means first and the samples second; they are asked for the other way round."""
    samples, means = self.original(n_samples)
    return means, samples


@misconception
def uniform_prior(self, n_samples):
    """You draw z uniformly between 0 and 1, as by torch.rand. The prior is the standard normal distribution, as by
    torch.randn."""
    means = self.decoder(torch.rand(n_samples, self.z_dim))
    return torch.bernoulli(means), means


@misconception
def one_latent(self, n_samples):
    """All of your samples are of one z. Draw a z for each sample."""
    means = self.decoder(torch.randn(1, self.z_dim).expand(n_samples, -1))
    return torch.bernoulli(means), means


@misconception
def sigmoid_twice(self, n_samples):
    """Your decoder ends in a sigmoid, and you apply another to what it gives, so that no mean is below ½."""
    means = torch.sigmoid(self.decoder(torch.randn(n_samples, self.z_dim)))
    return torch.bernoulli(means), means


@misconception
def latents_of_zero(self, n_samples):
    """You decode z = 0, the most likely z. Samples of the model are of many z, each drawn from N(0, I)."""
    means = self.decoder(torch.zeros(n_samples, self.z_dim))
    return torch.bernoulli(means), means


@misconception
def means_averaged(self, n_samples):
    """You average the means over the samples. Each sample has means of its own, those that the decoder gives for its z,
    and each of its pixels is drawn from them: 0 or 1."""
    means = self.decoder(torch.randn(n_samples, self.z_dim))
    return means, means.mean(dim=0)


@misconception
def inverted(self, n_samples):
    """Your samples are inverted: a pixel should be 1 with the probability that its mean says, and yours is 0 then."""
    means = self.decoder(torch.randn(n_samples, self.z_dim))
    return (torch.rand_like(means) > means).float(), means


defaults("a3_vae_template.py:manifold", fails=("vae2018.manifold",))


@misconception
def evenly_spaced_latents(model, size=20):
    """The latents of your manifold are evenly spaced themselves. Take even percentiles, and their normal quantiles
    (ppf, icdf): then each image stands for equally much of the prior."""
    axis = torch.linspace(-3, 3, size)
    return model.decoder(torch.cartesian_prod(axis, axis))


@misconception
def percentiles_for_latents(model, size=20):
    """You decode the percentiles themselves, numbers between 0 and 1. Decode their normal quantiles (ppf, icdf)."""
    axis = (torch.arange(size) + 0.5) / size
    return model.decoder(torch.cartesian_prod(axis, axis))


@misconception
def random_latents(model, size=20):
    """The latents of your manifold are drawn at random. A manifold shows a grid: even percentiles of both latents."""
    return model.decoder(torch.randn(size * size, 2))


@misconception
def diagonal(model, size=20):
    """Both latents change together in your manifold, so that it shows a diagonal only. Decode every pair of values."""
    axis = torch.distributions.Normal(0, 1).icdf((torch.arange(size * size) + 0.5) / size**2)
    return model.decoder(torch.stack([axis, axis], dim=1))


@misconception
def both_ends(model, size=20):
    """Your percentiles go from 0 to 1, whose normal quantiles are infinite. Leave both ends out."""
    axis = torch.distributions.Normal(0, 1).icdf(torch.linspace(0, 1, size))
    return model.decoder(torch.cartesian_prod(axis, axis))
