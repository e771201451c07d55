import numpy as np
import torch
from torchvision.utils import make_grid


def sample_reparameterize(mean, std):
    eps = torch.randn(mean.shape, device=mean.device)
    return eps * std + mean


def KLD(mean, log_std):
    KLD = 0.5 * torch.sum(torch.exp(log_std) + mean ** 2 - 1 - log_std, dim=-1)
    return KLD


def elbo_to_bpd(elbo, img_shape):
    dims = np.prod(img_shape[1:])
    return (elbo * np.log2(np.e) / dims).mean()


@torch.no_grad()
def visualize_manifold(decoder, grid_size=20):
    percentiles = torch.linspace(0.5 / grid_size, (grid_size - 0.5) / grid_size, grid_size)
    z = torch.distributions.Normal(0, 1).icdf(percentiles)
    z1, z2 = torch.meshgrid(z, z, indexing="ij")
    probs = torch.softmax(decoder(torch.stack([z1, z2], dim=-1).reshape(-1, 2)), dim=1)
    imgs = torch.argmax(probs, dim=1, keepdim=True).float() / 15
    return make_grid(imgs, nrow=grid_size)
