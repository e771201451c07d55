import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
import matplotlib.pyplot as plt
import numpy as np

from datasets.bmnist import bmnist


class Encoder(nn.Module):

    def __init__(self, hidden_dim=500, z_dim=20):
        super().__init__()
        self.linear = nn.Linear(784, hidden_dim)
        self.mu = nn.Linear(hidden_dim, z_dim)
        self.logvar = nn.Linear(hidden_dim, z_dim)

    def forward(self, input):
        """
        Returns mean and log variance with shape [batch_size, z_dim].
        """
        h = F.relu(self.linear(input))
        mean, logvar = self.mu(h), self.logvar(h)
        return mean, logvar


class Decoder(nn.Module):

    def __init__(self, hidden_dim=500, z_dim=20):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(z_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, 784),
        )

    def forward(self, input):
        return self.net(input)


class VAE(nn.Module):

    def __init__(self, hidden_dim=500, z_dim=20):
        super().__init__()
        self.z_dim = z_dim
        self.encoder = Encoder(hidden_dim, z_dim)
        self.decoder = Decoder(hidden_dim, z_dim)

    def reparameterize(self, mean, logvar):
        std = torch.exp(0.5 * logvar)
        return mean + std * torch.randn_like(std)

    def forward(self, input):
        mean, logvar = self.encoder(input)
        logits = self.decoder(self.reparameterize(mean, logvar))
        rec = F.binary_cross_entropy_with_logits(logits, input, reduction='sum')
        kl = -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())
        average_negative_elbo = (rec + kl) / input.shape[0]
        return average_negative_elbo

    def sample(self, n_samples):
        raise NotImplementedError()


def epoch_iter(model, data, optimizer):
    elbos = []
    for batch in data:
        batch = batch.reshape(-1, 784)
        if model.training:
            optimizer.zero_grad()
            elbo = model(batch)
            elbo.backward()
            optimizer.step()
        else:
            with torch.no_grad():
                elbo = model(batch)
        elbos.append(elbo.item())
    average_epoch_elbo = np.mean(elbos)
    return average_epoch_elbo


def run_epoch(model, data, optimizer):
    traindata, valdata = data
    model.train()
    train_elbo = epoch_iter(model, traindata, optimizer)
    model.eval()
    val_elbo = epoch_iter(model, valdata, optimizer)
    return train_elbo, val_elbo


def save_elbo_plot(train_curve, val_curve, filename):
    plt.figure(figsize=(12, 6))
    plt.plot(train_curve, label='train elbo')
    plt.plot(val_curve, label='validation elbo')
    plt.legend()
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
    save_elbo_plot(train_curve, val_curve, 'elbo.pdf')


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument('--epochs', default=40, type=int)
    parser.add_argument('--zdim', default=20, type=int)
    ARGS = parser.parse_args()
    main()
