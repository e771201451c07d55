"""A Gaussian with a diagonal covariance: mistakes in log_prob(x [..., dims]) → [...] and sample(n) → [n, dims].

The mixture is made of two of them, and is judged with right ones.
"""

import math

import torch

from graders.misconceptions import defaults, misconception

# The log-density


defaults(
    "part3/distributions.py:MultivariateGaussianDiag.log_prob",
    fails=("flow.gaussian_log_prob",),
)


@misconception
def no_log_two_pi(self, x):
    """You left out the constant −½ log 2π, which counts once for each dimension: without it the density does not
    integrate to 1."""
    return self.original(x) + 0.5 * self.dims * math.log(2 * math.pi)


@misconception
def log_two_pi_once(self, x):
    """You subtract ½ log 2π once for the whole vector: each of the d dimensions has a normaliser of its own, so it is
    (d/2)·log 2π."""
    return self.original(x) + 0.5 * (self.dims - 1) * math.log(2 * math.pi)


@misconception
def log_two_pi_not_halved(self, x):
    """You subtract log 2π for each dimension instead of ½ log 2π: the normaliser is 1/√(2π), with a square root."""
    return self.original(x) - 0.5 * self.dims * math.log(2 * math.pi)


@misconception
def two_pi_without_log(self, x):
    """You subtract ½·2π for each dimension instead of ½·log(2π): a log-density contains the logarithm of the
    normaliser."""
    return self.original(x) + 0.5 * self.dims * (math.log(2 * math.pi) - 2 * math.pi)


@misconception
def sigma_as_variance(self, x):
    """You treated sigma as a variance, in the exponent and in the normaliser: it is a standard deviation, so the
    covariance matrix holds sigma² on its diagonal."""
    return torch.distributions.Normal(self.mu, self.sigma.sqrt()).log_prob(x).sum(dim=-1)


@misconception
def sigma_not_squared_in_the_exponent(self, x):
    """You divide (x − mu)² by sigma and not by sigma²: sigma is a standard deviation, so square the whole quotient (x −
    mu)/sigma."""
    return (-0.5 * (x - self.mu) ** 2 / self.sigma - self.sigma.log() - 0.5 * math.log(2 * math.pi)).sum(dim=-1)


@misconception
def standard_deviation_squared_twice(self, x):
    """You divide by the fourth power of sigma in the exponent: square (x − mu)/sigma once, or divide (x − mu)² by
    sigma², but not both."""
    exponent = -0.5 * ((x - self.mu) / self.sigma**2) ** 2
    return (exponent - self.sigma.log() - 0.5 * math.log(2 * math.pi)).sum(dim=-1)


@misconception
def log_variance_not_halved(self, x):
    """You subtract log sigma² instead of ½ log sigma², which is log sigma: the normaliser contains the square root of
    the covariance's determinant."""
    return self.original(x) - self.sigma.log().sum()


@misconception
def log_sigma_halved(self, x):
    """You subtract ½ log sigma instead of log sigma: the factor ½ belongs to the logarithm of the variance sigma²."""
    return self.original(x) + 0.5 * self.sigma.log().sum()


@misconception
def log_sigma_added(self, x):
    """You add log sigma instead of subtracting it: the wider the Gaussian, the lower its density."""
    return self.original(x) + 2 * self.sigma.log().sum()


@misconception
def no_log_sigma(self, x):
    """You left out −log sigma for each dimension: without it the density does not integrate to 1 unless sigma is 1."""
    return self.original(x) + self.sigma.log().sum()


@misconception
def no_normaliser(self, x):
    """You return the exponent alone: a log-density needs the normaliser's terms −log sigma − ½ log 2π as well, for
    each dimension."""
    return -0.5 * (((x - self.mu) / self.sigma) ** 2).sum(dim=-1)


@misconception
def normaliser_of_all_in_each_dimension(self, x):
    """You add the normaliser of the whole vector, (d/2)·log 2π + Σ log sigma, inside the sum over dimensions, so it
    counts d times: sum the exponents first, or use one dimension's normaliser inside."""
    normaliser = 0.5 * self.dims * math.log(2 * math.pi) + self.sigma.log().sum()
    return (-0.5 * ((x - self.mu) / self.sigma) ** 2 - normaliser).sum(dim=-1)


@misconception
def exponent_not_halved(self, x):
    """You forgot the ½ in the exponent: it is −½((x − mu)/sigma)²."""
    return self.original(x) - 0.5 * (((x - self.mu) / self.sigma) ** 2).sum(dim=-1)


@misconception
def exponent_added(self, x):
    """You forgot the minus sign of the exponent, −½((x − mu)/sigma)²: a density falls with the distance from mu."""
    return self.original(x) + (((x - self.mu) / self.sigma) ** 2).sum(dim=-1)


@misconception
def mean_forgotten(self, x):
    """You forgot to subtract mu: the exponent is −½((x − mu)/sigma)²."""
    return self.original(x + self.mu)


@misconception
def mean_added(self, x):
    """You add mu to x instead of subtracting it: the exponent is −½((x − mu)/sigma)²."""
    return self.original(x + 2 * self.mu)


@misconception
def first_sigma_for_all(self, x):
    """You use the first element of sigma for every dimension: each dimension has its own, which broadcasting takes
    care of."""
    return torch.distributions.Normal(self.mu, self.sigma[..., :1]).log_prob(x).sum(dim=-1)


@misconception
def not_summed(self, x):
    """You return the log-density of each element: the elements are independent, so sum over the last dimension to get
    that of the vector."""
    return torch.distributions.Normal(self.mu, self.sigma).log_prob(x)


