"""The diagonal Gaussian N(mean, exp(logvar)): what is written in place of its methods."""

import math

import torch

from graders.misconceptions import defaults, misconception

defaults("vae_solution.py:DiagonalGaussianDistribution.sample", fails=("gaussian_vae.draw",))


@misconception
def variance_for_deviation(self, noise=None):
    """You multiplied the noise by the variance. A draw is mean + std · ε, with the standard deviation exp(logvar/2)."""
    noise = torch.randn_like(self.mean) if noise is None else noise
    return self.mean + self.var * noise


@misconception
def logarithm_for_deviation(self, noise=None):
    """You multiplied the noise by logvar itself. A draw is mean + std · ε, with the standard deviation
    exp(logvar/2)."""
    noise = torch.randn_like(self.mean) if noise is None else noise
    return self.mean + self.logvar * noise


@misconception
def unit_deviation(self, noise=None):
    """You added the noise as it is, with standard deviation 1 whatever the encoder says. Multiply it by the standard
    deviation, exp(logvar/2)."""
    return self.mean + (torch.randn_like(self.mean) if noise is None else noise)


@misconception
def given_noise_ignored(self, noise=None):
    """You draw new noise even where it is given: use `noise` unless it is None."""
    return self.original()


@misconception
def no_gradient(self, noise=None):
    """Your draw is cut off from mean and logvar, so that the encoder cannot learn from the reconstruction. No no_grad,
    .detach() or .data here, and no torch.normal(mean, std)."""
    with torch.no_grad():
        return self.original(noise)


@misconception
def no_gradient_without_given_noise(self, noise=None):
    """Where no noise is given, your draw is cut off from mean and logvar, so that the encoder cannot learn from the
    reconstruction. Add noise of your own as you do a given one, in place of torch.normal(mean, std) or .sample()."""
    return torch.normal(self.mean, self.std).detach() if noise is None else self.original(noise)


@misconception
def uniform_noise(self, noise=None):
    """The noise that you draw is uniform between 0 and 1, by torch.rand. It should be standard normal:
    torch.randn_like."""
    return self.original(torch.rand_like(self.mean) if noise is None else noise)


@misconception
def noise_shared_by_rows(self, noise=None):
    """You drew one noise for the whole batch. Each image needs its own: torch.randn_like(mean)."""
    return self.original(torch.randn_like(self.mean[:1]).expand_as(self.mean) if noise is None else noise)


@misconception
def no_noise(self, noise=None):
    """You return the mean where no noise is given. Draw noise of your own then: torch.randn_like(mean)."""
    return self.original(torch.zeros_like(self.mean) if noise is None else noise)


defaults("vae_solution.py:DiagonalGaussianDistribution.kl", fails=("gaussian_vae.kl",))


@misconception
def averaged_over_latents(self):
    """You averaged over the latent dimensions. The divergence of a Gaussian with independent dimensions is the sum of
    theirs."""
    return self.original() / self.mean.shape[1]


@misconception
def averaged_over_batch(self):
    """You averaged over the batch. One divergence for each image is asked for: [B]."""
    return self.original().mean()


@misconception
def summed_over_batch(self):
    """You summed over the batch as well. One divergence for each image is asked for: sum over the latent dimensions
    only."""
    return self.original().sum()


@misconception
def without_half(self):
    """You left out the factor ½ before the sum."""
    return 2 * self.original()


@misconception
def sign_turned(self):
    """You turned the sign: a divergence is never negative, and 0 for mean 0 and logvar 0."""
    return -self.original()


@misconception
def logarithm_of_deviation(self):
    """You treated logvar as the logarithm of a standard deviation. It is that of the variance: exp(logvar) is the
    variance, and logvar itself its logarithm."""
    return 0.5 * ((2 * self.logvar).exp() + self.mean**2 - 1 - 2 * self.logvar).sum(dim=1)


@misconception
def deviation_in_the_formula(self):
    """You put the standard deviation where the formula has the variance: it is exp(logvar), self.var."""
    return 0.5 * (self.std + self.mean**2 - 1 - self.logvar).sum(dim=1)


