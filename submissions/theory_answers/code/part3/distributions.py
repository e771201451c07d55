import numpy as np
import torch


def broadcast(x, a, b):
    shape = (1,) * (len(x.shape) - 1) + x.shape[-1:]
    return a.view(shape), b.view(shape)


class MultivariateGaussianDiag:

    def __init__(self, mu, sigma, dims):
        self.mus = mu
        self.sigmas = sigma
        self.dims = dims

    def log_prob(self, x):
        mu, sigma = broadcast(x, self.mus, self.sigmas)
        var = sigma ** 2
        quad = torch.sum((x - mu) ** 2 / var, dim=-1)
        log_norm = self.dims * np.log(2 * np.pi) + torch.sum(torch.log(var))
        return -0.5 * (quad + log_norm)

    def sample(self, num_samples):
        noise = torch.randn(num_samples, self.dims)
        return self.mus + noise * self.sigmas


class BimodalGaussianDiag:

    def __init__(self, mu, sigma, dims):
        self.p1 = MultivariateGaussianDiag(mu[0], sigma[0], dims)
        self.p2 = MultivariateGaussianDiag(mu[1], sigma[1], dims)
        self.mus, self.sigmas, self.dims = mu, sigma, dims

    def log_prob(self, x):
        return torch.log(0.5 * torch.exp(self.p1.log_prob(x)) + 0.5 * torch.exp(self.p2.log_prob(x)))

    def sample(self, num_samples):
        samples = self.p1.sample(num_samples)
        second = torch.rand(num_samples) > 0.5
        samples[second] = self.p2.sample(int(second.sum()))
        return samples
