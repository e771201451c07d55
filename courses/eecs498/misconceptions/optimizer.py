"""Mistakes in get_optimizer(model), which gives Adam with learning rate 1e-3, β₁ = 0.5 and β₂ = 0.999."""

import torch

from graders.misconceptions import defaults, misconception

defaults("gan.py:get_optimizer", fails=("image_gan.optimizer",))


@misconception
def default_averages(model):
    """You kept Adam's default β₁ = 0.9. Pass betas=(0.5, 0.999)."""
    return torch.optim.Adam(model.parameters(), lr=1e-3)


@misconception
def second_average_too_short(model):
    """You passed β₂ = 0.99 to Adam. It should be 0.999: betas=(0.5, 0.999)."""
    return torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.5, 0.99))


@misconception
def rate_of_the_paper(model):
    """You used a learning rate of 2e-4. It should be 1e-3 here."""
    return torch.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999))


@misconception
def rate_ten_times_too_small(model):
    """You used a learning rate of 1e-4. It should be 1e-3 here."""
    return torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.5, 0.999))
