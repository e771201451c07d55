"""A normalizing flow of affine coupling layers (Dinh, Sohl-Dickstein and Bengio 2017, Real NVP)."""

import torch
from torch import nn


class NormalizingFlow(nn.Module):
    """An invertible map f from data x to base variables z, and with it a density of x.

    Args:
        base_density: p_z, with log_prob(z) and sample(n)
        dim: length of x, an even number
        num_flows: how many coupling layers, an even number: each pair moves both halves of x
        num_hidden: width of their networks
    """

    def __init__(self, base_density, dim, num_flows, num_hidden):
        super().__init__()
        self.dim = dim
        self.base_density = base_density
        self.register_buffer("init_log_det", torch.zeros(1))
        even = torch.arange(dim) % 2 == 0
        self.layers = nn.ModuleList(
            Coupling(dim, num_hidden, ~even if index % 2 == 0 else even) for index in range(num_flows)
        )

    def forward(self, x):
        """−log p(x) = −(log p_z(f(x)) + log |det ∂f/∂x|) for x [B, dim]; returns [B], in nats."""
        z, log_det = self.transform(x)
        return -(self.base_density.log_prob(z) + log_det)

    def transform(self, z, inverse=False):
        """f(z), or f⁻¹(z) when `inverse`, for z [B, dim]; returns it and the log |det| of that map's Jacobian, [B]."""
        z = z.clone()  # the layers write into their input, and it is the caller's
        log_det = self.init_log_det.expand(z.shape[0])
        for layer in reversed(self.layers) if inverse else self.layers:
            z, log_det = layer(z, log_det, inverse=inverse)
        return z, log_det

    @torch.no_grad()
    def sample(self, num_samples):
        """Draws from the model's density, [num_samples, dim]."""
        x, _ = self.transform(self.base_density.sample(num_samples), inverse=True)
        return x


class Coupling(nn.Module):
    """One affine coupling layer: the masked elements pass, and set the scale and shift of the others.

    Args:
        dim: length of a vector, an even number
        num_hidden: width of the network
        mask: [dim], true where an element passes unchanged
    """

    def __init__(self, dim, num_hidden, mask):
        super().__init__()
        last = nn.Linear(num_hidden, dim)
        nn.init.zeros_(last.weight)  # so that a new layer is the identity
        nn.init.zeros_(last.bias)
        self.nn = nn.Sequential(
            nn.Linear(dim // 2, num_hidden), nn.GELU(), nn.Linear(num_hidden, num_hidden), nn.GELU(), last
        )
        self.register_buffer("mask", mask)

    def forward(self, z, log_det, inverse=False):
        """Changes z [B, dim] in place; returns it, and `log_det` [B] plus this layer's own.

        Forward, an element that moves becomes z·eˢ + t, at a log-determinant of Σs; inverse, (z − t)·e⁻ˢ, at −Σs.
        """
        s, t = self.nn(z[:, self.mask]).chunk(2, dim=1)
        moving = z[:, ~self.mask]
        if inverse:
            z[:, ~self.mask] = (moving - t) * torch.exp(-s)
            return z, log_det - s.sum(dim=1)
        z[:, ~self.mask] = moving * torch.exp(s) + t
        return z, log_det + s.sum(dim=1)
