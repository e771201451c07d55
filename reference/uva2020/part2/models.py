"""The two networks of the game: a generator of images and a discriminator that scores them."""

import math
from itertools import pairwise

import torch
from torch import nn

NEGATIVE_SLOPE = 0.2


def hidden_layers(dims, dp_rate):
    """Linear, Dropout, LeakyReLU for each pair of neighbouring sizes in `dims`."""
    layers = []
    for size_in, size_out in pairwise(dims):
        layers += [nn.Linear(size_in, size_out), nn.Dropout(dp_rate), nn.LeakyReLU(NEGATIVE_SLOPE)]
    return layers


class GeneratorMLP(nn.Module):
    """Decodes latent vectors [B, z_dim] into images [B, *output_shape] with pixels in (-1, 1)."""

    def __init__(self, z_dim=32, hidden_dims=(128, 256, 512, 1024), output_shape=(1, 28, 28), dp_rate=0.1):
        super().__init__()
        self.output_shape = tuple(output_shape)
        dims = [z_dim, *hidden_dims]
        self.net = nn.Sequential(*hidden_layers(dims, dp_rate), nn.Linear(dims[-1], math.prod(self.output_shape)))

    def forward(self, z):
        return torch.tanh(self.net(z)).view(-1, *self.output_shape)

    @property
    def device(self):
        return next(self.parameters()).device


class DiscriminatorMLP(nn.Module):
    """Scores images [B, C, H, W] by logits [B, 1]: large for real ones (1), small for fakes (0). No sigmoid."""

    def __init__(self, input_dims=784, hidden_dims=(512, 256), dp_rate=0.3):
        super().__init__()
        dims = [input_dims, *hidden_dims]
        self.net = nn.Sequential(*hidden_layers(dims, dp_rate), nn.Linear(dims[-1], 1))

    def forward(self, x):
        return self.net(torch.flatten(x, start_dim=1))
