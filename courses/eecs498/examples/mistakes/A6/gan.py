import torch
import torch.nn as nn
import torch.nn.functional as F

NOISE_DIM = 96


def hello_gan():
    print("Hello from gan.py!")


def sample_noise(batch_size, noise_dim, dtype=torch.float, device="cpu"):
    noise = torch.randn((batch_size, noise_dim), dtype=dtype, device=device)
    return noise * 2 - 1


def discriminator():
    return nn.Sequential(
        nn.Linear(784, 256),
        nn.LeakyReLU(0.01),
        nn.Linear(256, 256),
        nn.LeakyReLU(0.01),
        nn.Linear(256, 1),
    )


def generator(noise_dim=NOISE_DIM):
    return nn.Sequential(
        nn.Linear(NOISE_DIM, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1024),
        nn.ReLU(),
        nn.Linear(1024, 784),
        nn.Tanh(),
    )


def discriminator_loss(logits_real, logits_fake):
    ones = torch.ones(logits_real.shape, device="cuda")
    zeros = torch.zeros(logits_fake.shape, device="cuda")
    loss = F.binary_cross_entropy_with_logits(logits_real, ones)
    loss += F.binary_cross_entropy_with_logits(logits_fake, zeros)
    return loss


def generator_loss(logits_fake):
    return F.binary_cross_entropy_with_logits(logits_fake, torch.ones_like(logits_fake), reduction="mean")


def get_optimizer(model):
    return torch.optim.Adam(params=model.parameters(), lr=1e-3, betas=(0.5, 0.99))


def ls_discriminator_loss(scores_real, scores_fake):
    return (torch.mean((scores_real - 1) ** 2) + torch.mean(scores_fake**2)) / 2


def ls_generator_loss(scores_fake):
    return torch.mean((scores_fake - 1) ** 2) / 2


def build_dc_classifier():
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 32, 3, padding=1),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 64, 1024),
        nn.LeakyReLU(0.01),
        nn.Linear(1024, 1),
    )


def build_dc_generator(noise_dim=NOISE_DIM):
    return nn.Sequential(
        nn.Linear(noise_dim, 1024),
        nn.ReLU(),
        nn.BatchNorm1d(1024),
        nn.Linear(1024, 7 * 7 * 128),
        nn.ReLU(),
        nn.BatchNorm1d(7 * 7 * 128),
        nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128, 64, 4, 2, 1),
        nn.ReLU(),
        nn.BatchNorm2d(64),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
        nn.Tanh(),
        nn.Flatten(),
    )
