"""Encoder and decoder as multi-layer perceptrons."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn


def mlp(dims: Sequence[int]) -> nn.Sequential:
    """Linear layers of the given widths with a ReLU after each but the last."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(dims):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MLPEncoder(nn.Module):
    """Images [B, C, H, W] → mean and log standard deviation of q(z|x), each [B, z_dim].

    The logarithm is predicted since it may be any real number; a standard deviation would have to stay positive.
    """

    def __init__(self, input_dim: int = 784, hidden_dims: Sequence[int] = (512,), z_dim: int = 20) -> None:
        super().__init__()
        self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_std = self.net(x.flatten(start_dim=1)).chunk(2, dim=-1)
        return mean, log_std


class MLPDecoder(nn.Module):
    """Latents [B, z_dim] → logits of p(x|z), [B, *output_shape]; no sigmoid, which the loss applies more stably."""

    def __init__(
        self, z_dim: int = 20, hidden_dims: Sequence[int] = (512,), output_shape: Sequence[int] = (1, 28, 28)
    ) -> None:
        super().__init__()
        self.output_shape = tuple(output_shape)
        self.net = mlp([z_dim, *hidden_dims, math.prod(output_shape)])

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.net(z).unflatten(-1, self.output_shape)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device
