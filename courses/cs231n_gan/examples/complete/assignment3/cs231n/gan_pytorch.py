import numpy as np
import torch
import torch.nn as nn
import torchvision
import torchvision.transforms as T
import torch.optim as optim
from torch.utils.data import sampler
import PIL

NOISE_DIM = 96
dtype = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor


def sample_noise(batch_size, dim, seed=None):
    if seed is not None:
        torch.manual_seed(seed)
    return -2 * torch.rand(batch_size, dim) + 1


class Flatten(nn.Module):
    def forward(self, x):
        N, C, H, W = x.size()
        return x.view(N, C * H * W)


class Unflatten(nn.Module):
    def __init__(self, N=-1, C=128, H=7, W=7):
        super(Unflatten, self).__init__()
        self.N, self.C, self.H, self.W = N, C, H, W

    def forward(self, x):
        return x.view(self.N, self.C, self.H, self.W)


def discriminator(seed=None):
    model = nn.Sequential()
    sizes = [784, 256, 256, 1]
    model.append(Flatten())
    for i in range(3):
        model.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i < 2:
            model.append(nn.LeakyReLU())
    return model


def generator(noise_dim=NOISE_DIM, seed=None):
    return nn.Sequential(
        nn.Linear(noise_dim, 1024),
        nn.ReLU(True),
        nn.Linear(1024, 1024),
        nn.ReLU(True),
        nn.Linear(1024, 784),
        nn.Tanh(),
    )


def bce_loss(input, target):
    bce = nn.BCEWithLogitsLoss()
    return bce(input.squeeze(), target)


def discriminator_loss(logits_real, logits_fake):
    N = logits_real.size(0)
    loss_real = bce_loss(logits_real, torch.ones(N).type(dtype))
    loss_fake = bce_loss(logits_fake, torch.zeros(N).type(dtype))
    loss = loss_real + loss_fake
    return loss


def generator_loss(logits_fake):
    N = logits_fake.size(0)
    loss = bce_loss(logits_fake, torch.ones(N).type(dtype))
    return loss


def get_optimizer(model):
    optimizer = optim.Adam(model.parameters(), lr=1e-3, betas=(0.5, 0.999))
    return optimizer


def ls_discriminator_loss(scores_real, scores_fake):
    loss = 0.5 * torch.mean((scores_real - 1) ** 2, dim=0) + 0.5 * torch.mean(scores_fake**2, dim=0)
    return loss


def ls_generator_loss(scores_fake):
    loss = 0.5 * torch.mean((scores_fake - 1) ** 2, dim=0)
    return loss


def build_dc_classifier(batch_size):
    return nn.Sequential(
        Unflatten(batch_size, 1, 28, 28),
        nn.Conv2d(1, 32, 5, stride=1),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2, stride=2),
        nn.Conv2d(32, 64, 5, stride=1),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2, stride=2),
        Flatten(),
        nn.Linear(4 * 4 * 64, 4 * 4 * 64),
        nn.LeakyReLU(0.01),
        nn.Linear(4 * 4 * 64, 1),
    )
    raise NotImplementedError


def build_dc_generator(noise_dim=NOISE_DIM):
    return nn.Sequential(
        nn.Linear(noise_dim, 1024),
        nn.ReLU(),
        nn.BatchNorm1d(1024),
        nn.Linear(1024, 7 * 7 * 128),
        nn.ReLU(),
        nn.BatchNorm1d(7 * 7 * 128),
        Unflatten(),
        nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(64),
        nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )


def run_a_gan(D, G, D_solver, G_solver, discriminator_loss, generator_loss, loader_train, batch_size=128, num_epochs=10):
    for epoch in range(num_epochs):
        for x, _ in loader_train:
            if len(x) != batch_size:
                continue
            D_solver.zero_grad()
            fake = G(sample_noise(batch_size, NOISE_DIM).type(dtype)).detach()
            error = discriminator_loss(D(2 * (x.type(dtype) - 0.5)), D(fake.view(batch_size, 1, 28, 28)))
            error.backward()
            D_solver.step()
            G_solver.zero_grad()
            fake = G(sample_noise(batch_size, NOISE_DIM).type(dtype))
            error = generator_loss(D(fake.view(batch_size, 1, 28, 28)))
            error.backward()
            G_solver.step()
