import numpy as np
import torch


def sample_reparameterize(mean, std):
    eps = torch.randn(mean.shape, device=mean.device)
    return eps * std + mean


def KLD(mean, log_std):
    KLD = 0.5 * torch.sum(torch.exp(2 * log_std) + mean ** 2 - 1 - 2 * log_std, dim=-1)
    return KLD


def elbo_to_bpd(elbo, img_shape):
    dims = np.prod(img_shape[1:])
    return elbo * np.log2(np.e) / dims
