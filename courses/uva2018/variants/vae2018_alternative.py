"""A VAE of 2018 that is right and nothing like the reference, as a text; the names of what it defines are the same."""

from __future__ import annotations

VAE = '''
import argparse
import math
import numpy as np
from scipy.stats import norm
import torch
import torch.nn as nn
from torch.autograd import Variable
from torchvision.utils import save_image

from datasets.bmnist import bmnist


class Encoder(nn.Module):

    def __init__(self, hidden_dim=500, z_dim=20, layers=2):
        super(Encoder, self).__init__()
        sizes = [28 * 28] + layers * [hidden_dim]
        self.body = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])])
        self.head = nn.Linear(hidden_dim, 2 * z_dim)

    def forward(self, x):
        """
        Perform forward pass of encoder.
        """
        for layer in self.body:
            x = nn.functional.leaky_relu(layer(x), 0.1)
        mean, logvar = torch.chunk(self.head(x), 2, dim=-1)
        return mean, (0.5 * logvar).exp()


class Decoder(nn.Module):

    def __init__(self, hidden_dim=500, z_dim=20):
        super(Decoder, self).__init__()
        self.net = nn.Sequential(
            nn.Linear(z_dim, hidden_dim), nn.Tanh(), nn.Linear(hidden_dim, hidden_dim), nn.Tanh(),
            nn.Linear(hidden_dim, 784), nn.Sigmoid())

    def forward(self, z):
        return self.net(z)


def draw(mu, sigma):
    epsilon = Variable(torch.randn(mu.size()))
    return mu.add(epsilon.mul(sigma))


def divergence(mu, sigma):
    variance = sigma.pow(2)
    return -0.5 * torch.sum(1 + torch.log(variance) - mu.pow(2) - variance, dim=-1)


def reconstruction(x, p):
    logp = x * torch.log(p.clamp(min=1e-8)) + (1 - x) * torch.log((1 - p).clamp(min=1e-8))
    return -torch.sum(logp, dim=1)


class VAE(nn.Module):

    def __init__(self, hidden_dim=500, z_dim=20):
        super(VAE, self).__init__()
        self.z_dim = z_dim
        self.encoder = Encoder(hidden_dim, z_dim)
        self.decoder = Decoder(hidden_dim, z_dim)

    def forward(self, input):
        """
        Given input, perform an encoding and decoding step and return the
        negative average elbo for the given batch.
        """
        mu, sigma = self.encoder(input)
        p = self.decoder(draw(mu, sigma))
        kl = torch.mean(divergence(mu, sigma), dim=0)
        return torch.mean(reconstruction(input, p), dim=0) + kl

    def sample(self, n_samples):
        z = torch.normal(torch.zeros(n_samples, self.z_dim), torch.ones(n_samples, self.z_dim))
        im_means = self.decoder(z).detach()
        sampled_ims = torch.distributions.Bernoulli(im_means).sample()
        return sampled_ims, im_means


def epoch_iter(model, data, optimizer):
    average_epoch_elbo = []
    for batch in data:
        batch = batch.reshape(batch.shape[0], -1)
        elbo = model.forward(batch)
        if model.training:
            model.zero_grad()
            elbo.backward()
            optimizer.step()
        average_epoch_elbo.append(elbo.item())
    return np.mean(average_epoch_elbo)


def run_epoch(model, data, optimizer):
    traindata, valdata = data
    model.train()
    train_elbo = epoch_iter(model, traindata, optimizer)
    model.eval()
    val_elbo = epoch_iter(model, valdata, optimizer)
    return train_elbo, val_elbo


def manifold(model, n=20):
    ticks = norm.ppf(np.linspace(0.5 / n, 1 - 0.5 / n, n))
    canvas = np.zeros((28 * n, 28 * n))
    for i, y in enumerate(ticks):
        for j, x in enumerate(ticks):
            image = model.decoder(torch.FloatTensor([[x, y]])).detach().numpy().reshape(28, 28)
            canvas[28 * i:28 * (i + 1), 28 * j:28 * (j + 1)] = image
    return canvas


def main():
    data = bmnist()[:2]
    model = VAE(z_dim=ARGS.zdim)
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(ARGS.epochs):
        print(run_epoch(model, data, optimizer))
        save_image(model.sample(25)[0].view(-1, 1, 28, 28), "samples_%d.png" % epoch, nrow=5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", default=40, type=int)
    parser.add_argument("--zdim", default=20, type=int)
    ARGS = parser.parse_args()
    main()
'''
