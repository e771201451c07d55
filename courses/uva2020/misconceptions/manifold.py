"""Mistakes in visualize_manifold(decoder, grid_size), the picture of a two-dimensional latent space."""

import numpy as np
import torch
from scipy.stats import norm
from torchvision.utils import make_grid

from graders.misconceptions import defaults, misconception


def percentiles_of(grid_size):
    return (np.arange(grid_size + 1) + 0.5) / (grid_size + 1)


def pairs_of(axis):
    axis = torch.as_tensor(axis, dtype=torch.float32)
    return torch.cartesian_prod(axis, axis)


def quantile_pairs(grid_size):
    return pairs_of(norm.ppf(percentiles_of(grid_size)))


def pictured(decoder, pairs, row):
    return make_grid(torch.sigmoid(decoder(pairs)), nrow=row)


defaults("part1/utils.py:visualize_manifold", fails=("vae.manifold",))


@misconception
def even_latents(decoder, grid_size=20):
    """You spaced the latents themselves evenly. Space their percentiles evenly and take the normal quantiles,
    z = norm.ppf(percentiles), so that every tile stands for the same mass of the prior."""
    return pictured(decoder, pairs_of(np.linspace(-2, 2, grid_size + 1)), grid_size + 1)


@misconception
def percentiles_for_latents(decoder, grid_size=20):
    """You decoded the percentiles, which lie between 0 and 1, and so showed one corner of the latent space. Turn them
    into latents with the normal quantile function, z = norm.ppf(percentiles)."""
    return pictured(decoder, pairs_of(percentiles_of(grid_size)), grid_size + 1)


@misconception
def cdf_for_quantiles(decoder, grid_size=20):
    """You used the normal distribution function (cdf) where its inverse is needed: z = norm.ppf(percentiles), or
    Normal(0, 1).icdf."""
    return pictured(decoder, pairs_of(norm.cdf(percentiles_of(grid_size))), grid_size + 1)


@misconception
def cdf_of_even_latents(decoder, grid_size=20):
    """You took the normal distribution function (cdf) of evenly spaced z, which gives percentiles. Take evenly spaced
    percentiles, and apply its inverse to them: z = norm.ppf(percentiles), or Normal(0, 1).icdf."""
    return pictured(decoder, pairs_of(norm.cdf(np.linspace(-3, 3, grid_size + 1))), grid_size + 1)


@misconception
def density_for_quantiles(decoder, grid_size=20):
    """You used the normal density (pdf) where the inverse of the distribution function is needed:
    z = norm.ppf(percentiles), or Normal(0, 1).icdf."""
    return pictured(decoder, pairs_of(norm.pdf(percentiles_of(grid_size))), grid_size + 1)


@misconception
def percentiles_from_zero(decoder, grid_size=20):
    """Your percentiles start at 0, whose normal quantile is −∞. Shift them by half a step:
    (i + 0.5) / (grid_size + 1)."""
    percentiles = np.arange(grid_size + 1) / (grid_size + 1)
    return pictured(decoder, pairs_of(norm.ppf(percentiles)), grid_size + 1)


@misconception
def percentiles_from_zero_to_one(decoder, grid_size=20):
    """Your percentiles run from 0 to 1, whose normal quantiles are −∞ and ∞. Keep half a step away from either end:
    (i + 0.5) / (grid_size + 1)."""
    return pictured(decoder, pairs_of(norm.ppf(np.linspace(0, 1, grid_size + 1))), grid_size + 1)


@misconception
def percentiles_to_the_edges(decoder, grid_size=20):
    """Your percentiles run almost from 0 to 1, so that the outer tiles lie far out in the prior's tails. Keep half a
    step away from either end: (i + 0.5) / (grid_size + 1)."""
    return pictured(decoder, pairs_of(norm.ppf(np.linspace(0.01, 0.99, grid_size + 1))), grid_size + 1)


@misconception
def random_latents(decoder, grid_size=20):
    """You decoded random latents, which gives samples instead of a manifold: decode every pair of the normal quantiles
    of evenly spaced percentiles, in order."""
    return pictured(decoder, torch.randn((grid_size + 1) ** 2, 2), grid_size + 1)


@misconception
def diagonal_only(decoder, grid_size=20):
    """You decoded the diagonal only, one latent with z₀ = z₁ for each quantile. The manifold needs every pair of
    quantiles, as torch.meshgrid or torch.cartesian_prod give them."""
    axis = torch.as_tensor(norm.ppf(percentiles_of(grid_size)), dtype=torch.float32)
    return pictured(decoder, torch.stack([axis, axis], dim=1), grid_size + 1)


