"""Diffusion processes for the hand-out of winter 2023: sequences in globals, and noise that the functions draw."""

WINTER_TEXT = """import torch
import torch.nn.functional as F
from einops import rearrange
from tqdm.auto import tqdm

device = "cuda" if torch.cuda.is_available() else "cpu"
train_batch_size = 64
lr = 1e-4
T = 1000
beta_start = 0.0001
beta_end = 0.02


def extract(a, t, x_shape):
    out = a.gather(-1, t.cpu())
    return out.reshape(len(t), *((1,) * (len(x_shape) - 1))).to(t.device)


def linear_beta_schedule(beta_start, beta_end, timesteps):
    return torch.linspace(beta_start, beta_end, timesteps)


betas = linear_beta_schedule(beta_start, beta_end, T)
alphas = 1 - betas
sqrt_recip_alphas = (1 / alphas).sqrt()
alphas_cumprod = alphas.cumprod(0)
sqrt_alphas_cumprod = alphas_cumprod.sqrt()
sqrt_one_minus_alphas_cumprod = (1 - alphas_cumprod).sqrt()
alphas_cumprod_prev = alphas_cumprod.roll(1, 0)
alphas_cumprod_prev[0] = 1
posterior_variance = betas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod)


def q_sample(x_start, t, noise=None):
    if noise is None:
        noise = torch.randn_like(x_start)
    signal = extract(sqrt_alphas_cumprod, t, x_start.shape)
    return signal * x_start + extract(sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise


def p_sample(model, x, t, t_index):
    with torch.no_grad():
        scale = extract(betas, t, x.shape) / extract(sqrt_one_minus_alphas_cumprod, t, x.shape)
        mean = extract(sqrt_recip_alphas, t, x.shape) * (x - scale * model(x, t))
        if t_index == 0:
            return mean
        return mean + extract(posterior_variance, t, x.shape).sqrt() * torch.randn_like(x)


def p_sample_loop(model, shape, timesteps):
    with torch.no_grad():
        img = torch.randn(shape, device=device)
        imgs = []
        for i in tqdm(reversed(range(timesteps)), desc="Sampling", total=T, leave=False):
            t = torch.full((shape[0],), i, dtype=torch.long, device=device)
            img = p_sample(model=model, x=img, t=t, t_index=i)
            imgs.append(img.cpu())
        return torch.stack(imgs)


def sample(model, image_size, batch_size=16, channels=3):
    return p_sample_loop(model, shape=(batch_size, channels, image_size, image_size), timesteps=T)


def p_losses(denoise_model, x_start, t):
    noise = torch.randn_like(x_start)
    x_noisy = q_sample(x_start, t, noise)
    return F.smooth_l1_loss(denoise_model(x_noisy, t), noise)


def t_sample(timesteps, batch_size):
    return torch.randint(0, timesteps, (batch_size,), device=device)
"""
