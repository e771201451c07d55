"""A variational auto-encoder of binary digits: the solution of the 2018 assignment's first part."""

import argparse

import matplotlib.pyplot as plt
import torch
from datasets.bmnist import bmnist
from torch import nn
from torch.nn import functional as F
from torchvision.utils import make_grid, save_image

PIXELS = 28 * 28


class Encoder(nn.Module):
    """q(z|x): images [B, 784] → the mean and the standard deviation of z, both [B, z_dim]."""

    def __init__(self, hidden_dim=500, z_dim=20):
        super().__init__()
        self.hidden = nn.Linear(PIXELS, hidden_dim)
        self.mean = nn.Linear(hidden_dim, z_dim)
        self.raw = nn.Linear(hidden_dim, z_dim)

    def forward(self, input):
        hidden = torch.relu(self.hidden(input))
        return self.mean(hidden), F.softplus(self.raw(hidden))


class Decoder(nn.Module):
    """p(x|z): latents [B, z_dim] → the mean of each pixel [B, 784]."""

    def __init__(self, hidden_dim=500, z_dim=20):
        super().__init__()
        self.hidden = nn.Linear(z_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, PIXELS)

    def forward(self, input):
        hidden = torch.relu(self.hidden(input))
        return torch.sigmoid(self.out(hidden))


def draw(mean, std):
    """z ~ N(mean, std²), by noise that does not depend on the parameters."""
    return mean + std * torch.randn_like(mean)


def divergence(mean, std):
    """KL(N(mean, std²) ‖ N(0, I)) of each image, [B]."""
    return (0.5 * (std.pow(2) + mean.pow(2) - 1) - std.log()).sum(dim=1)


def reconstruction(images, means):
    """−log p(x|z) of each image, [B]."""
    return F.binary_cross_entropy(means, images, reduction="none").sum(dim=1)


class VAE(nn.Module):
    """The whole model; `forward` gives the average negative bound in nats per image."""

    def __init__(self, hidden_dim=500, z_dim=20):
        super().__init__()
        self.z_dim = z_dim
        self.encoder = Encoder(hidden_dim, z_dim)
        self.decoder = Decoder(hidden_dim, z_dim)

    def forward(self, input):
        mean, std = self.encoder(input)
        means = self.decoder(draw(mean, std))
        return (reconstruction(input, means) + divergence(mean, std)).mean()

    def sample(self, n_samples):
        """Binary images and the means that they are drawn from, both [n, 784]."""
        with torch.no_grad():
            im_means = self.decoder(torch.randn(n_samples, self.z_dim))
        return torch.bernoulli(im_means), im_means


def epoch_iter(model, data, optimizer):
    """One pass over the data, with updates if the model is in training mode; the average negative bound."""
    total, count = 0.0, 0
    with torch.set_grad_enabled(model.training):
        for images in data:
            loss = model(images.view(-1, PIXELS))
            if model.training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * len(images)
            count += len(images)
    return total / count


def run_epoch(model, data, optimizer):
    """An epoch of training and one of validation; both averages."""
    train, validation = data
    model.train()
    train_elbo = epoch_iter(model, train, optimizer)
    model.eval()
    return train_elbo, epoch_iter(model, validation, optimizer)


def manifold(model, size=20):
    """The means of a two-dimensional model at normal quantiles of both latents, as one picture."""
    levels = (torch.arange(size) + 0.5) / size
    axis = torch.distributions.Normal(0, 1).icdf(levels)
    with torch.no_grad():
        means = model.decoder(torch.cartesian_prod(axis, axis))
    return make_grid(means.view(-1, 1, 28, 28), nrow=size)


def save_elbo_plot(train_curve, val_curve, filename):
    plt.figure(figsize=(12, 6))
    plt.plot(train_curve, label="train elbo")
    plt.plot(val_curve, label="validation elbo")
    plt.legend()
    plt.xlabel("epochs")
    plt.ylabel("ELBO")
    plt.tight_layout()
    plt.savefig(filename)


def main():
    data = bmnist()[:2]
    model = VAE(z_dim=ARGS.zdim)
    optimizer = torch.optim.Adam(model.parameters())
    train_curve, val_curve = [], []
    for epoch in range(ARGS.epochs):
        train_elbo, val_elbo = run_epoch(model, data, optimizer)
        train_curve.append(train_elbo)
        val_curve.append(val_elbo)
        print(f"[Epoch {epoch}] train elbo: {train_elbo} val_elbo: {val_elbo}")
        if epoch in (0, ARGS.epochs // 2, ARGS.epochs - 1):
            samples, _ = model.sample(64)
            save_image(samples.view(-1, 1, 28, 28), f"samples_{epoch}.png", nrow=8)
    if ARGS.zdim == 2:
        save_image(manifold(model), "manifold.png")
    save_elbo_plot(train_curve, val_curve, "elbo.pdf")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", default=40, type=int, help="max number of epochs")
    parser.add_argument("--zdim", default=20, type=int, help="dimensionality of latent space")
    ARGS = parser.parse_args()
    main()
