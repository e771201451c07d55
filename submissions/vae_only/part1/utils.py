import torch
import numpy as np
from scipy.stats import norm
from torchvision.utils import make_grid


def sample_reparameterize(mean, std):
    z = mean + std * torch.normal(torch.zeros_like(mean), torch.ones_like(std))
    return z


def KLD(mean, log_std):
    std = torch.exp(log_std)
    return torch.sum(-log_std + (std ** 2 + mean ** 2) / 2 - 0.5, axis=-1)


def elbo_to_bpd(elbo, img_shape):
    dims = 1
    for d in img_shape[1:]:
        dims = dims * d
    return elbo * np.log2(np.exp(1)) / dims


@torch.no_grad()
def visualize_manifold(decoder, grid_size=20):
    grid = norm.ppf(np.linspace(0.5 / (grid_size + 1), (grid_size + 0.5) / (grid_size + 1), grid_size + 1))
    z1, z2 = np.meshgrid(grid, grid)
    z = torch.tensor(np.stack([z1.flatten(), z2.flatten()], axis=1)).float()
    imgs = torch.nn.functional.sigmoid(decoder(z.to(decoder.device)))
    return make_grid(imgs.cpu(), nrow=grid_size + 1)
