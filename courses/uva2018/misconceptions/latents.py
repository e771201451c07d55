"""The draw of z, and which Gaussian it is of: what is written in place of draw(mean, std), [B, z_dim], and forward."""

import torch
from torch.nn import functional as F

from graders.misconceptions import defaults, misconception


def bound_of_log_variance(images, decoder, mean, log_variance, z):
    kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(dim=1)
    rec = F.binary_cross_entropy(decoder(z), images, reduction="none").sum(dim=1)
    return (rec + kl).mean()


defaults("a3_vae_template.py:draw", fails=("vae2018.noise",))


@misconception(fails=("vae2018.divergence", "vae2018.bound"))
def noise_of_twice_the_variance(mean, std):
    """The variance of your noise is twice that of your divergence, 2σ² for σ², as if noise were added twice. Multiply
    it by the standard deviation, once: z = mean + std · ε."""
    return mean + 2**0.5 * std * torch.randn_like(std)


@misconception(fails=("vae2018.divergence", "vae2018.bound"))
def variance_for_deviation(mean, std):
    """You multiply the noise by a variance, the square of what the divergence takes for the standard deviation.
    Multiply it by the standard deviation: z = mean + std · ε."""
    return mean + std**2 * torch.randn_like(std)


defaults("a3_vae_template.py:VAE.forward", fails=("vae2018.divergence", "vae2018.bound"))


@misconception
def log_variance_for_deviation(self, input):
    """Your divergence takes the encoder's second output for the logarithm of the variance, and the noise is multiplied
    by the same number, as if it were the standard deviation. Use one meaning in both: with log σ² the noise is
    multiplied by exp(½ log σ²), with σ the divergence is ½ (σ² + mean² − 1) − log σ."""
    mean, log_variance = self.encoder(input)
    z = mean + log_variance * torch.randn_like(mean)
    return bound_of_log_variance(input, self.decoder, mean, log_variance, z)


@misconception
def variance_of_log_variance(self, input):
    """Your divergence takes the encoder's second output for the logarithm of the variance, and the noise is multiplied
    by the variance, exp(log σ²). Multiply it by the standard deviation, exp(½ log σ²)."""
    mean, log_variance = self.encoder(input)
    z = mean + log_variance.exp() * torch.randn_like(mean)
    return bound_of_log_variance(input, self.decoder, mean, log_variance, z)


@misconception
def deviation_of_another_square_root(self, input):
    """Your noise is multiplied by the square root of a number that your divergence uses as log σ². Use one meaning in
    both: the standard deviation is exp(½ log σ²)."""
    mean, log_variance = self.encoder(input)
    z = mean + log_variance.sqrt() * torch.randn_like(mean)
    return bound_of_log_variance(input, self.decoder, mean, log_variance, z)


defaults("a3_vae_template.py:draw", fails=("vae2018.noise",))


@misconception
def no_noise(mean, std):
    """You decode the mean itself. The bound is an expectation over z, so z has to be drawn: z = mean + std · ε, with ε
    of the standard normal distribution."""
    return mean


@misconception
def noise_of_one_spread(mean, std):
    """You add noise of standard deviation 1 to the mean, whatever the encoder says of the spread. Multiply it by the
    standard deviation: z = mean + std · ε."""
    return mean + torch.randn_like(mean)


@misconception
def one_noise_for_all_images(mean, std):
    """You draw the noise once for all images of the batch. Each image needs noise of its own: ε has the shape of the
    mean, [B, z_dim]."""
    return mean + std * torch.randn(1, mean.shape[1])


@misconception
def one_noise_for_all_dimensions(mean, std):
    """You draw one number of noise for each image, and use it for all dimensions of z. Each dimension needs its own: ε
    has the shape of the mean, [B, z_dim]."""
    return mean + std * torch.randn(len(mean), 1)


@misconception
def uniform_noise(mean, std):
    """Your noise is uniform between 0 and 1, as from torch.rand. It should be of the standard normal distribution, as
    from torch.randn."""
    return mean + std * torch.rand_like(mean)


@misconception
def seeded_noise(mean, std):
    """You seed the random numbers in every pass, so that the noise is always the same. Draw it anew each time."""
    torch.manual_seed(0)
    return mean + std * torch.randn_like(mean)


@misconception
def detached_latents(mean, std):
    """You draw z without a gradient (by sample(), under no_grad, or detached), so that the reconstruction cannot teach
    the encoder anything. Build z by operations that can be differentiated: z = mean + std · ε."""
    return torch.normal(mean, std).detach()
