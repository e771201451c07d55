import torch
import torch.nn as nn


class NormalizingFlow(nn.Module):

    def __init__(self, base_density, dim, num_flows, num_hidden):
        super().__init__()
        mask = torch.tensor([True, False]).repeat(dim // 2)
        self.dim = dim
        self.layers = nn.ModuleList()
        for i in range(num_flows // 2):
            self.layers.append(Coupling(dim, num_hidden, ~mask))
            self.layers.append(Coupling(dim, num_hidden, mask))
        self.base_density = base_density

    def forward(self, x):
        z, ldj = self.transform(x)
        log_pz = self.base_density.log_prob(z)
        return -(log_pz - ldj)

    def transform(self, z, inverse=False):
        log_det = torch.zeros(z.shape[0], device=z.device)
        layers = list(self.layers)
        if inverse:
            layers = layers[::-1]
        for flow in layers:
            z, log_det = flow(z, log_det, inverse)
        return z, log_det

    @torch.no_grad()
    def sample(self, num_samples):
        z = self.base_density.sample(num_samples)
        return self.transform(z, inverse=True)[0]


class Coupling(nn.Module):

    def __init__(self, dim, num_hidden, mask):
        super().__init__()
        self.nn = nn.Sequential(nn.Linear(dim // 2, num_hidden), nn.GELU(),
                                nn.Linear(num_hidden, num_hidden), nn.GELU(),
                                nn.Linear(num_hidden, dim))
        nn.init.constant_(self.nn[-1].weight, 0.)
        nn.init.constant_(self.nn[-1].bias, 0.)
        self.register_buffer('mask', mask)

    def forward(self, z, log_det, inverse=False):
        keep, change = self.mask, ~self.mask
        s, t = torch.chunk(self.nn(z[:, keep]), 2, dim=1)
        if inverse:
            z[:, change] = (z[:, change] - t) * torch.exp(-s)
            log_det = log_det - s.sum(1)
        else:
            z[:, change] = z[:, change] * torch.exp(s) + t
            log_det = log_det + s.sum(1)
        return z, log_det
