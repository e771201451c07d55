"""A GAN of 2018 that is right and nothing like the reference, as a text; the names of what it defines are the same."""

from __future__ import annotations

GAN = """
import argparse
import os

import numpy as np
import torch
import torch.nn as nn
import torchvision.transforms as transforms
from torchvision.utils import save_image
from torchvision import datasets
from torch.autograd import Variable

LATENTS = 100


class Generator(nn.Module):
    def __init__(self):
        super(Generator, self).__init__()

        def block(a, b):
            return [nn.Linear(a, b), nn.ReLU()]

        self.layers = nn.Sequential(
            *block(100, 96), *block(96, 160), nn.Linear(160, 784), nn.Tanh())

    def forward(self, z):
        return self.layers(z).reshape(z.shape[0], 1, 28, 28)


class Discriminator(nn.Module):
    def __init__(self):
        super(Discriminator, self).__init__()
        self.layers = nn.Sequential(nn.Linear(784, 96), nn.ELU(), nn.Linear(96, 1), nn.Sigmoid())

    def forward(self, img):
        return self.layers(img.reshape(-1, 784))


def draw_latents(count):
    return Variable(torch.FloatTensor(np.random.normal(0, 1, (count, 100))))


def generator_loss(judged):
    return nn.BCELoss()(judged, Variable(torch.ones(judged.size())))


def discriminator_loss(judged_real, judged_fake):
    loss = nn.BCELoss()
    ones, zeros = torch.ones(judged_real.size()), torch.zeros(judged_fake.size())
    return 0.5 * (loss(judged_real, ones) + loss(judged_fake, zeros))


def train(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    for epoch in range(args.n_epochs):
        for i, (imgs, labels) in enumerate(dataloader):

            # Train Discriminator
            optimizer_D.zero_grad()
            fake = generator(draw_latents(imgs.shape[0]))
            d_loss = discriminator_loss(discriminator(imgs), discriminator(fake.detach()))
            d_loss.backward()
            optimizer_D.step()

            # Train Generator
            optimizer_G.zero_grad()
            g_loss = generator_loss(discriminator(fake))
            g_loss.backward()
            optimizer_G.step()

            batches_done = epoch * len(dataloader) + i
            if batches_done % args.save_interval == 0:
                save_image(fake[:25], 'images/{}.png'.format(batches_done), nrow=5, normalize=True)
                print("batch", batches_done, d_loss.item(), g_loss.item())


def interpolate(generator, n=7):
    a = np.random.normal(size=(1, 100))
    b = np.random.normal(size=(1, 100))
    z = np.concatenate([a + (b - a) * k / (n + 1) for k in range(n + 2)])
    return generator(torch.tensor(z, dtype=torch.float32)).detach()


def main():
    os.makedirs('images', exist_ok=True)
    dataloader = torch.utils.data.DataLoader(
        datasets.MNIST('./data/mnist', train=True, download=True,
                       transform=transforms.Compose([
                           transforms.ToTensor(),
                           transforms.Normalize((0.5,), (0.5,))])),
        batch_size=args.batch_size, shuffle=True)
    generator = Generator()
    discriminator = Discriminator()
    optimizer_G = torch.optim.Adam(generator.parameters(), lr=args.lr)
    optimizer_D = torch.optim.Adam(discriminator.parameters(), lr=args.lr)
    train(dataloader, discriminator, generator, optimizer_G, optimizer_D)
    torch.save(generator.state_dict(), "mnist_generator.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument('--n_epochs', type=int, default=200)
    parser.add_argument('--batch_size', type=int, default=64)
    parser.add_argument('--lr', type=float, default=0.0002)
    parser.add_argument('--latent_dim', type=int, default=100)
    parser.add_argument('--save_interval', type=int, default=500)
    args = parser.parse_args()

    main()
"""
