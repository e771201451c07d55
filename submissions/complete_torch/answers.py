# answers to the questions that can be computed
import numpy as np
import torch

# mu_q, mu_p, var_q, var_p
kl_small = (0.1, 0.0, 1.0, 1.0)
kl_large = (0.0, 50.0, 1.0, 1.0)


def reconstruction_loss(x, logits):
    f = torch.sigmoid(logits)
    return -(x * torch.log(f) + (1 - x) * torch.log(1 - f)).sum(-1)


def regularization_loss(mean, log_std):
    var = torch.exp(log_std).pow(2)
    return ((var + mean.pow(2) - 1 - torch.log(var)) / 2).sum(-1)


gan_value = 2 * np.log(0.5)


def cubic_density(x, a, b):
    lower, upper = np.cbrt(a), np.cbrt(b)
    if x < lower or x > upper:
        return 0.0
    return 3 * x ** 2 / (b - a)
