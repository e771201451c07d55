"""A variational auto-encoder of MNIST, and one that is given the digit: Kingma & Welling 2014, Sohn et al. 2015."""

import torch
from torch import nn
from torch.nn import functional as F

HIDDEN = 256


def hidden_layers(inputs):
    """Three hidden layers for rows [N, inputs]."""
    return [
        nn.Linear(inputs, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
    ]


def decoder_of(inputs, input_size):
    """Means of pixels [N, 1, 28, 28] for rows [N, inputs]."""
    return nn.Sequential(
        *hidden_layers(inputs), nn.Linear(HIDDEN, input_size), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))
    )


class VAE(nn.Module):
    """Images [N, 1, 28, 28] to their reconstructions, mu and logvar."""

    def __init__(self, input_size, latent_size=15):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), *hidden_layers(input_size))
        self.mu_layer = nn.Linear(HIDDEN, latent_size)
        self.logvar_layer = nn.Linear(HIDDEN, latent_size)
        self.decoder = decoder_of(latent_size, input_size)

    def forward(self, x):
        hidden = self.encoder(x)
        mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
        return self.decoder(reparametrize(mu, logvar)), mu, logvar


class CVAE(nn.Module):
    """Images [N, 1, 28, 28] and one-hot labels [N, 10] to the images' reconstructions, mu and logvar."""

    def __init__(self, input_size, num_classes=10, latent_size=15):
        super().__init__()
        self.encoder = nn.Sequential(*hidden_layers(input_size + num_classes))
        self.mu_layer = nn.Linear(HIDDEN, latent_size)
        self.logvar_layer = nn.Linear(HIDDEN, latent_size)
        self.decoder = decoder_of(latent_size + num_classes, input_size)

    def forward(self, x, c):
        hidden = self.encoder(torch.cat([x.flatten(start_dim=1), c], dim=1))
        mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
        z = reparametrize(mu, logvar)
        return self.decoder(torch.cat([z, c], dim=1)), mu, logvar


def reparametrize(mu, logvar):
    """A draw of N(mu, exp(logvar)) for each row."""
    return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)


def loss_function(x_hat, x, mu, logvar):
    """The cross-entropy and the divergence, summed over pixels and latents, and averaged over images."""
    entropy = F.binary_cross_entropy(x_hat, x, reduction="sum")
    divergence = 0.5 * torch.sum(logvar.exp() + mu**2 - 1 - logvar)
    return (entropy + divergence) / len(x)
