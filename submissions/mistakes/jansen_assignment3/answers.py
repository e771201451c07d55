import torch

kl_small = (0, 0, 1, 1)
kl_large = (0, 10, 1, 1)


def reconstruction_loss(x, logits):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, x)


def regularization_loss(mean, log_std):
    return -0.5 * torch.sum(1 + log_std - mean ** 2 - log_std.exp(), dim=-1)


gan_value = 0.5


def cubic_density(x, a, b):
    z = x ** 3
    return 1 / (b - a) if a < z < b else 0