@misconception
def diagonal_repeated(decoder, grid_size=20):
    """You repeated both latents in the same way, so that z₀ = z₁ in every tile. Repeat one of them row by row and the
    other tile by tile (repeat_interleave and repeat), or take torch.cartesian_prod."""
    axis = torch.as_tensor(norm.ppf(percentiles_of(grid_size)), dtype=torch.float32)
    return pictured(decoder, torch.stack([axis, axis], dim=1).repeat(grid_size + 1, 1), grid_size + 1)


@misconception
def one_latent_fixed(decoder, grid_size=20):
    """You varied one latent and kept the other at 0. The manifold shows both: one changes along the rows of the
    picture, the other along its columns."""
    pairs = quantile_pairs(grid_size)
    pairs[:, 1] = 0
    return pictured(decoder, pairs, grid_size + 1)


@misconception
def coordinates_split_by_reshape(decoder, grid_size=20):
    """You stacked the two grids of torch.meshgrid in front and reshaped them to pairs, which tears the pairs apart.
    Stack them as the last dimension, torch.stack(grids, dim=-1).reshape(-1, 2), or flatten each first."""
    axis = torch.as_tensor(norm.ppf(percentiles_of(grid_size)), dtype=torch.float32)
    grids = torch.meshgrid(axis, axis, indexing="ij")
    return pictured(decoder, torch.stack(grids).reshape(-1, 2), grid_size + 1)


@misconception
def grid_size_ignored(decoder, grid_size=20):
    """You made a grid of 20 tiles a side whatever grid_size is. Use the argument."""
    return pictured(decoder, quantile_pairs(20), 21)


@misconception
def sigmoid_forgotten(decoder, grid_size=20):
    """You showed the decoder's logits. The mean of a pixel is the sigmoid of its logit: apply torch.sigmoid before you
    make the picture."""
    return make_grid(decoder(quantile_pairs(grid_size)), nrow=grid_size + 1)


@misconception
def logits_rescaled(decoder, grid_size=20):
    """You showed the decoder's logits, stretched to the range from 0 to 1. The mean of a pixel is the sigmoid of its
    logit: apply torch.sigmoid, and normalisation is not needed."""
    return make_grid(decoder(quantile_pairs(grid_size)), nrow=grid_size + 1, normalize=True)


@misconception
def sigmoid_applied_twice(decoder, grid_size=20):
    """You applied the sigmoid twice, so that all tiles are grey, between 0.5 and 0.73. Once is right: it turns the
    decoder's logits into means."""
    return make_grid(torch.sigmoid(torch.sigmoid(decoder(quantile_pairs(grid_size)))), nrow=grid_size + 1)


@misconception
def samples_shown(decoder, grid_size=20):
    """You showed Bernoulli samples. The manifold should show the means of the pixels, the sigmoids of the decoder's
    logits."""
    means = torch.sigmoid(decoder(quantile_pairs(grid_size)))
    return make_grid(torch.bernoulli(means), nrow=grid_size + 1)


@misconception
def means_rounded(decoder, grid_size=20):
    """You rounded the means, or cut them at a threshold, so that pixels are black or white. Show the means themselves,
    the sigmoids of the decoder's logits."""
    return make_grid((decoder(quantile_pairs(grid_size)) > 0).float(), nrow=grid_size + 1)


@misconception
def eight_tiles_a_row(decoder, grid_size=20):
    """You left make_grid at its default of 8 images per row, so that the rows of the picture are not the rows of the
    latent grid: pass it nrow, the number of tiles along an axis."""
    return pictured(decoder, quantile_pairs(grid_size), 8)


@misconception
def row_too_short(decoder, grid_size=20):
    """Your grid has grid_size + 1 latents per axis, but you put only grid_size of them in a row of the picture, so that
    the rows are shifted: pass make_grid nrow=grid_size + 1."""
    return pictured(decoder, quantile_pairs(grid_size), grid_size)


@misconception
def tiles_not_arranged(decoder, grid_size=20):
    """You returned the decoded images as a batch. Arrange them into one picture with make_grid(means, nrow=…)."""
    return torch.sigmoid(decoder(quantile_pairs(grid_size)))


@misconception(raises=True)
def nothing_returned(decoder, grid_size=20):
    """You returned nothing. Return the picture that make_grid makes, also where you save or show it yourself."""
    pictured(decoder, quantile_pairs(grid_size), grid_size + 1)
