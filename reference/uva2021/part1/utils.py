"""The arithmetic of a variational auto-encoder with a standard normal prior (Kingma & Welling 2014)."""

import math

import torch
from torchvision.utils import make_grid


def sample_reparameterize(mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """A draw from N(mean, std²) through which gradients reach both, of any shape."""
    return mean + std * torch.randn_like(mean)


def KLD(mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """KL(N(mean, std²) ‖ N(0, I)) in nats, [..., z_dim] → [...]: Kingma & Welling 2014, appendix B."""
    return (0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum(dim=-1)


def elbo_to_bpd(elbo: torch.Tensor, img_shape: tuple[int, ...]) -> torch.Tensor:
    """Summed negative log-likelihoods [B] in nats → bits per dimension [B], for images [B, C, H, W]."""
    return elbo * math.log2(math.e) / math.prod(img_shape[1:])


@torch.no_grad()
def visualize_manifold(decoder: torch.nn.Module, grid_size: int = 20) -> torch.Tensor:
    """The mean levels, from 0 to 1, that a decoder gives latents [2] at normal quantiles along both axes.

    A picture [3, height, width] of grid_size² images. The percentiles are 0.5/grid_size, 1.5/grid_size, …
    """
    percentiles = (torch.arange(grid_size) + 0.5) / grid_size
    quantiles = torch.distributions.Normal(0, 1).icdf(percentiles)
    probabilities = decoder(torch.cartesian_prod(quantiles, quantiles)).softmax(dim=1)
    levels = torch.linspace(0, 1, probabilities.shape[1])
    return make_grid(torch.einsum("blhw,l->bhw", probabilities, levels).unsqueeze(1), nrow=grid_size)
