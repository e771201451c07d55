import torch
import torch.nn as nn
import numpy as np


class MLPEncoder(nn.Module):

    def __init__(self, input_dim=784, hidden_dims=[512], z_dim=20):
        super().__init__()
        self.flatten = nn.Flatten()
        sizes = [input_dim] + list(hidden_dims)
        self.hidden = nn.ModuleList()
        for i in range(len(sizes) - 1):
            self.hidden.append(nn.Linear(sizes[i], sizes[i + 1]))
        self.act = nn.ReLU()
        # two heads
        self.mean_layer = nn.Linear(sizes[-1], z_dim)
        self.log_std_layer = nn.Linear(sizes[-1], z_dim)
        self.relu = nn.ReLU()

    def forward(self, x):
        h = self.flatten(x)
        for layer in self.hidden:
            h = self.act(layer(h))
        return self.mean_layer(h), self.relu(self.log_std_layer(h))  # std is positive


class MLPDecoder(nn.Module):

    def __init__(self, z_dim=20, hidden_dims=[512], output_shape=[1, 28, 28]):
        super().__init__()
        self.output_shape = list(output_shape)
        layers = []
        prev = z_dim
        for h in hidden_dims:
            layers.append(nn.Linear(prev, h))
            layers.append(nn.ReLU())
            prev = h
        layers.append(nn.Linear(prev, int(np.prod(output_shape))))
        self.layers = nn.Sequential(*layers)

    def forward(self, z):
        out = self.layers(z)
        return out.view([-1] + self.output_shape)

    @property
    def device(self):
        return next(self.parameters()).device