@misconception
def averaged_over_dimensions(self, x):
    """You average the log-densities of the elements: a vector's density is the product of theirs, so its logarithm is
    their sum."""
    return self.original(x) / self.dims


@misconception
def multiplied_over_dimensions(self, x):
    """You multiply the log-densities of the elements: densities multiply, their logarithms add up."""
    return torch.distributions.Normal(self.mu, self.sigma).log_prob(x).prod(dim=-1)


@misconception
def summed_over_dimension_one(self, x):
    """You sum over dim=1, which holds the elements only when x is a matrix: x may be a mesh [h, w, dims], so sum over
    dim=-1."""
    return torch.distributions.Normal(self.mu, self.sigma).log_prob(x).sum(dim=1)


@misconception
def columns_of_a_matrix(self, x):
    """You take the elements as x[:, i], which they are only when x is a matrix: x may be a mesh [h, w, dims], so take
    x[..., i], or compute with all elements at once."""
    terms = [torch.distributions.Normal(self.mu[i], self.sigma[i]).log_prob(x[:, i]) for i in range(self.dims)]
    return sum(terms)


@misconception
def summed_over_the_batch(self, x):
    """You sum over all of x and return one number: there is one log-density for each vector, so sum over the last
    dimension only."""
    return self.original(x).sum()


@misconception
def averaged_over_the_batch(self, x):
    """You return one number, the average over the batch: return one log-density for each vector, and leave averaging to
    the caller."""
    return self.original(x).mean()


@misconception
def density_for_its_log(self, x):
    """You return the density: log_prob is its logarithm, so leave out the last exp."""
    return self.original(x).exp()


@misconception
def negative_log_density(self, x):
    """You return the negative log-density: return the log-density itself, which the loss negates."""
    return -self.original(x)


@misconception
def logarithm_to_base_two(self, x):
    """You return a log-density in bits: use the natural logarithm, since the average is converted to bits where it is
    reported."""
    return self.original(x) * math.log2(math.e)


@misconception
def x_written_into(self, x):
    """You change x in place, and with it the caller's tensor: write x - self.mu instead of x -= self.mu or
    x.sub_(self.mu)."""
    log_prob = self.original(x)
    x.sub_(self.mu)
    return log_prob


# Samples


defaults("part3/distributions.py:MultivariateGaussianDiag.sample", fails=("flow.gaussian_sample",))


@misconception
def noise_times_variance(self, num_samples):
    """You multiply the noise by sigma²: sigma is a standard deviation already, so a sample is mu + sigma·noise."""
    return self.mu + self.sigma**2 * torch.randn(num_samples, self.dims)


@misconception
def noise_times_root(self, num_samples):
    """Your samples have the standard deviation √sigma, as if sigma were a variance, or the diagonal of a covariance. It
    is a standard deviation: a sample is mu + sigma·noise, and the covariance is diag(sigma²)."""
    return self.mu + self.sigma.sqrt() * torch.randn(num_samples, self.dims)


@misconception
def noise_times_exponential(self, num_samples):
    """You multiply the noise by exp(sigma), as if that were a log standard deviation: it is the standard deviation, so
    a sample is mu + sigma·noise."""
    return self.mu + self.sigma.exp() * torch.randn(num_samples, self.dims)


@misconception
def noise_not_scaled(self, num_samples):
    """You add the noise without multiplying it by sigma: a sample is mu + sigma·noise."""
    return self.mu + torch.randn(num_samples, self.dims)


@misconception
def mean_scaled_too(self, num_samples):
    """You multiply mu by sigma as well: only the noise is scaled, as in mu + sigma·noise."""
    return self.sigma * (self.mu + torch.randn(num_samples, self.dims))


@misconception
def samples_without_mean(self, num_samples):
    """You forgot to add mu: a sample is mu + sigma·noise."""
    return self.original(num_samples) - self.mu


@misconception
def samples_without_noise(self, num_samples):
    """You return mu for every sample: a sample is mu + sigma·noise, with noise ~ N(0, 1) for each element."""
    return self.mu.repeat(num_samples, 1)


@misconception
def uniform_noise(self, num_samples):
    """You draw uniform noise between 0 and 1: torch.rand is uniform, torch.randn normal."""
    return self.mu + self.sigma * torch.rand(num_samples, self.dims)


@misconception
def uniform_noise_about_zero(self, num_samples):
    """You draw uniform noise between −1 and 1: a Gaussian's noise is normal, from torch.randn."""
    return self.mu + self.sigma * (2 * torch.rand(num_samples, self.dims) - 1)


@misconception
def noise_shared_by_the_elements(self, num_samples):
    """You draw one noise for all elements of a sample, so that they are perfectly correlated: the covariance is
    diagonal, so draw noise for each element, torch.randn(num_samples, dims)."""
    return self.mu + self.sigma * torch.randn(num_samples, 1)


@misconception
def noise_shared_by_the_samples(self, num_samples):
    """You draw the noise once and repeat it for all samples of a call: draw noise for each sample,
    torch.randn(num_samples, dims)."""
    return self.mu + self.sigma * torch.randn(1, self.dims).expand(num_samples, -1)


@misconception
def seed_set_in_sample(self, num_samples):
    """You set a seed in sample, so that every call gives the same points: set it once, in main."""
    torch.manual_seed(0)
    return self.original(num_samples)


@misconception
def one_sample_for_all(self, num_samples):
    """You return a single vector whatever num_samples is: return num_samples vectors, [num_samples, dims]."""
    return self.mu + self.sigma * torch.randn(self.dims)
