from __future__ import print_function
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F
from torchvision import datasets, transforms
import matplotlib.pyplot as plt


def hello_vae():
    print("Hello from vae.py!")


class VAE(nn.Module):
    def __init__(self, input_size, latent_size=15, hidden_dim=400):
        super(VAE, self).__init__()
        self.input_size = input_size  # H*W
        self.latent_size = latent_size  # Z
        self.hidden_dim = hidden_dim  # H_d
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(input_size, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim),
        )
        self.mu_layer = nn.Linear(hidden_dim, latent_size)
        self.logvar_layer = nn.Linear(hidden_dim, latent_size)
        self.decoder = nn.Sequential(
            nn.Linear(latent_size, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, input_size),
            nn.Sigmoid(),
            nn.Unflatten(1, (1, 784)),
        )

    def forward(self, x):
        features = self.encoder(x)
        mu = self.mu_layer(features)
        logvar = self.logvar_layer(features)
        z = reparametrize(mu, logvar)
        x_hat = self.decoder(z).reshape(x.shape)
        return x_hat, mu, logvar


class CVAE(nn.Module):
    def __init__(self, input_size, num_classes=10, latent_size=15, hidden_dim=400):
        super(CVAE, self).__init__()
        layers = []
        sizes = [input_size + num_classes, hidden_dim, hidden_dim, hidden_dim]
        for fan_in, fan_out in zip(sizes[:-1], sizes[1:]):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.encoder = nn.Sequential(*layers)
        self.mu_layer = nn.Linear(hidden_dim, latent_size)
        self.logvar_layer = nn.Linear(hidden_dim, latent_size)
        layers = []
        sizes[0] = latent_size + num_classes
        for fan_in, fan_out in zip(sizes[:-1], sizes[1:]):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.decoder = nn.Sequential(
            *layers, nn.Linear(hidden_dim, input_size), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))
        )

    def forward(self, x, c):
        N = x.shape[0]
        features = self.encoder(torch.cat((x.view(N, -1), c), dim=1))
        mu = self.mu_layer(features)
        logvar = self.logvar_layer(features)
        z = reparametrize(mu, logvar)
        return self.decoder(torch.cat((c, z), dim=1)), mu, logvar


def reparametrize(mu, logvar):
    eps = torch.randn_like(mu)
    return eps * logvar.exp() + mu


def loss_function(x_hat, x, mu, logvar):
    N = x.shape[0]
    reconstruction = F.binary_cross_entropy(x_hat, x, reduction="sum")
    kl = -0.5 * torch.sum(1 + 2 * logvar - mu.pow(2) - logvar.exp()) / N
    return reconstruction / N + kl
