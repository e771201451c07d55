"""Denoising diffusion: Ho, Jain and Abbeel 2020. Indices t run from 0 to T − 1, and ᾱ before the first is 1."""

import torch
import torch.nn.functional as F
from tqdm import tqdm


def extract(a, t, x_shape):
    """The entries of `a` [T] at the times `t` [B], shaped so that they go with a batch of `x_shape`."""
    values = a.gather(-1, t.to(a.device)).to(t.device)
    return values.reshape(-1, *[1] * (len(x_shape) - 1))


def alphas_betas_sequences_helper(beta_start, beta_end, T):
    """The eight sequences [T] of a schedule whose variances β grow linearly."""
    betas = torch.linspace(beta_start, beta_end, T)
    alphas = 1 - betas
    sqrt_recip_alphas = alphas.rsqrt()
    alphas_cumprod = alphas.cumprod(dim=0)
    sqrt_alphas_cumprod = alphas_cumprod.sqrt()
    sqrt_one_minus_alphas_cumprod = (1 - alphas_cumprod).sqrt()
    alphas_cumprod_prev = torch.cat([torch.ones(1), alphas_cumprod[:-1]])
    posterior_variance = betas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod)
    return (
        betas,
        alphas,
        sqrt_recip_alphas,
        alphas_cumprod,
        sqrt_alphas_cumprod,
        sqrt_one_minus_alphas_cumprod,
        alphas_cumprod_prev,
        posterior_variance,
    )


def q_sample(x_start, t, coefficients, noise=None):
    """A draw of x_t given x_0: √ᾱ·x_0 + √(1 − ᾱ)·ε. Equation 4."""
    if noise is None:
        noise = torch.randn_like(x_start)
    sqrt_alphas_cumprod, sqrt_one_minus_alphas_cumprod = coefficients
    signal = extract(sqrt_alphas_cumprod, t, x_start.shape)
    spread = extract(sqrt_one_minus_alphas_cumprod, t, x_start.shape)
    return signal * x_start + spread * noise


def denoised_mean(model, x, t, coefficients):
    """The mean of x_{t−1} given x_t: (x_t − β/√(1 − ᾱ)·ε(x_t, t)) / √α. Equation 11."""
    betas, sqrt_one_minus_alphas_cumprod, sqrt_recip_alphas = (extract(a, t, x.shape) for a in coefficients[:3])
    return sqrt_recip_alphas * (x - betas / sqrt_one_minus_alphas_cumprod * model(x, t))


def p_sample(model, x, t, t_index, coefficients, noise=None):
    raise NotImplementedError


def p_losses(denoise_model, x_start, t, coefficients, noise=None):
    noise = torch.randn_like(x_start) if noise is None else noise
    x_noisy = q_sample(x_start, t, coefficients, noise)
    return F.smooth_l1_loss(denoise_model(x_noisy, t), noise)


def t_sample(timesteps, batch_size, device):
    return torch.randint(0, timesteps, (batch_size,), device=device)
