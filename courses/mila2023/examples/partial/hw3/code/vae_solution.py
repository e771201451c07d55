"""A variational auto-encoder whose encoder and decoder are Gaussian: Kingma and Welling 2014, Burda et al. 2016."""

import math
from itertools import pairwise

import torch
from torch import nn


class Encoder(nn.Module):
    """Images [B, nc, isize, isize] to features [B, 8·nef·(isize/16)²]."""

    def __init__(self, nc, nef, nz, isize, device):
        super().__init__()
        self.device = device
        widths = [nc, nef, 2 * nef, 4 * nef, 8 * nef]
        self.encoder = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(low, high, 4, 2, padding=1), nn.LeakyReLU(0.2), nn.BatchNorm2d(high))
                for low, high in pairwise(widths)
            )
        )

    def forward(self, inputs):
        return self.encoder(inputs).flatten(1)


class Decoder(nn.Module):
    """Latents [B, nz] to the means of images, [B, nc, isize, isize]."""

    def __init__(self, nc, ndf, nz, isize):
        super().__init__()
        self.start = (8 * ndf, isize // 16, isize // 16)
        self.dense = nn.Sequential(nn.Linear(nz, math.prod(self.start)), nn.ReLU())
        widths = [8 * ndf, 4 * ndf, 2 * ndf, ndf]
        layers = [
            nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(high, low, 3, padding=1), nn.LeakyReLU(0.2))
            for high, low in pairwise(widths)
        ]
        self.convolutions = nn.Sequential(*layers, nn.Upsample(scale_factor=2), nn.Conv2d(ndf, nc, 3, padding=1))

    def forward(self, z):
        return self.convolutions(self.dense(z).unflatten(1, self.start))


class DiagonalGaussianDistribution:
    """N(mean, diag(exp(logvar))); without a logvar, of unit variance."""

    def __init__(self, mean, logvar=None):
        self.mean = mean
        self.logvar = torch.zeros_like(mean) if logvar is None else logvar.clamp(-30.0, 20.0)
        self.std = (0.5 * self.logvar).exp()
        self.var = self.logvar.exp()

    def sample(self, noise=None):
        """A draw that gradients flow through."""
        noise = torch.randn_like(self.mean) if noise is None else noise
        return self.mean + self.std * noise

    def kl(self):
        """The divergence from N(0, I): [B]."""
        return 0.5 * (self.var + self.mean**2 - 1 - self.logvar).flatten(1).sum(dim=1)

    def nll(self, sample, dims=(1, 2, 3)):
        """−log p(sample) in nats, summed over `dims`: [B]."""
        terms = 0.5 * ((sample - self.mean) ** 2 / self.var + self.logvar + math.log(2 * math.pi))
        return terms.sum(dim=tuple(dims))

    def mode(self):
        return self.mean


class VAE(nn.Module):
    """p(z) = N(0, I), p(x|z) = N(decoder(z), I), and q(z|x) of the encoder."""

    def __init__(
        self,
        in_channels=3,
        decoder_features=32,
        encoder_features=32,
        z_dim=100,
        input_size=32,
        device="cuda:0",
    ):
        super().__init__()
        self.z_dim = z_dim
        self.in_channels = in_channels
        self.device = device
        self.encoder = Encoder(in_channels, encoder_features, z_dim, input_size, device)
        features = 8 * encoder_features * (input_size // 16) ** 2
        self.mean = nn.Linear(features, z_dim)
        self.logvar = nn.Linear(features, z_dim)
        self.decoder = Decoder(in_channels, decoder_features, z_dim, input_size)

    def encode(self, x):
        hidden = self.encoder(x)
        return DiagonalGaussianDistribution(self.mean(hidden), self.logvar(hidden))

    def decode(self, z):
        return DiagonalGaussianDistribution(self.decoder(z))

    def sample(self, batch_size, noise=None):
        """The decoder's means for draws from the prior."""
        noise = torch.randn(batch_size, self.z_dim, device=self.device) if noise is None else noise
        return self.decode(noise).mode()

    def forward(self, x, noise=None):
        """The reconstruction, −log p(x|z) [B] and the divergence [B], for one draw of z."""
        posterior = self.encode(x)
        conditional = self.decode(posterior.sample(noise))
        return conditional.mode(), conditional.nll(x), posterior.kl()


def interpolate(model, z_1, z_2, n_samples):
    # TODO
    return None
