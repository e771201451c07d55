"""Mistakes in the equal mixture of two Gaussians, log_prob(x [..., dims]) → [...] and sample(n) → [n, dims]."""

import math

import torch

from graders.misconceptions import defaults, misconception

defaults("part3/distributions.py:BimodalGaussianDiag.__init__", fails=("flow.bimodal_log_prob", "flow.bimodal_sample"))


@misconception
def first_sigma_for_both(self, mu, sigma, dims):
    """You gave the second mode the first one's sigma: it is sigma[1]."""
    self.original(mu, [sigma[0], sigma[0]], dims)


@misconception
def sigmas_exchanged(self, mu, sigma, dims):
    """You gave each mode the other one's sigma: mu[0] goes with sigma[0], and mu[1] with sigma[1]."""
    self.original(mu, [sigma[1], sigma[0]], dims)


# The log-density


defaults("part3/distributions.py:BimodalGaussianDiag.log_prob", fails=("flow.bimodal_log_prob",))


@misconception
def product_of_the_densities(self, x):
    """You added the log-densities of the modes, which is the logarithm of their product: a mixture adds densities, so
    it is log(½·N₁(x) + ½·N₂(x)), as torch.logsumexp computes it."""
    return self.p1.log_prob(x) + self.p2.log_prob(x)


@misconception
def mean_of_the_logs(self, x):
    """You averaged the log-densities of the modes: a mixture averages densities, and the logarithm comes last, as in
    log(½·N₁(x) + ½·N₂(x))."""
    return 0.5 * (self.p1.log_prob(x) + self.p2.log_prob(x))


@misconception
def no_weights(self, x):
    """You forgot the weights of ½: without them the mixture has mass 2, and its log-density is too large by log 2."""
    return self.original(x) + math.log(2)


@misconception
def weights_divided_by(self, x):
    """You subtracted log ½ instead of adding it: the weights make the log-density smaller, by log 2."""
    return self.original(x) + 2 * math.log(2)


@misconception
def half_of_the_log(self, x):
    """You took half of the logarithm of N₁ + N₂: the weight ½ belongs inside the logarithm, where it amounts to −log
    2."""
    return 0.5 * (self.original(x) + math.log(2))


@misconception
def density_for_its_log(self, x):
    """You returned the mixture's density: log_prob is its logarithm."""
    return self.original(x).exp()


@misconception
def logs_mixed_as_if_densities(self, x):
    """You mixed the log-densities as if they were densities, and took the logarithm again: exponentiate them first, as
    torch.logsumexp does."""
    return torch.log(0.5 * self.p1.log_prob(x) + 0.5 * self.p2.log_prob(x))


@misconception
def densities_in_log_sum_exp(self, x):
    """You gave densities to log-sum-exp, which exponentiates what it is given: give it the log-densities."""
    return torch.logaddexp(self.p1.log_prob(x).exp(), self.p2.log_prob(x).exp()) - math.log(2)


@misconception
def first_mode_only(self, x):
    """You returned the log-density of the first mode: the second one's density counts as well, each with weight ½."""
    return self.p1.log_prob(x)


@misconception
def second_mode_only(self, x):
    """You returned the log-density of the second mode: the first one's density counts as well, each with weight ½."""
    return self.p2.log_prob(x)


@misconception
def the_larger_of_both(self, x):
    """You took the larger of both log-densities: in a mixture both densities count at every point, each with weight
    ½."""
    return torch.maximum(self.p1.log_prob(x), self.p2.log_prob(x))


@misconception
def gaussian_of_the_mean(self, x):
    """You took one Gaussian with the average of both means and sigmas: a mixture averages the densities, and has two
    modes."""
    mu, sigma = (self.p1.mu + self.p2.mu) / 2, (self.p1.sigma + self.p2.sigma) / 2
    return MultivariateGaussianDiag(mu, sigma, self.dims).log_prob(x)


@misconception
def gaussian_of_the_sum(self, x):
    """You took the density of the sum of two independent Gaussians, with mean μ₁ + μ₂ and variance σ₁² + σ₂²: a mixture
    picks one of the two for each sample, so average the densities."""
    sigma = torch.sqrt(self.p1.sigma**2 + self.p2.sigma**2)
    return MultivariateGaussianDiag(self.p1.mu + self.p2.mu, sigma, self.dims).log_prob(x)


@misconception
def averaged_over_the_batch(self, x):
    """You return one number, the average over the batch: there is one log-density for each vector."""
    return self.original(x).mean()


# Samples


defaults("part3/distributions.py:BimodalGaussianDiag.sample", fails=("flow.bimodal_sample",))


@misconception
def samples_of_the_first_mode(self, num_samples):
    """All of your samples come from the first mode: toss a fair coin for each sample to choose its mode, for example
    with torch.randint(0, 2, …), whose upper end is left out."""
    return self.p1.sample(num_samples)


@misconception
def one_coin_for_all(self, num_samples):
    """You toss one coin for all samples of a call, so that they come from one mode: each sample needs a coin of its
    own."""
    return (self.p1 if torch.rand(()) < 0.5 else self.p2).sample(num_samples)


@misconception
def a_coin_for_each_element(self, num_samples):
    """You toss a coin for each element, so that samples mix elements of both modes: one coin, of shape
    [num_samples, 1], decides for the whole vector."""
    first = torch.rand(num_samples, self.dims) < 0.5
    return torch.where(first, self.p1.sample(num_samples), self.p2.sample(num_samples))


@misconception
def coin_of_normal_noise(self, num_samples):
    """You compare normal noise with ½, which is no fair coin: torch.rand is below ½ half of the time, torch.randn in
    69 % of the cases."""
    first = torch.randn(num_samples, 1) < 0.5
    return torch.where(first, self.p1.sample(num_samples), self.p2.sample(num_samples))


@misconception
def mean_of_two_samples(self, num_samples):
    """You average a sample of each mode, which gives points between the modes, where there should be none: take each
    sample from one mode or the other."""
    return (self.p1.sample(num_samples) + self.p2.sample(num_samples)) / 2


@misconception
def sum_of_two_samples(self, num_samples):
    """You add a sample of each mode, but the sum of two Gaussian variables is Gaussian again: take each sample from one
    mode or the other."""
    return self.p1.sample(num_samples) + self.p2.sample(num_samples)


@misconception
def samples_of_the_mean_gaussian(self, num_samples):
    """You sample from one Gaussian with the average of both means and sigmas: take each sample from one mode or the
    other."""
    mu, sigma = (self.p1.mu + self.p2.mu) / 2, (self.p1.sigma + self.p2.sigma) / 2
    return MultivariateGaussianDiag(mu, sigma, self.dims).sample(num_samples)


@misconception(raises=True)
def two_elements_whatever_dims_is(self, num_samples):
    """Your samples always have two elements, although the mixture is built with `dims`: give them self.dims elements,
    as in torch.zeros(num_samples, self.dims)."""
    samples = torch.zeros([num_samples, 2])
    first = torch.randint(0, 2, [num_samples], dtype=torch.bool)
    samples[first] = self.p1.sample(num_samples)[first]
    samples[~first] = self.p2.sample(num_samples)[~first]
    return samples


@misconception
def twice_as_many_samples(self, num_samples):
    """You take num_samples samples from each mode, twice as many as asked for: choose one mode for each sample."""
    return torch.cat([self.p1.sample(num_samples), self.p2.sample(num_samples)])


@misconception
def seed_set_in_sample(self, num_samples):
    """You set a seed in sample, so that every call gives the same points: set it once, in main."""
    torch.manual_seed(0)
    return self.original(num_samples)
