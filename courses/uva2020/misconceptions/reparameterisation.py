"""Mistakes in sample_reparameterize(mean, std), a draw from N(mean, std²); all tensors have one shape."""

import torch

from graders.misconceptions import defaults, misconception

defaults("part1/utils.py:sample_reparameterize", fails=("vae.reparameterize",))


@misconception
def std_squared(mean, std):
    """You multiplied the noise by the variance, std². A draw is z = mean + std · ε: noise of spread 1, times the
    standard deviation itself."""
    return mean + std**2 * torch.randn_like(mean)


@misconception
def root_of_std(mean, std):
    """You took std for a variance and multiplied the noise by its square root. It is a standard deviation already:
    z = mean + std · ε."""
    return mean + std.sqrt() * torch.randn_like(mean)


@misconception
def exponential_of_std(mean, std):
    """You took std for its logarithm and applied exp to it. The argument is the standard deviation itself, since the
    caller has applied exp already: z = mean + std · ε."""
    return mean + std.exp() * torch.randn_like(mean)


@misconception
def std_as_log_variance(mean, std):
    """You took std for the logarithm of a variance and multiplied the noise by exp(std / 2). The argument is the
    standard deviation itself: z = mean + std · ε."""
    return mean + (0.5 * std).exp() * torch.randn_like(mean)


@misconception
def noise_shared_by_batch(mean, std):
    """You drew noise for one row and used it for the whole batch. Every image needs noise of its own: draw ε in the
    shape of mean, as torch.randn_like(mean) does."""
    return mean + std * torch.randn_like(mean[:1])


@misconception
def noise_shared_by_latents(mean, std):
    """You drew one number for each image and used it for all of its latents, which are then not independent. Draw ε in
    the shape of mean, as torch.randn_like(mean) does."""
    return mean + std * torch.randn_like(mean[..., :1])


@misconception
def one_number_for_noise(mean, std):
    """You drew a single number and used it as the noise of every latent of every image. Draw ε in the shape of mean,
    as torch.randn_like(mean) does."""
    return mean + std * torch.randn(1)


@misconception
def uniform_noise(mean, std):
    """You drew the noise with torch.rand, which is uniform on [0, 1), so that z always lies above its mean. The noise
    must be standard normal: torch.randn, with an n."""
    return mean + std * torch.rand_like(mean)


@misconception
def uniform_noise_around_zero(mean, std):
    """You drew the noise uniformly between −1 and 1, where the reparameterisation of a Gaussian asks for standard
    normal noise: torch.randn_like(mean)."""
    return mean + std * (2 * torch.rand_like(mean) - 1)


@misconception
def positive_noise(mean, std):
    """Your noise is never negative, so that z always lies above its mean by about 0.8 standard deviations. Leave the
    sign of the normal noise as it is drawn."""
    return mean + std * torch.randn_like(mean).abs()


@misconception
def mean_detached(mean, std):
    """You cut mean off from the graph, so that the reconstruction cannot train it. Leave mean and std attached: the
    randomness sits in ε alone, and that is what makes z differentiable."""
    return mean.detach() + std * torch.randn_like(mean)


@misconception
def std_detached(mean, std):
    """You cut std off from the graph, so that the reconstruction cannot train it. Leave mean and std attached: the
    randomness sits in ε alone, and that is what makes z differentiable."""
    return mean + std.detach() * torch.randn_like(mean)


@misconception
def drawn_without_gradients(mean, std):
    """Your draws are cut off from mean and std, as those of Normal(mean, std).sample(), or of code under no_grad, are.
    Use the reparameterisation z = mean + std · ε (or rsample), through which gradients flow."""
    return torch.distributions.Normal(mean, std).sample()


@misconception
def drawn_by_torch_normal(mean, std):
    """You drew z with torch.normal(mean, std), through which every gradient is zero. Draw noise that depends on
    nothing and transform it: z = mean + std · ε with ε = torch.randn_like(mean)."""
    return torch.normal(mean, std)


@misconception(fails=("vae.reparameterize",))
def same_noise_in_each_call(mean, std):
    """Your function draws the same noise in every call, since it sets the seed (or keeps its noise) itself. Set the
    seed once, when the program starts, and draw anew in each call."""
    torch.manual_seed(0)
    return mean + std * torch.randn_like(mean)


@misconception
def std_forgotten(mean, std):
    """You added noise of spread 1 to the mean, whatever std is. Multiply it by the standard deviation:
    z = mean + std · ε."""
    return mean + torch.randn_like(mean)


@misconception
def mean_forgotten(mean, std):
    """You scaled the noise by std and forgot to add the mean: z = mean + std · ε."""
    return std * torch.randn_like(mean)


@misconception
def mean_returned(mean, std):
    """You returned the mean and drew nothing, as in a plain auto-encoder: add noise with standard deviation std, z =
    mean + std · ε."""
    return mean


@misconception
def arguments_exchanged(mean, std):
    """You multiplied the noise by the mean and added std, but it is the other way round: z = mean + std · ε."""
    return std + mean * torch.randn_like(mean)


@misconception
def mean_multiplied_too(mean, std):
    """You multiplied mean and std together by the noise, (mean + std) · ε, perhaps by a misplaced bracket. Only std is
    multiplied: z = mean + std · ε."""
    return (mean + std) * torch.randn_like(mean)
