"""A generative adversarial network: Goodfellow et al. 2014, with the networks of Radford et al. 2016."""

from itertools import pairwise

import torch
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
z_dim = 32
input_channels = 1


class Generator(nn.Module):
    """Latents [B, z_dim, 1, 1] to images [B, channels, 32, 32] in [−1, 1]."""

    def __init__(self, z_dim, channels, features=32):
        super().__init__()
        widths = [z_dim, 4 * features, 2 * features, features]
        layers = []
        for low, high, (stride, padding) in zip(widths, widths[1:], [(1, 0), (2, 1), (2, 1)], strict=False):
            layers += [nn.ConvTranspose2d(low, high, 4, stride, padding, bias=False), nn.BatchNorm2d(high), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.ConvTranspose2d(features, channels, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, z):
        return self.model(z)


class Discriminator(nn.Module):
    """Images [B, channels, 32, 32] to logits [B, 1, 1, 1]."""

    def __init__(self, channels, features=32):
        super().__init__()
        widths = [channels, features, 2 * features, 4 * features]
        layers = []
        for low, high in pairwise(widths):
            layers += [nn.Conv2d(low, high, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Conv2d(4 * features, 1, 4, 1, 0, bias=False))

    def forward(self, images):
        return self.model(images)


generator = Generator(z_dim, input_channels).to(device)
discriminator = Discriminator(input_channels).to(device)
discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
generator_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
criterion = nn.BCEWithLogitsLoss()


def discriminator_train(discriminator, generator, real_samples, fake_samples):
    """−E log D(x) − E log(1 − D(G(z)))."""
    real_output = discriminator(real_samples)
    fake_output = discriminator(fake_samples)
    return criterion(real_output, torch.ones_like(real_output)) + criterion(fake_output, torch.zeros_like(fake_output))


def generator_train(discriminator, generator, fake_samples):
    """−E log D(G(z))."""
    output = discriminator(fake_samples)
    return criterion(output, torch.ones_like(output))


@torch.no_grad()
def sample(generator, num_samples, noise=None):
    """The images of draws from N(0, I)."""
    if noise is None:
        noise = torch.randn(num_samples, z_dim, 1, 1, device=device)
    return generator(noise)


@torch.no_grad()
def interpolate(generator, z_1, z_2, n_samples):
    """The images of n_samples latents on the straight line from z_1 to z_2, each [1, z_dim, 1, 1]."""
    weight = torch.linspace(0, 1, n_samples, device=z_1.device).view(-1, 1, 1, 1)
    return generator((1 - weight) * z_1 + weight * z_2)