@misconception
def logarithm_added(self):
    """You added logvar, where it is subtracted: the divergence is ½ Σ (exp(logvar) + mean² − 1 − logvar), and grows
    when the variance comes near 0."""
    return 0.5 * (self.var + self.mean**2 - 1 + self.logvar).sum(dim=1)


@misconception
def mean_not_squared(self):
    """You added the mean, where the formula has its square."""
    return 0.5 * (self.var + self.mean - 1 - self.logvar).sum(dim=1)


@misconception
def one_forgotten(self):
    """You left out the −1 of each dimension, so that the divergence of N(0, I) from itself is not 0."""
    return 0.5 * (self.var + self.mean**2 - self.logvar).sum(dim=1)


@misconception
def divergence_detached(self):
    """Your divergence is cut off from mean and logvar, so that no gradient of it reaches the encoder: compute it by
    operations of torch, without no_grad, .detach() or numpy."""
    return self.original().detach()


defaults("vae_solution.py:DiagonalGaussianDistribution.nll", fails=("gaussian_vae.nll",))


@misconception
def likelihood_detached(self, sample, dims=(1, 2, 3)):
    """Your negative log-likelihood is cut off from mean and logvar, so that nothing can be learned from it: compute it
    by operations of torch, without no_grad, .detach() or numpy."""
    return self.original(sample, dims).detach()


@misconception
def constant_forgotten(self, sample, dims=(1, 2, 3)):
    """You left out the constant ½·log 2π of each dimension. It changes no gradient, but it belongs to the
    likelihood."""
    return self.original(sample, dims) - 0.5 * math.log(2 * math.pi) * self.mean[0].numel()


@misconception
def squared_error(self, sample, dims=(1, 2, 3)):
    """You return the squared distance from the mean. The negative log-likelihood divides it by twice the variance, and
    adds ½·(logvar + log 2π) for each dimension."""
    return ((sample - self.mean) ** 2).sum(dim=tuple(dims))


@misconception
def variance_ignored(self, sample, dims=(1, 2, 3)):
    """You took the variance to be 1. The distribution has a logvar, and latents are judged by it as well: divide the
    square by exp(logvar), and add ½·logvar."""
    return (0.5 * ((sample - self.mean) ** 2 + math.log(2 * math.pi))).sum(dim=tuple(dims))


@misconception
def likelihood_for_its_negative(self, sample, dims=(1, 2, 3)):
    """You return log p(x). The negative log-likelihood is asked for, which a loss makes smaller."""
    return -self.original(sample, dims)


@misconception
def dims_averaged(self, sample, dims=(1, 2, 3)):
    """You averaged over the dimensions. The densities of independent dimensions are multiplied, so their logarithms are
    summed."""
    return self.original(sample, dims) / self.mean[0].numel()


@misconception
def logarithm_without_half(self, sample, dims=(1, 2, 3)):
    """You added logvar without its factor ½: the density is divided by the standard deviation, and logvar is the
    logarithm of the variance."""
    return self.original(sample, dims) + 0.5 * self.logvar.sum(dim=tuple(dims))


@misconception
def divided_by_deviation(self, sample, dims=(1, 2, 3)):
    """You divided the square by the standard deviation. It is divided by the variance, exp(logvar)."""
    terms = (sample - self.mean) ** 2 / self.std + self.logvar + math.log(2 * math.pi)
    return (0.5 * terms).sum(dim=tuple(dims))


@misconception(raises=True)
def dims_fixed(self, sample, dims=(1, 2, 3)):
    """You sum over dimensions 1, 2 and 3, whatever `dims` says. Latents have one dimension besides the batch: sum over
    `dims`."""
    return self.original(sample, (1, 2, 3))


@misconception("vae_solution.py:DiagonalGaussianDistribution.mode", fails=("gaussian_vae.mode",))
def draw_for_mode(self):
    """You return a draw. The mode is where the density is highest, at the mean."""
    return self.sample()


@misconception("vae_solution.py:DiagonalGaussianDistribution.mode", fails=("gaussian_vae.mode",))
def deviation_for_mode(self):
    """You return the standard deviation. The mode is where the density is highest, at the mean."""
    return self.std
