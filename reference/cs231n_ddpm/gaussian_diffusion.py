"""A diffusion process around a model that predicts noise or clean images: noising, one step back, loss, samples."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm


def linear_beta_schedule(timesteps):
    """β [T], evenly spaced, whose ends fit 1000 steps: Ho et al. 2020, section 4."""
    return torch.linspace(0.1, 20.0, timesteps, dtype=torch.float64) / timesteps


def cosine_beta_schedule(timesteps):
    """β [T] of ᾱ = cos²(½π (u + s) / (1 + s)) with s = 0.008: Nichol & Dhariwal 2021, equation 17."""
    return betas_of(lambda u: torch.cos(0.5 * math.pi * (u + 0.008) / 1.008) ** 2, timesteps)


def sigmoid_beta_schedule(timesteps):
    """β [T] of ᾱ = σ(3 − 6u), stretched so that it falls from 1 to 0: Jabri et al. 2022, appendix."""
    end = torch.sigmoid(torch.tensor(-3.0, dtype=torch.float64))
    return betas_of(lambda u: torch.sigmoid(3 - 6 * u) - end, timesteps)


def betas_of(product, timesteps):
    """β [T] for ᾱ as a function of u in [0, 1], which is divided by its first value."""
    products = product(torch.linspace(0, 1, timesteps + 1, dtype=torch.float64))
    return (1 - products[1:] / products[:-1]).clamp(0, 0.999)


def get_beta_schedule(name, timesteps):
    """β [T] by the name of the schedule."""
    if name == "linear":
        return linear_beta_schedule(timesteps)
    if name == "cosine":
        return cosine_beta_schedule(timesteps)
    if name == "sigmoid":
        return sigmoid_beta_schedule(timesteps)
    raise ValueError(f"there is no schedule {name}")


def extract(a, t, x_shape):
    """The entries of a sequence a [T] at the times t [B], in a shape that fits images of `x_shape`."""
    return a[t].reshape(len(t), *[1] * (len(x_shape) - 1))


class GaussianDiffusion(nn.Module):
    """The process of Ho, Jain & Abbeel 2020. Images x are [B, 3, H, W], times t [B] from 0 to T − 1."""

    def __init__(self, model, *, image_size, timesteps=1000, objective="pred_noise", beta_schedule="sigmoid"):
        super().__init__()
        assert objective in ("pred_noise", "pred_x_start"), "objective should be pred_noise or pred_x_start"
        self.model = model
        self.channels = 3
        self.image_size = image_size
        self.objective = objective
        self.num_timesteps = timesteps
        betas = get_beta_schedule(beta_schedule, timesteps)
        alphas = 1 - betas
        products = alphas.cumprod(dim=0)
        before = F.pad(products[:-1], (1, 0), value=1.0)
        snr = products / (1 - products)
        constants = {
            "betas": betas,
            "alphas": alphas,
            "alphas_cumprod": products,
            "sqrt_alphas_cumprod": products.sqrt(),
            "sqrt_one_minus_alphas_cumprod": (1 - products).sqrt(),
            "posterior_mean_coef1": betas * before.sqrt() / (1 - products),
            "posterior_mean_coef2": (1 - before) * alphas.sqrt() / (1 - products),
            "posterior_std": (betas * (1 - before) / (1 - products)).clamp(min=1e-20).sqrt(),
            "loss_weight": snr if objective == "pred_x_start" else torch.ones_like(snr),
        }
        for name, sequence in constants.items():
            self.register_buffer(name, sequence.float())

    def normalize(self, img):
        return 2 * img - 1

    def unnormalize(self, img):
        return (img + 1) / 2

    def predict_start_from_noise(self, x_t, t, noise):
        signal = extract(self.sqrt_alphas_cumprod, t, x_t.shape)
        spread = extract(self.sqrt_one_minus_alphas_cumprod, t, x_t.shape)
        return (x_t - spread * noise) / signal

    def predict_noise_from_start(self, x_t, t, x_start):
        signal = extract(self.sqrt_alphas_cumprod, t, x_t.shape)
        spread = extract(self.sqrt_one_minus_alphas_cumprod, t, x_t.shape)
        return (x_t - signal * x_start) / spread

    def q_posterior(self, x_start, x_t, t):
        """Mean and standard deviation of x_{t−1} given x_t and x_0: equations 6 and 7."""
        of_start = extract(self.posterior_mean_coef1, t, x_t.shape)
        of_image = extract(self.posterior_mean_coef2, t, x_t.shape)
        return of_start * x_start + of_image * x_t, extract(self.posterior_std, t, x_t.shape)

    @torch.no_grad()
    def p_sample(self, x_t, t: int, model_kwargs=None):
        t = torch.full((len(x_t),), t, device=x_t.device, dtype=torch.long)
        output = self.model(x_t, t, model_kwargs)
        predicts_noise = self.objective == "pred_noise"
        x_start = self.predict_start_from_noise(x_t, t, output) if predicts_noise else output
        x_start = x_start.clamp(-1, 1)
        mean, std = self.q_posterior(x_start, x_t, t)
        return mean + std * torch.randn_like(x_t)

    @torch.no_grad()
    def sample(self, batch_size=16, return_all_timesteps=False, model_kwargs=None):
        img = torch.randn(batch_size, self.channels, self.image_size, self.image_size, device=self.betas.device)
        imgs = [img]
        for t in tqdm(reversed(range(self.num_timesteps)), total=self.num_timesteps):
            img = self.p_sample(img, t, model_kwargs=model_kwargs)
            imgs.append(img)
        return self.unnormalize(torch.stack(imgs, dim=1) if return_all_timesteps else img)

    def q_sample(self, x_start, t, noise):
        signal = extract(self.sqrt_alphas_cumprod, t, x_start.shape)
        spread = extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape)
        return signal * x_start + spread * noise

    def p_losses(self, x_start, model_kwargs=None):
        t = torch.randint(0, self.num_timesteps, (len(x_start),), device=x_start.device)
        x_start = self.normalize(x_start)
        noise = torch.randn_like(x_start)
        target = noise if self.objective == "pred_noise" else x_start
        loss_weight = extract(self.loss_weight, t, target.shape)
        output = self.model(self.q_sample(x_start, t, noise), t, model_kwargs)
        return (loss_weight * (output - target) ** 2).mean()
