"""Mistakes in get_optimizer(model), which gives Adam with learning rate 1e-3, β₁ = 0.5 and β₂ = 0.999."""

import torch

from graders.misconceptions import defaults, misconception

defaults("gan_pytorch.py:get_optimizer", fails=("image_gan.optimizer",))


@misconception
def default_averages(model):
    """You kept Adam's default β₁ = 0.9. Pass betas=(0.5, 0.999)."""
    return torch.optim.Adam(model.parameters(), lr=1e-3)


@misconception
def second_average_too_short(model):
    """You passed β₂ = 0.99 to Adam. It should be 0.999: betas=(0.5, 0.999)."""
    return torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.5, 0.99))


@misconception
def averages_exchanged(model):
    """You exchanged Adam's averages: betas=(0.5, 0.999) has β₁ first."""
    return torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.999, 0.5))


@misconception
def rate_of_the_paper(model):
    """You used a learning rate of 2e-4. It should be 1e-3 here."""
    return torch.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999))


@misconception
def rate_ten_times_too_small(model):
    """You used a learning rate of 1e-4. It should be 1e-3 here."""
    return torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.5, 0.999))


@misconception
def rate_ten_times_too_large(model):
    """You used a learning rate of 1e-2. It should be 1e-3 here."""
    return torch.optim.Adam(model.parameters(), lr=1e-2, betas=(0.5, 0.999))


@misconception
def plain_gradient_descent(model):
    """You used SGD. The optimiser should be Adam with betas=(0.5, 0.999)."""
    return torch.optim.SGD(model.parameters(), lr=1e-3)


@misconception
def root_mean_square(model):
    """You used RMSprop. The optimiser should be Adam with betas=(0.5, 0.999)."""
    return torch.optim.RMSprop(model.parameters(), lr=1e-3)


@misconception
def decayed_weights(model):
    """You used AdamW, which also makes the weights smaller in each step. The optimiser should be Adam."""
    return torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.5, 0.999))


@misconception
def weights_without_offsets(model):
    """You gave the optimiser only some of the model's parameters. Give it model.parameters()."""
    weights = [each for each in model.parameters() if each.dim() > 1]
    return torch.optim.Adam(weights, lr=1e-3, betas=(0.5, 0.999))
