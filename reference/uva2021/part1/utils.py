"""The arithmetic of a variational auto-encoder with a standard normal prior (Kingma & Welling 2014)."""

import math

import torch


def sample_reparameterize(mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """A draw from N(mean, std²) through which gradients reach both, of any shape."""
    return mean + std * torch.randn_like(mean)


def KLD(mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """KL(N(mean, std²) ‖ N(0, I)) in nats, [..., z_dim] → [...]: Kingma & Welling 2014, appendix B."""
    return (0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum(dim=-1)


def elbo_to_bpd(elbo: torch.Tensor, img_shape: tuple[int, ...]) -> torch.Tensor:
    """Summed negative log-likelihoods [B] in nats → bits per dimension [B], for images [B, C, H, W]."""
    return elbo * math.log2(math.e) / math.prod(img_shape[1:])
