"""A generative adversarial network of digits: the solution of the 2018 assignment's second part."""

import argparse
import os
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F
from torchvision import datasets, transforms
from torchvision.utils import save_image

PIXELS = 28 * 28
LATENTS = 100


class Generator(nn.Module):
    """Latents [B, 100] → images [B, 784] in [−1, 1]."""

    def __init__(self):
        super().__init__()
        sizes = (LATENTS, 128, 256)
        layers = []
        for index, (n_in, n_out) in enumerate(pairwise(sizes)):
            layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(0.2)]
            if index:
                layers.insert(-1, nn.BatchNorm1d(n_out))
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], PIXELS), nn.Tanh())

    def forward(self, z):
        return self.layers(z)


class Discriminator(nn.Module):
    """Images [B, 784] → the probability that each is real, [B, 1]."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(PIXELS, 128),
            nn.LeakyReLU(0.2),
            nn.Linear(128, 64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, 1),
            nn.Sigmoid(),
        )

    def forward(self, img):
        return self.layers(img)


def draw_latents(n):
    """Noise for n images, [n, 100]."""
    return torch.randn(n, LATENTS)


def generator_loss(on_fake):
    """−E log D(G(z)), from the probabilities of generated images."""
    return F.binary_cross_entropy(on_fake, torch.ones_like(on_fake))


def discriminator_loss(on_real, on_fake):
    """−E log D(x) − E log(1 − D(G(z))), from the probabilities of real and of generated images."""
    real = F.binary_cross_entropy(on_real, torch.ones_like(on_real))
    fake = F.binary_cross_entropy(on_fake, torch.zeros_like(on_fake))
    return real + fake


def train(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """Turns of both networks, a batch each."""
    for epoch in range(args.n_epochs):
        for i, (imgs, _) in enumerate(dataloader):
            real = imgs.view(len(imgs), -1)

            gen_imgs = generator(draw_latents(len(real)))
            optimizer_G.zero_grad()
            generator_loss(discriminator(gen_imgs)).backward()
            optimizer_G.step()

            optimizer_D.zero_grad()
            discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()
            optimizer_D.step()

            save_samples(gen_imgs, epoch * len(dataloader) + i)


def save_samples(images, batches_done):
    """A picture of 25 images, now and then."""
    if batches_done % args.save_interval == 0:
        save_image(images[:25].view(-1, 1, 28, 28), f"images/{batches_done}.png", nrow=5, normalize=True)


def interpolate(generator, steps=7):
    """Nine images on the straight line between two latents: [9, 784]."""
    start, end = draw_latents(2)
    weights = torch.linspace(0, 1, steps + 2).unsqueeze(1)
    generator.eval()
    with torch.no_grad():
        return generator(torch.lerp(start, end, weights))


def main():
    os.makedirs("images", exist_ok=True)
    scale = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    dataloader = torch.utils.data.DataLoader(
        datasets.MNIST("./data/mnist", train=True, download=True, transform=scale),
        batch_size=args.batch_size,
        shuffle=True,
    )
    generator, discriminator = Generator(), Discriminator()
    optimizer_G = torch.optim.Adam(generator.parameters(), lr=args.lr)
    optimizer_D = torch.optim.Adam(discriminator.parameters(), lr=args.lr)
    train(dataloader, discriminator, generator, optimizer_G, optimizer_D)
    save_image(interpolate(generator).view(-1, 1, 28, 28), "images/interpolation.png", nrow=9, normalize=True)
    torch.save(generator.state_dict(), "mnist_generator.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n_epochs", type=int, default=200, help="number of epochs")
    parser.add_argument("--batch_size", type=int, default=64, help="batch size")
    parser.add_argument("--lr", type=float, default=0.0002, help="learning rate")
    parser.add_argument("--latent_dim", type=int, default=100, help="dimensionality of the latent space")
    parser.add_argument("--save_interval", type=int, default=500, help="save every SAVE_INTERVAL iterations")
    args = parser.parse_args()
    main()
