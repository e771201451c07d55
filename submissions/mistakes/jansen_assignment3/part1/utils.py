import torch
import numpy as np
from torchvision.utils import make_grid


def sample_reparameterize(mean, std):
    assert not (std < 0).any().item(), "negative std, did you forget the exp?"
    eps = torch.randn_like(std)          # same device as std
    return eps * std + mean


def KLD(mean, log_std):
    kld = -0.5 * torch.sum(1 + log_std - mean.pow(2) - log_std.exp(), dim=-1)
    return kld


def elbo_to_bpd(elbo, img_shape):
    bpd = elbo * np.log2(np.e) / np.prod(img_shape[1:])
    return bpd.mean()


@torch.no_grad()
def visualize_manifold(decoder, grid_size=20):
    points = np.linspace(-3, 3, grid_size + 1)
    zs = []
    for zy in points:
        for zx in points:
            zs.append([zx, zy])
    zs = torch.tensor(zs, dtype=torch.float32).to(decoder.device)
    means = torch.sigmoid(decoder(zs))
    return make_grid(means, nrow=grid_size + 1, padding=2)
