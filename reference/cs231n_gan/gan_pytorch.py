"""Three generative adversarial networks of MNIST: a vanilla one, one with least squares, and a convolutional one."""

import torch
from torch import nn

NOISE_DIM = 96


def sample_noise(batch_size, dim, seed=None):
    """Noise [batch_size, dim], uniform on (−1, 1)."""
    if seed is not None:
        torch.manual_seed(seed)
    return 2 * torch.rand(batch_size, dim) - 1


class Flatten(nn.Module):
    """Images [N, C, H, W] to rows [N, C·H·W]."""

    def forward(self, x):
        return x.reshape(len(x), -1)


class Unflatten(nn.Module):
    """Rows [N, C·H·W] to images [N, C, H, W]."""

    def __init__(self, N=-1, C=128, H=7, W=7):
        super().__init__()
        self.shape = (N, C, H, W)

    def forward(self, x):
        return x.reshape(self.shape)


def discriminator(seed=None):
    """Images [N, 1, 28, 28] to scores [N, 1]."""
    if seed is not None:
        torch.manual_seed(seed)
    return nn.Sequential(
        Flatten(),
        nn.Linear(784, 256),
        nn.LeakyReLU(0.01),
        nn.Linear(256, 256),
        nn.LeakyReLU(0.01),
        nn.Linear(256, 1),
    )


def generator(noise_dim=NOISE_DIM, seed=None):
    """Noise [N, noise_dim] to images [N, 784] in [−1, 1]."""
    if seed is not None:
        torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(noise_dim, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1024),
        nn.ReLU(),
        nn.Linear(1024, 784),
        nn.Tanh(),
    )


def bce_loss(input, target):
    """The mean binary cross-entropy of logits and labels, both [N]; stable for large logits."""
    return nn.functional.binary_cross_entropy_with_logits(input, target)


def discriminator_loss(logits_real, logits_fake):
    """−E log D(x) − E log(1 − D(G(z)))."""
    return bce_loss(logits_real, torch.ones_like(logits_real)) + bce_loss(logits_fake, torch.zeros_like(logits_fake))


def generator_loss(logits_fake):
    """−E log D(G(z))."""
    return bce_loss(logits_fake, torch.ones_like(logits_fake))


def get_optimizer(model):
    """Adam as in Radford et al. 2016, with another learning rate."""
    return torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.5, 0.999))


def ls_discriminator_loss(scores_real, scores_fake):
    """½ E (D(x) − 1)² + ½ E D(G(z))²: Mao et al. 2017."""
    return 0.5 * ((scores_real - 1) ** 2).mean() + 0.5 * (scores_fake**2).mean()


def ls_generator_loss(scores_fake):
    """½ E (D(G(z)) − 1)²: Mao et al. 2017."""
    return 0.5 * ((scores_fake - 1) ** 2).mean()


def build_dc_classifier(batch_size):
    """Images [N, 1, 28, 28] to scores [N, 1]."""
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        Flatten(),
        nn.Linear(4 * 4 * 64, 1024),
        nn.LeakyReLU(0.01),
        nn.Linear(1024, 1),
    )


def build_dc_generator(noise_dim=NOISE_DIM):
    """Noise [N, noise_dim] to images [N, 784] in [−1, 1]."""
    return nn.Sequential(
        nn.Linear(noise_dim, 1024),
        nn.ReLU(),
        nn.BatchNorm1d(1024),
        nn.Linear(1024, 7 * 7 * 128),
        nn.ReLU(),
        nn.BatchNorm1d(7 * 7 * 128),
        Unflatten(C=128, H=7, W=7),
        nn.ConvTranspose2d(128, 64, kernel_size=4, stride=2, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(64),
        nn.ConvTranspose2d(64, 1, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
        Flatten(),
    )
