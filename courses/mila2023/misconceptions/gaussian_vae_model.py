"""The Gaussian VAE: what is written in place of encode, decode, forward and sample."""

import torch

from graders.misconceptions import defaults, misconception

defaults("vae_solution.py:VAE.encode", fails=("gaussian_vae.parts",))


@misconception
def one_layer_for_both(self, x):
    """Mean and logvar come from one layer, and are the same numbers. Each needs a layer of its own, self.mean and
    self.logvar."""
    hidden = self.encoder(x)
    return DiagonalGaussianDistribution(self.mean(hidden), self.mean(hidden))


@misconception
def posterior_of_unit_variance(self, x):
    """Your posterior has unit variance, since it is given no logvar: compute that by self.logvar and pass it on."""
    return DiagonalGaussianDistribution(self.mean(self.encoder(x)))


@misconception
def means_never_negative(self, x):
    """An activation stands behind the layer of the mean, so that means are never negative. The mean of z may be any
    number: leave that layer as it is."""
    posterior = self.original(x)
    return DiagonalGaussianDistribution(posterior.mean.relu(), posterior.logvar)


@misconception
def means_between_0_and_1(self, x):
    """A sigmoid stands behind the layer of the mean. The mean of z may be any number: leave that layer as it is."""
    posterior = self.original(x)
    return DiagonalGaussianDistribution(posterior.mean.sigmoid(), posterior.logvar)


@misconception
def means_between_bounds(self, x):
    """A tanh or the like stands behind the layer of the mean. The mean of z may be any number: leave that layer as it
    is."""
    posterior = self.original(x)
    return DiagonalGaussianDistribution(posterior.mean.tanh(), posterior.logvar)


@misconception
def log_variances_never_negative(self, x):
    """An activation such as a ReLU, a softplus or an exponential stands behind the layer of logvar, so that it is never
    negative, and no variance is below 1. It is a logarithm already: leave that layer as it is."""
    posterior = self.original(x)
    return DiagonalGaussianDistribution(posterior.mean, torch.nn.functional.softplus(posterior.logvar))


@misconception
def log_variances_between_bounds(self, x):
    """A tanh or the like stands behind the layer of logvar, so that no variance is below 0.37. Leave that layer as it
    is."""
    posterior = self.original(x)
    return DiagonalGaussianDistribution(posterior.mean, posterior.logvar.tanh())


defaults("vae_solution.py:VAE.decode", fails=("gaussian_vae.parts",))


@misconception
def variance_of_the_decoder(self, z):
    """You gave p(x|z) the decoder's output for logvar as well. Its covariance is the identity: leave logvar out."""
    mean = self.decoder(z)
    return DiagonalGaussianDistribution(mean, mean)


@misconception
def log_variance_of_one(self, z):
    """You set the logarithm of the variance to 1, which makes the variance e. The identity has variance 1, and its
    logarithm is 0."""
    mean = self.decoder(z)
    return DiagonalGaussianDistribution(mean, torch.ones_like(mean))


@misconception
def squashed(self, z):
    """You sent the decoder's output through a sigmoid, so that no pixel is negative. Images are scaled to [−1, 1]: take
    the output as it is, or its tanh."""
    return DiagonalGaussianDistribution(self.decoder(z).sigmoid())


defaults("vae_solution.py:VAE.forward", fails=("gaussian_vae.forward",))


@misconception
def draw_reconstructed(self, x, noise=None):
    """Your reconstruction is a draw of p(x|z), with its noise in every pixel. It should be the mode."""
    posterior = self.encode(x)
    conditional = self.decode(posterior.sample(noise))
    return conditional.sample(), conditional.nll(x), posterior.kl()


@misconception
def mean_decoded(self, x, noise=None):
    """You decode the posterior's mean. The bound is an expectation over z: decode a draw, posterior.sample(noise)."""
    posterior = self.encode(x)
    conditional = self.decode(posterior.mode())
    return conditional.mode(), conditional.nll(x), posterior.kl()


@misconception
def noise_not_passed_on(self, x, noise=None):
    """You do not pass the given noise on: posterior.sample(noise)."""
    return self.original(x)


@misconception
def latent_detached(self, x, noise=None):
    """You detach z, so that the encoder learns nothing from the reconstruction: decode the draw as it is."""
    posterior = self.encode(x)
    conditional = self.decode(posterior.sample(noise).detach())
    return conditional.mode(), conditional.nll(x), posterior.kl()


@misconception
def no_gradient(self, x, noise=None):
    """Your forward runs under no_grad, or detaches what it returns, so that nothing is learnt."""
    with torch.no_grad():
        return self.original(x, noise)


@misconception
def likelihood_of_the_mode(self, x, noise=None):
    """You took the likelihood of the reconstruction under p(x|z), which is the same for all images. It is that of the
    images x."""
    posterior = self.encode(x)
    conditional = self.decode(posterior.sample(noise))
    return conditional.mode(), conditional.nll(conditional.mode()), posterior.kl()


@misconception
def divergence_of_the_decoder(self, x, noise=None):
    """You took the divergence of p(x|z). It is the posterior, q(z|x), that is held near N(0, I)."""
    posterior = self.encode(x)
    conditional = self.decode(posterior.sample(noise))
    return conditional.mode(), conditional.nll(x), conditional.kl()


@misconception
def losses_exchanged(self, x, noise=None):
    """You return the divergence before the negative log-likelihood: the order is reconstruction, likelihood,
    divergence."""
    mode, nll, kl = self.original(x, noise)
    return mode, kl, nll


@misconception
def averages_returned(self, x, noise=None):
    """You averaged over the batch. The hand-out's training loop does that: return one number for each image."""
    mode, nll, kl = self.original(x, noise)
    return mode, nll.mean(), kl.mean()


defaults("vae_solution.py:VAE.sample", fails=("gaussian_vae.sample",))


@misconception
def uniform_prior(self, batch_size, noise=None):
    """You drew the latents of your samples uniformly, by torch.rand. The prior is N(0, I): torch.randn."""
    return self.original(batch_size, torch.rand(batch_size, self.z_dim) if noise is None else noise)


@misconception
def one_latent_for_all(self, batch_size, noise=None):
    """You drew one latent for all samples, so that they are all the same: draw batch_size of them."""
    return self.original(batch_size, torch.randn(1, self.z_dim).expand(batch_size, -1) if noise is None else noise)


@misconception
def given_noise_ignored(self, batch_size, noise=None):
    """You draw new latents even where they are given: use `noise` unless it is None."""
    return self.original(batch_size)


@misconception
def prior_twice_as_wide(self, batch_size, noise=None):
    """The latents of your samples have twice the standard deviation of the prior N(0, I)."""
    return self.original(batch_size, 2 * torch.randn(batch_size, self.z_dim) if noise is None else noise)
