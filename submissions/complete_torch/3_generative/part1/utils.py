import torch
import numpy as np
from scipy.stats import norm
from torchvision.utils import make_grid


def sample_reparameterize(mean, std):
    assert not (std < 0).any().item(), "negative std, did you forget the exp?"
    eps = torch.randn_like(std)          # same device as std
    return eps * std + mean


def KLD(mean, log_std):
    # eq. 12, written with log(std) instead of log(std^2)
    var = torch.exp(log_std) ** 2
    per_dim = (var + torch.pow(mean, 2) - 1.0) / 2 - log_std
    return torch.sum(per_dim, dim=-1)


def elbo_to_bpd(elbo, img_shape):
    n_dims = np.prod(img_shape[1:])
    return elbo * np.log2(np.e) / float(n_dims)


@torch.no_grad()
def visualize_manifold(decoder, grid_size=20):
    percentiles = [(i + 0.5) / (grid_size + 1) for i in range(grid_size + 1)]
    points = norm.ppf(percentiles)
    zs = []
    for zy in points:
        for zx in points:
            zs.append([zx, zy])
    zs = torch.tensor(zs, dtype=torch.float32).to(decoder.device)
    means = torch.sigmoid(decoder(zs))
    return make_grid(means, nrow=grid_size + 1, padding=2)
