"""Assignment 3, DDPM: the diffusion process."""
import math

import torch
from torch import nn
import torch.nn.functional as F
from tqdm.auto import tqdm

device = "cuda"


def sigmoid_beta_schedule(timesteps):
    u = torch.linspace(0, 1, timesteps + 1, dtype=torch.float64)
    bar = torch.sigmoid(3 - 6 * u) - 1 / (1 + math.exp(3))
    return (1 - bar[1:] / bar[:-1]).clip(0, 0.999)


def get_beta_schedule(beta_schedule, timesteps):
    assert beta_schedule == "sigmoid"
    return sigmoid_beta_schedule(timesteps)


def extract(a, t, x_shape):
    out = a.gather(-1, t)
    return out.reshape(t.shape[0], *((1,) * (len(x_shape) - 1)))


class GaussianDiffusion(nn.Module):
    def __init__(self, model, *, image_size, timesteps=1000, objective="pred_noise", beta_schedule="sigmoid"):
        super().__init__()
        self.model = model
        self.channels = 3
        self.image_size = image_size
        self.objective = objective
        betas = get_beta_schedule(beta_schedule, timesteps)
        self.num_timesteps = len(betas)

        def buffer(name, value):
            self.register_buffer(name, value.to(torch.float32))

        alphas = 1.0 - betas
        bar = torch.cumprod(alphas, dim=0)
        bar_prev = torch.cat([torch.ones(1, dtype=bar.dtype), bar[:-1]])
        buffer("betas", betas)
        buffer("alphas", alphas)
        buffer("alphas_cumprod", bar)
        buffer("sqrt_alphas_cumprod", bar**0.5)
        buffer("sqrt_one_minus_alphas_cumprod", (1 - bar) ** 0.5)
        buffer("posterior_mean_coef1", betas * bar_prev**0.5 / (1 - bar))
        buffer("posterior_mean_coef2", (1 - bar_prev) * alphas**0.5 / (1 - bar))
        buffer("posterior_std", torch.clamp(betas * (1 - bar_prev) / (1 - bar), min=1e-20) ** 0.5)
        snr = bar / (1 - bar)
        buffer("loss_weight", torch.ones_like(snr) if objective == "pred_noise" else snr)

    def normalize(self, img):
        return img * 2 - 1

    def unnormalize(self, img):
        return (img + 1) * 0.5

    def predict_start_from_noise(self, x_t, t, noise):
        x_start = None
        a = extract(self.sqrt_alphas_cumprod, t, x_t.shape)
        b = extract(self.sqrt_one_minus_alphas_cumprod, t, x_t.shape)
        x_start = (x_t - b * noise) / (a + 1e-8)
        return x_start

    def predict_noise_from_start(self, x_t, t, x_start):
        pred_noise = None
        a = extract(self.sqrt_alphas_cumprod, t, x_t.shape)
        b = extract(self.sqrt_one_minus_alphas_cumprod, t, x_t.shape)
        pred_noise = (x_t - a * x_start) / (b + 1e-8)
        return pred_noise

    def q_posterior(self, x_start, x_t, t):
        c1 = extract(self.posterior_mean_coef1, t, x_t.shape)
        c2 = extract(self.posterior_mean_coef2, t, x_t.shape)
        return c1 * x_start + c2 * x_t, extract(self.posterior_std, t, x_t.shape)

    @torch.no_grad()
    def p_sample(self, x_t, t: int, model_kwargs={}):
        t = torch.full((x_t.shape[0],), t, device=x_t.device, dtype=torch.long)
        x_tm1 = None
        if self.objective == "pred_noise":
            noise = self.model(x_t, t, model_kwargs=model_kwargs)
            x_0 = self.predict_start_from_noise(x_t, t, noise)
        else:
            x_0 = self.model(x_t, t, model_kwargs=model_kwargs)
        x_0 = torch.clamp(x_0, min=-1.0, max=1.0)
        mu, sigma = self.q_posterior(x_0, x_t, t)
        # no noise in the last step
        z = torch.randn_like(x_t) if t[0].item() > 0 else torch.zeros_like(x_t)
        x_tm1 = mu + sigma * z
        return x_tm1

    @torch.no_grad()
    def sample(self, batch_size=16, return_all_timesteps=False, model_kwargs={}):
        img = torch.randn((batch_size, self.channels, self.image_size, self.image_size), device=self.betas.device)
        imgs = [img]
        for t in tqdm(range(self.num_timesteps - 1, -1, -1)):
            img = self.p_sample(img, t, model_kwargs=model_kwargs)
            imgs.append(img)
        return self.unnormalize(torch.stack(imgs, dim=1) if return_all_timesteps else img)

    def q_sample(self, x_start, t, noise):
        x_t = None
        x_t = (
            extract(self.sqrt_alphas_cumprod, t, x_start.shape) * x_start
            + extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise
        )
        # print(x_t.shape)
        return x_t

    def p_losses(self, x_start, model_kwargs={}):
        b = x_start.shape[0]
        t = torch.randint(0, self.num_timesteps, (b,), device=x_start.device).long()
        x_start = self.normalize(x_start)
        noise = torch.randn_like(x_start)
        target = noise if self.objective == "pred_noise" else x_start
        loss_weight = extract(self.loss_weight, t, target.shape)
        loss = None
        x_t = self.q_sample(x_start, t, noise)
        out = self.model(x_t, t, model_kwargs)
        loss = F.mse_loss(out, target, reduction="none")
        loss = (loss * loss_weight).mean()
        return loss
