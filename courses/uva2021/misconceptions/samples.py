"""Mistakes in VAE.sample(batch_size) → levels [B, 1, 28, 28], and in visualize_manifold(decoder, grid_size)."""

import torch
from torchvision.utils import make_grid

from graders.misconceptions import defaults, misconception

defaults("part1/train_pl.py:VAE.sample", fails=("vae.level_samples",))


@misconception
def likeliest_level(self, batch_size):
    """You take the likeliest level of each pixel, by argmax: a sample is a draw, as by torch.multinomial from the
    softmax of the 16 logits."""
    logits = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device))
    return logits.argmax(dim=1, keepdim=True)


@misconception
def likeliest_level_divided(self, batch_size):
    """You take the likeliest level of each pixel, by argmax, and divide it by 15: a sample is a draw, as by
    torch.multinomial from the softmax of the 16 logits, and has the levels 0 … 15, since the program that shows it
    divides by 15 itself."""
    logits = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device))
    return logits.argmax(dim=1, keepdim=True).float() / 15


@misconception
def divided_by_fifteen(self, batch_size):
    """You divide the samples by 15, but 4-bit images have the levels 0 … 15: the program that shows them divides by 15
    itself."""
    return self.original(batch_size).float() / 15


@misconception
def mean_level(self, batch_size):
    """You return the mean of the levels under the softmax: a sample is a draw of one level for each pixel, as by
    torch.multinomial."""
    probabilities = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device)).softmax(dim=1)
    levels = torch.arange(probabilities.shape[1], device=self.device).view(1, -1, 1, 1)
    return (probabilities * levels).sum(dim=1, keepdim=True)


@misconception
def logits_returned(self, batch_size):
    """You return the decoder's 16 logits of each pixel: draw a level from their softmax, as by torch.multinomial."""
    return self.decoder(torch.randn(batch_size, self.z_dim, device=self.device))


@misconception
def probabilities_returned(self, batch_size):
    """You return the probabilities of a pixel's 16 levels: draw one level from them, as by torch.multinomial."""
    return self.decoder(torch.randn(batch_size, self.z_dim, device=self.device)).softmax(dim=1)


@misconception
def levels_not_moved(self, batch_size):
    """You reshape the probabilities to [−1, 16] without moving the levels to the last dimension, so that the numbers of
    different pixels form one distribution: permute(0, 2, 3, 1) first."""
    probabilities = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device)).softmax(dim=1)
    levels = torch.multinomial(probabilities.reshape(-1, probabilities.shape[1]), 1)
    return levels.reshape(batch_size, 1, 28, 28)


@misconception
def softmax_over_columns(self, batch_size):
    """You take the softmax over the last dimension, the columns, before you draw: it is over the 16 levels, dim=1."""
    numbers = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device)).softmax(dim=-1)
    levels = torch.multinomial(numbers.permute(0, 2, 3, 1).reshape(-1, numbers.shape[1]), 1)
    return levels.reshape(batch_size, 1, 28, 28)


@misconception
def softmax_twice(self, batch_size):
    """You give Categorical probabilities as logits, so that the softmax is taken twice, and the levels are nearly
    equally probable: name the argument, probs=…, or give it the decoder's logits as logits=…"""
    probabilities = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device)).softmax(dim=1)
    return torch.distributions.Categorical(logits=probabilities.permute(0, 2, 3, 1)).sample().unsqueeze(1)


@misconception
def uniform_latents(self, batch_size):
    """You draw the latents with torch.rand, uniformly on [0, 1): the prior is N(0, I), so use torch.randn."""
    probabilities = self.decoder(torch.rand(batch_size, self.z_dim, device=self.device)).softmax(dim=1)
    return torch.distributions.Categorical(probs=probabilities.permute(0, 2, 3, 1)).sample().unsqueeze(1)


@misconception
def one_latent(self, batch_size):
    """You decode the same z for all samples: draw one for each of them, torch.randn(batch_size, z_dim)."""
    z = torch.randn(1, self.z_dim, device=self.device).repeat(batch_size, 1)
    probabilities = self.decoder(z).softmax(dim=1)
    return torch.distributions.Categorical(probs=probabilities.permute(0, 2, 3, 1)).sample().unsqueeze(1)


@misconception
def seeded(self, batch_size):
    """You seed the random numbers in sample, so that every call returns the same images: seed once, at the start of the
    program."""
    torch.manual_seed(42)
    return self.original(batch_size)


@misconception
def without_channel(self, batch_size):
    """You return samples without a dimension for the channel: images are [B, 1, 28, 28]."""
    return self.original(batch_size)[:, 0]


@misconception
def always_64_samples(self, batch_size):
    """You always draw 64 samples, whatever batch_size is: draw batch_size latents."""
    return self.original(64)


@misconception
def bits(self, batch_size):
    """You draw zeros and ones, as for binary images, from the probability of one level: draw one of 16 levels for each
    pixel, as by torch.multinomial."""
    probabilities = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device)).softmax(dim=1)
    return torch.bernoulli(probabilities[:, :1])


defaults("part1/utils.py:visualize_manifold", fails=("vae.level_manifold",))


def _latents(percentiles):
    quantiles = torch.distributions.Normal(0, 1).icdf(percentiles)
    return torch.cartesian_prod(quantiles, quantiles)


@misconception
def probabilities_averaged(decoder, grid_size=20):
    """You average the probabilities of the 16 levels, which gives 1/16 for every pixel: weigh the levels with their
    probabilities, or take a draw."""
    percentiles = (torch.arange(grid_size) + 0.5) / grid_size
    return make_grid(decoder(_latents(percentiles)).softmax(dim=1).mean(dim=1, keepdim=True), nrow=grid_size)


@misconception
def a_channel_for_each_level(decoder, grid_size=20):
    """You show the probabilities of the 16 levels as 16 channels: a pixel shows one level, the mean under these
    probabilities or a draw."""
    percentiles = (torch.arange(grid_size) + 0.5) / grid_size
    return make_grid(decoder(_latents(percentiles)).softmax(dim=1), nrow=grid_size)


@misconception
def evenly_spaced_latents(decoder, grid_size=20):
    """Your latents are evenly spaced themselves, not at normal quantiles: apply the icdf of N(0, 1) to evenly spaced
    percentiles."""
    values = torch.linspace(-2, 2, grid_size)
    images = decoder(torch.cartesian_prod(values, values)).argmax(dim=1, keepdim=True)
    return make_grid(images / 15, nrow=grid_size)


@misconception
def rows_of_eight(decoder, grid_size=20):
    """You call make_grid without nrow, so that rows have 8 images: nrow=grid_size."""
    percentiles = (torch.arange(grid_size) + 0.5) / grid_size
    return make_grid(decoder(_latents(percentiles)).argmax(dim=1, keepdim=True) / 15)


@misconception
def pairs_of_equals(decoder, grid_size=20):
    """You decode pairs of equal values, (z, z), a diagonal instead of a grid: combine each value with each other, as
    torch.cartesian_prod does."""
    percentiles = (torch.arange(grid_size**2) + 0.5) / grid_size**2
    quantiles = torch.distributions.Normal(0, 1).icdf(percentiles)
    images = decoder(torch.stack([quantiles, quantiles], dim=1)).argmax(dim=1, keepdim=True)
    return make_grid(images / 15, nrow=grid_size)


@misconception
def draws_for_a_grid(decoder, grid_size=20):
    """You decode draws from the prior instead of a grid of latents: take normal quantiles along both axes."""
    return make_grid(decoder(torch.randn(grid_size**2, 2)).argmax(dim=1, keepdim=True) / 15, nrow=grid_size)
