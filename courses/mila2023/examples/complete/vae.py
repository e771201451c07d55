import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Encoder(nn.Module):
    def __init__(self, nc, nef, nz, isize, device):
        super().__init__()
        self.device = device
        self.first = nn.Linear(nc * isize * isize, 16 * nef)
        self.second = nn.Linear(16 * nef, 8 * nef * (isize // 16) ** 2)

    def forward(self, inputs):
        return torch.tanh(self.second(F.elu(self.first(inputs.reshape(inputs.size(0), -1)))))


class Decoder(nn.Module):
    def __init__(self, nc, ndf, nz, isize):
        super().__init__()
        self.shape = (nc, isize, isize)
        self.layers = nn.Sequential(nn.Linear(nz, 8 * ndf), nn.GELU(), nn.Linear(8 * ndf, nc * isize * isize))

    def forward(self, input):
        return self.layers(input).reshape(-1, *self.shape)


class DiagonalGaussianDistribution(object):
    def __init__(self, mean, logvar=None):
        super(DiagonalGaussianDistribution, self).__init__()
        self.mean = mean
        if logvar is None:
            logvar = torch.zeros_like(self.mean)
        self.logvar = torch.clamp(logvar, -30.0, 20.0)
        self.std = torch.sqrt(torch.exp(self.logvar))
        self.var = self.std**2

    def sample(self, noise=None):
        if noise is None:
            noise = torch.normal(torch.zeros_like(self.mean.detach()), torch.ones_like(self.std.detach()))
        return noise * self.std + self.mean

    def kl(self):
        one = torch.distributions.Normal(self.mean, self.std)
        other = torch.distributions.Normal(torch.zeros_like(self.mean), torch.ones_like(self.mean))
        return torch.distributions.kl_divergence(one, other).sum(-1)

    def nll(self, sample, dims=[1, 2, 3]):
        var = self.var.expand_as(self.mean)
        total = F.gaussian_nll_loss(self.mean, sample, var, full=True, reduction="none", eps=1e-12)
        return torch.sum(total, dim=dims)

    def mode(self):
        return 1 * self.mean


class VAE(nn.Module):
    def __init__(self, in_channels=3, decoder_features=32, encoder_features=32, z_dim=100, input_size=32,
                 device=torch.device("cuda:0")):
        super(VAE, self).__init__()
        self.z_dim, self.in_channels, self.device = z_dim, in_channels, device
        self.encoder = Encoder(nc=in_channels, nef=encoder_features, nz=z_dim, isize=input_size, device=device)
        out_size = input_size // 16
        self.mean = nn.Linear(encoder_features * 8 * out_size * out_size, z_dim)
        self.logvar = nn.Linear(encoder_features * 8 * out_size * out_size, z_dim)
        self.decoder = Decoder(nc=in_channels, ndf=decoder_features, nz=z_dim, isize=input_size)

    def encode(self, x):
        features = self.encoder(x)
        return DiagonalGaussianDistribution(mean=self.mean(features), logvar=self.logvar(features))

    def decode(self, z):
        mean = self.decoder(z)
        return DiagonalGaussianDistribution(mean, 0.0 * mean)

    def sample(self, batch_size, noise=None):
        if noise is None:
            noise = torch.empty(batch_size, self.z_dim).normal_()
        return self.decode(noise.to(self.device)).mode()

    def log_weight(self, x, posterior):
        z = posterior.mean + posterior.std * torch.normal(0.0, 1.0, size=posterior.mean.shape)
        log_prior = -0.5 * (z**2 + np.log(2 * np.pi)).sum(1)
        return log_prior - self.decode(z).nll(x) + posterior.nll(z, dims=1)

    def log_likelihood(self, x, K=100):
        posterior = self.encode(x)
        table = torch.empty(x.shape[0], K)
        for i in range(K):
            table[:, i] = self.log_weight(x, posterior)
        largest = table.max(dim=1).values
        return largest + torch.log(torch.exp(table - largest[:, None]).mean(dim=1))

    def forward(self, x, noise=None):
        posterior = self.encode(x)
        latent_z = posterior.sample(noise)
        recon = self.decode(latent_z)
        return recon.mode(), recon.nll(x), posterior.kl()


def interpolate(model, z_1, z_2, n_samples):
    out = []
    for i in range(n_samples):
        out.append(model.decode(z_2 + (z_1 - z_2) * (i / (n_samples - 1))).mode()[0])
    return torch.stack(out)
