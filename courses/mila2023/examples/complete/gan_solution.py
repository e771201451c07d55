import torch
from torch import nn, optim
from torch.optim import Adam

device = "cuda:0" if torch.cuda.is_available() else "cpu"
z_dim, gen_lr, disc_lr = 32, 1e-4, 1e-4


class Generator(nn.Module):
    def __init__(self, z_dim, channels, features=32):
        super().__init__()
        self.model = nn.Sequential(
            nn.ConvTranspose2d(z_dim, 4 * features, 4, 1, 0, bias=False), nn.ReLU(True),
            nn.ConvTranspose2d(4 * features, 2 * features, 4, 2, 1, bias=False), nn.ReLU(True),
            nn.ConvTranspose2d(2 * features, features, 4, 2, 1, bias=False), nn.ReLU(True),
            nn.ConvTranspose2d(features, channels, 4, 2, 1, bias=False), nn.Tanh(),
        )

    def forward(self, input):
        return self.model(input)


class Discriminator(nn.Module):
    def __init__(self, channels, features=32):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(channels, features, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
            nn.Conv2d(features, 2 * features, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * features, 4 * features, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
            nn.Conv2d(4 * features, 1, 4, 1, 0, bias=False),
        )

    def forward(self, input):
        return self.model(input)


generator = Generator(z_dim, 1).to(device)
discriminator = Discriminator(1).to(device)

import torch.nn.functional as F

discriminator_optimizer = Adam(discriminator.parameters(), lr=disc_lr)
generator_optimizer = Adam(generator.parameters(), lr=gen_lr)


def criterion(output, target):
    return F.binary_cross_entropy_with_logits(output.view(-1), target.view(-1))


def discriminator_train(discriminator, generator, real_samples, fake_samples):
    both = discriminator(torch.cat([real_samples, fake_samples.detach()])).view(-1)
    target = torch.cat([torch.ones(len(real_samples)), torch.zeros(len(fake_samples))])
    return 2 * criterion(both, target)


def generator_train(discriminator, generator, fake_samples):
    return F.softplus(-discriminator(fake_samples)).mean()


def sample(generator, num_samples, noise=None):
    with torch.no_grad():
        if noise is None:
            noise = torch.empty(num_samples, 32).normal_()[:, :, None, None]
        return generator(noise)


def interpolate(generator, z_1, z_2, n_samples):
    images = []
    for i in range(n_samples):
        w = i / (n_samples - 1)
        images.append(generator(w * z_1 + (1 - w) * z_2)[0])
    return torch.stack(images)
