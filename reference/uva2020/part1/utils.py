"""The arithmetic of a variational auto-encoder with a standard normal prior (Kingma & Welling 2014)."""

import math

import numpy as np
import torch
from scipy.stats import norm
from torch import nn
from torchvision.utils import make_grid


def sample_reparameterize(mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Draws z = mean + std · ε with ε ~ N(0, 1), one noise value per element.

    The randomness sits in ε alone, so gradients reach both arguments: dz/dmean = 1 and dz/dstd = ε.

    Args:
        mean: of any shape.
        std: standard deviations > 0, of the same shape.
    """
    return mean + std * torch.randn_like(mean)


def KLD(mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """KL(N(mean, std²) ‖ N(0, I)) in nats, summed over the last dimension.

    Per element ½ (std² + mean² − 1) − log std: Kingma & Welling 2014, appendix B.

    Args:
        mean: [..., z_dim].
        log_std: logarithms of standard deviations, [..., z_dim].

    Returns:
        [...]
    """
    return (0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum(dim=-1)


def elbo_to_bpd(elbo: torch.Tensor, img_shape: tuple[int, ...]) -> torch.Tensor:
    """Turns summed negative log-likelihoods, in nats, into bits per dimension: nll · log₂(e) / (C·H·W).

    Args:
        elbo: the negative evidence lower bound of each image, [B]; or their mean, [].
        img_shape: [B, C, H, W]; the batch is not a dimension of an image.

    Returns:
        Of the shape of elbo.
    """
    return elbo * math.log2(math.e) / math.prod(img_shape[1:])


@torch.no_grad()
def visualize_manifold(decoder: nn.Module, grid_size: int = 20) -> torch.Tensor:
    """The decoder's mean images over a 2-dimensional latent space, as one picture.

    The latents are the normal quantiles Φ⁻¹((i + ½) / (grid_size + 1)), i = 0 … grid_size, on each axis, so that equal
    areas of the picture hold equal masses of the prior. From left to right z₁ grows, from top to bottom z₀.

    Args:
        decoder: maps latents [B, 2] to logits [B, C, H, W], and has a `device`.
        grid_size: steps per axis, one fewer than images.

    Returns:
        [3, height, width] with values in [0, 1].
    """
    percentiles = (np.arange(grid_size + 1) + 0.5) / (grid_size + 1)
    axis = torch.as_tensor(norm.ppf(percentiles), dtype=torch.float32, device=decoder.device)
    means = torch.sigmoid(decoder(torch.cartesian_prod(axis, axis)))
    return make_grid(means, nrow=grid_size + 1)
