"""A diffusion process that is right, and shares nothing with the reference but its names."""

ALTERNATIVE_TEXT = """import math

import torch
from torch import nn


def extract(a, t, x_shape):
    out = torch.stack([a[int(index)] for index in t])
    while out.dim() < len(x_shape):
        out = out.unsqueeze(-1)
    return out.to(t.device)


def alphas_betas_sequences_helper(beta_start, beta_end, T):
    rows = []
    product = 1.0
    for i in range(T):
        beta = beta_start + (beta_end - beta_start) * i / (T - 1)
        before, product = product, product * (1 - beta)
        rows.append(
            [
                beta,
                1 - beta,
                1 / math.sqrt(1 - beta),
                product,
                math.sqrt(product),
                math.sqrt(1 - product),
                before,
                beta * (1 - before) / (1 - product),
            ]
        )
    return [torch.tensor(column) for column in zip(*rows)]


def q_sample(x_start, t, coefficients, noise=None):
    if noise is None:
        noise = torch.empty_like(x_start).normal_()
    out = [
        coefficients[0][i] * image + coefficients[1][i] * eps
        for image, i, eps in zip(x_start, t.tolist(), noise)
    ]
    return torch.stack(out)


def denoised_mean(model, x, t, coefficients):
    with torch.no_grad():
        eps = model(x, t)
    beta = extract(coefficients[0], t, x.shape)
    bar = 1 - extract(coefficients[1], t, x.shape) ** 2
    clean = (x - (1 - bar).sqrt() * eps) / bar.sqrt()
    before = bar / (1 - beta)
    return (before.sqrt() * beta / (1 - bar)) * clean + ((1 - beta).sqrt() * (1 - before) / (1 - bar)) * x


def p_sample(model, x, t, t_index, coefficients, noise=None):
    with torch.no_grad():
        out = denoised_mean(model, x, t, coefficients)
        if t_index > 0:
            eps = noise if noise is not None else torch.normal(torch.zeros_like(x), torch.ones_like(x))
            out = out + torch.pow(extract(coefficients[3], t, x.shape), 0.5) * eps
    return out


def p_sample_loop(model, shape, timesteps, T, coefficients, noise=None):
    if noise is None:
        noise = [None] * timesteps + [torch.normal(0.0, 1.0, size=tuple(shape))]
    else:
        noise = list(noise[1:]) + [noise[0]]
    x, out, i = noise[-1], torch.zeros(timesteps, *shape), timesteps
    while i > 0:
        i = i - 1
        now = torch.tensor([i] * shape[0])
        x = p_sample(t=now, t_index=i, x=x, model=model, coefficients=coefficients, noise=noise[i])
        out[timesteps - 1 - i] = x
    return out


def p_losses(denoise_model, x_start, t, coefficients, noise=None):
    target = torch.normal(torch.zeros_like(x_start), 1.0) if noise is None else noise
    guess = denoise_model(q_sample(x_start, t, coefficients, noise=target), t)
    return nn.HuberLoss(reduction="none")(guess, target).flatten(1).mean(dim=1).mean()


def t_sample(timesteps, batch_size, device):
    return torch.tensor([int(u * timesteps) for u in torch.rand(batch_size, dtype=torch.float64)], device=device)
"""
