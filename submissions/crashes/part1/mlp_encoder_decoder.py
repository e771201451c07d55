import numpy as np
import torch
import torch.nn as nn


class MLPEncoder(nn.Module):
    def __init__(self, input_dim=784, hidden_dims=[512], z_dim=20):
        super().__init__()
        # one weight for every pair of pixels of every pair of images ...
        self.weights = nn.Parameter(torch.empty(input_dim, input_dim, 512, 512))

    def forward(self, x):
        return self.weights @ x


class MLPDecoder(nn.Module):
    def __init__(self, z_dim=20, hidden_dims=[512], output_shape=[1, 28, 28]):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(z_dim, hidden_dims[0]), nn.ReLU(),
                                    nn.Linear(hidden_dims[0], np.product(output_shape)))

    def forward(self, z):
        # wrong shape, and only for one hidden layer
        return self.layers(z).reshape(28, 28)

    @property
    def device(self):
        return torch.device(type='gpu')
