import torch
import torch.nn as nn
import numpy as np


def block(n_in, n_out, dp_rate):
    return [nn.Linear(n_in, n_out), nn.Dropout(dp_rate), nn.LeakyReLU(0.2)]


class GeneratorMLP(nn.Module):

    def __init__(self, z_dim=32, hidden_dims=[128, 256, 512, 1024], output_shape=[1, 28, 28], dp_rate=0.1):
        super().__init__()
        self.output_shape = output_shape
        dims = [z_dim] + list(hidden_dims)
        layers = []
        for a, b in zip(dims[:-1], dims[1:]):
            layers += block(a, b, dp_rate)
        layers += [nn.Linear(dims[-1], int(np.prod(output_shape))), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, z):
        return self.model(z).reshape(z.size(0), *self.output_shape)

    @property
    def device(self):
        return next(self.parameters()).device


class DiscriminatorMLP(nn.Module):

    def __init__(self, input_dims=784, hidden_dims=[512, 256], dp_rate=0.3):
        super().__init__()
        dims = [input_dims] + list(hidden_dims)
        layers = [nn.Flatten()]
        for a, b in zip(dims[:-1], dims[1:]):
            layers += block(a, b, dp_rate)
        layers.append(nn.Linear(dims[-1], 1))
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)
