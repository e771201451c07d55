"""A right flow that shares no line with the reference, file by file.

Other spellings of the densities, in float64; twice as many layers, with permutations between them and bounded scales;
another loop. The coupling layers write into their input all the same, as the hand-out's do.
"""

DENSITIES = """
import numpy as np
import torch
from torch.distributions import Bernoulli


class BimodalGaussianDiag(object):
    def __init__(self, mu, sigma, dims):
        self.mus, self.sigmas, self.dims = mu, sigma, dims
        self.p1, self.p2 = (MultivariateGaussianDiag(m, s, dims) for m, s in zip(mu, sigma))

    def log_prob(self, x):
        both = torch.stack([self.p1.log_prob(x), self.p2.log_prob(x)], dim=0)
        top = both.amax(dim=0)
        return top + (both - top).exp().mean(dim=0).log()

    def sample(self, num_samples):
        first = self.p1.sample(num_samples)
        heads = Bernoulli(probs=0.5).sample((num_samples,))
        return first + (1 - heads)[:, None] * (self.p2.sample(num_samples) - first)


class MultivariateGaussianDiag(object):
    def __init__(self, mu, sigma, dims):
        self.dims = dims
        self.mu = torch.as_tensor(mu).double().view(-1)
        self.sigma = torch.as_tensor(sigma).double().view(-1)

    def log_prob(self, x):
        difference = x.double() - self.mu
        precision = torch.diag(1 / self.sigma.square())
        distance = torch.einsum("...i,ij,...j->...", difference, precision, difference)
        normaliser = self.dims * np.log(2 * np.pi) + 2 * self.sigma.log().sum()
        return -(distance + normaliser) / 2

    def sample(self, num_samples):
        noise = torch.randn(self.dims, num_samples + 3, dtype=torch.float64)[:, 3:]
        return torch.stack([m + s * row for m, s, row in zip(self.mu, self.sigma, noise)], dim=1)
"""

MODEL = '''
import torch
import torch.nn as nn
import torch.nn.functional as F


class NormalizingFlow(nn.Module):
    def __init__(self, base_density, dim, num_flows, num_hidden):
        super().__init__()
        self.dim = dim
        self.register_buffer("init_log_det", torch.zeros(1))
        mask = torch.arange(dim) < dim // 2
        self.layers = nn.ModuleList()
        for _ in range(num_flows):
            self.layers.extend([Coupling(dim, num_hidden, mask), Flip(), Flip(), Coupling(dim, num_hidden, ~mask)])
        self.base_density = base_density

    def forward(self, x):
        z, log_det = self.transform(x)
        return torch.neg(log_det) - self.base_density.log_prob(z)

    def transform(self, z, inverse=False):
        log_det = self.init_log_det
        z = torch.empty_like(z).copy_(z)
        order = range(len(self.layers))
        if not inverse:
            for i in order:
                z, log_det = self.layers[i](z, log_det)
        else:
            for i in order[::-1]:
                z, log_det = self.layers[i](z, log_det, True)
        return z, log_det

    @torch.no_grad()
    def sample(self, num_samples):
        return self.transform(self.base_density.sample(num_samples), inverse=True)[0]


class Flip(nn.Module):
    """Exchanges the elements, which changes no volume."""

    def forward(self, z, log_det, inverse=False):
        return z.flip(dims=(1,)), log_det + 0


class Coupling(nn.Module):
    def __init__(self, dim, num_hidden, mask):
        super().__init__()
        self.enter = nn.Linear(dim // 2, num_hidden)
        self.middle = nn.Linear(num_hidden, num_hidden)
        self.scale = nn.Linear(num_hidden, dim // 2)
        self.shift = nn.Linear(num_hidden, dim // 2)
        nn.init.normal_(self.scale.weight, std=1e-3)
        nn.init.normal_(self.shift.weight, std=1e-3)
        self.register_buffer("mask", mask)

    def forward(self, z, log_det, inverse=False):
        h = torch.tanh(self.enter(z[:, self.mask]))
        h = h + F.silu(self.middle(h))
        log_scale, shift = 1.5 * torch.tanh(self.scale(h) / 1.5), self.shift(h)
        rest = z[:, ~self.mask]
        sign = -1 if inverse else 1
        if inverse:
            z[:, ~self.mask] = (rest - shift) / log_scale.exp()
        else:
            z[:, ~self.mask] = rest.mul(log_scale.exp()).add(shift)
        return z, log_det + sign * log_scale.sum(-1)
'''

TRAIN = """
import math

import numpy as np
import torch
from distributions import BimodalGaussianDiag, MultivariateGaussianDiag
from model import NormalizingFlow
from tqdm import tqdm


def step(model, optimizer, x):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    losses = model.forward(x)
    (losses.sum() / np.log(2) / x.shape[1]).backward()
    optimizer.step()
    return losses.detach().double()


def bits_per_dimension(nats, dim):
    return nats / np.log(2) / dim


def train_nf(model, train_loader, optimizer):
    sum_bpd = 0.0
    for batch in tqdm(train_loader, disable=True):
        loss = step(model, optimizer, batch[0]).mean()
        sum_bpd = sum_bpd + bits_per_dimension(loss.item(), batch[0].size(-1))
    return sum_bpd / len(train_loader)
"""
