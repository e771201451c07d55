"""Mistakes in KLD(mean, log_std), the KL divergence to N(0, I): [..., z_dim] → [...]."""

import math

from graders.misconceptions import defaults, misconception

defaults("part1/utils.py:KLD", fails=("vae.kld",))


@misconception
def log_std_as_log_variance(mean, log_std):
    """You treated log_std as the logarithm of a variance. It is that of a standard deviation, so the variance is
    exp(2·log_std) and its logarithm 2·log_std."""
    return 0.5 * (log_std.exp() + mean**2 - 1 - log_std).sum(dim=-1)


@misconception
def std_for_variance(mean, log_std):
    """You put the standard deviation exp(log_std) where the formula has the variance. Square it: exp(2·log_std)."""
    return (0.5 * (log_std.exp() + mean**2 - 1) - log_std).sum(dim=-1)


@misconception
def log_std_halved(mean, log_std):
    """You put log_std where the formula has the logarithm of the variance, log std² = 2·log_std: so your last term is
    half of what it should be. It is −½ · 2·log_std = −log_std."""
    return 0.5 * ((2 * log_std).exp() + mean**2 - 1 - log_std).sum(dim=-1)


@misconception
def log_std_doubled(mean, log_std):
    """You subtracted the logarithm of the variance without its factor of ½. The last term is
    −½ · 2·log_std = −log_std."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - 2 * log_std).sum(dim=-1)


@misconception
def log_std_as_std(mean, log_std):
    """You treated log_std as a standard deviation, squared it and took the logarithm of that. It is the logarithm
    already: the variance is exp(2·log_std)."""
    return 0.5 * (log_std**2 + mean**2 - 1 - (log_std**2).log()).sum(dim=-1)


@misconception
def log_std_squared(mean, log_std):
    """You put the square of log_std where the formula has the variance. The variance is exp(log_std)², which is
    exp(2·log_std)."""
    return (0.5 * (log_std**2 + mean**2 - 1) - log_std).sum(dim=-1)


@misconception
def exponential_of_square(mean, log_std):
    """You squared before you took the exponential, exp(log_std²). The variance is exp(log_std)², which is
    exp(2·log_std)."""
    return (0.5 * ((log_std**2).exp() + mean**2 - 1) - log_std).sum(dim=-1)


@misconception
def variance_as_logarithm(mean, log_std):
    """You put 2·log_std where the formula has the variance, and forgot the exponential: the variance is
    exp(2·log_std)."""
    return (0.5 * (2 * log_std + mean**2 - 1) - log_std).sum(dim=-1)


@misconception
def negated(mean, log_std):
    """Your divergence has the wrong sign: a KL divergence is never negative. Per dimension it is
    ½ (std² + mean² − 1) − log std."""
    return -(0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).sum(dim=-1)


@misconception
def half_forgotten(mean, log_std):
    """Your divergence is twice what it should be: you forgot the factor of ½ before the sum."""
    return ((2 * log_std).exp() + mean**2 - 1 - 2 * log_std).sum(dim=-1)


@misconception
def half_of_squares_forgotten(mean, log_std):
    """You forgot the factor of ½ before std² + mean² − 1. Only log std stands without it:
    ½ (std² + mean² − 1) − log std."""
    return ((2 * log_std).exp() + mean**2 - 1 - log_std).sum(dim=-1)


@misconception
def mean_not_squared(mean, log_std):
    """You forgot to square the mean: the divergence grows with mean², for means on either side of 0."""
    return (0.5 * ((2 * log_std).exp() + mean - 1) - log_std).sum(dim=-1)


@misconception
def mean_squared_subtracted(mean, log_std):
    """You subtracted mean² where it should be added, a slip of signs when the bracket is turned round: the divergence
    is ½ (std² + mean² − 1) − log std, or −½ (1 + 2·log std − mean² − std²)."""
    return (0.5 * ((2 * log_std).exp() - mean**2 - 1) - log_std).sum(dim=-1)


@misconception
def log_std_added(mean, log_std):
    """You added log_std where it should be subtracted: the divergence must grow when the standard deviation goes to
    0. Per dimension it is ½ (std² + mean² − 1) − log std."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) + log_std).sum(dim=-1)


@misconception
def log_std_forgotten(mean, log_std):
    """You left out the logarithm of the standard deviation, so that nothing keeps it from going to 0. Per dimension
    the divergence is ½ (std² + mean² − 1) − log std."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1)).sum(dim=-1)


@misconception
def one_forgotten(mean, log_std):
    """You left out the −1 of each dimension, so that the divergence of the prior from itself is not 0. Per dimension
    it is ½ (std² + mean² − 1) − log std."""
    return (0.5 * ((2 * log_std).exp() + mean**2) - log_std).sum(dim=-1)


@misconception
def one_for_all_dimensions(mean, log_std):
    """You subtracted 1 after the sum, once for all dimensions together. Every dimension has a −1 of its own: put it
    inside the sum."""
    return 0.5 * (((2 * log_std).exp() + mean**2 - 2 * log_std).sum(dim=-1) - 1)


@misconception
def reversed_direction(mean, log_std):
    """You took the divergence the wrong way round, KL(N(0, I) ‖ N(mean, std²)). The bound has that of the posterior
    from the prior, KL(N(mean, std²) ‖ N(0, I))."""
    return (0.5 * ((1 + mean**2) / (2 * log_std).exp() - 1) + log_std).sum(dim=-1)


@misconception
def in_bits(mean, log_std):
    """Your divergence is in bits: you used logarithms to the base 2, or converted it here. It should be in nats, with
    natural logarithms; elbo_to_bpd does the conversion."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).sum(dim=-1) * math.log2(math.e)


@misconception
def averaged_over_latents(mean, log_std):
    """You averaged over the latents. The divergence of independent dimensions is the sum of theirs: use
    .sum(dim=-1)."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).mean(dim=-1)


@misconception
def averaged_over_everything(mean, log_std):
    """You averaged over the batch and the latents, and gave one number. Sum over the last dimension only, so that each
    image keeps a divergence of its own: .sum(dim=-1)."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).mean()


@misconception
def summed_over_everything(mean, log_std):
    """You summed over the batch as well as over the latents, and gave one number. Sum over the last dimension only, so
    that each image keeps a divergence of its own: .sum(dim=-1)."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).sum()


@misconception(fails=("vae.kld",))
def averaged_over_batch(mean, log_std):
    """You averaged the divergences of the batch, and gave one number. Leave that to the caller, and return the sum over
    the last dimension: one divergence for each image."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).sum(dim=-1).mean()


@misconception
def summed_over_first_dimension(mean, log_std):
    """You summed over the first dimension, which is the batch. Sum over the last one, the latents: .sum(dim=-1)."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).sum(dim=0)


@misconception
def not_summed(mean, log_std):
    """You returned the divergence of each latent on its own. That of the whole code is their sum: .sum(dim=-1)."""
    return 0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std


@misconception(fails=("vae.kld_of_any_rank",))
def summed_over_the_second_dimension(mean, log_std):
    """You sum over dimension 1, which is the last one only for tensors [B, z_dim]: sum(dim=-1) is right for tensors of
    any rank."""
    return (0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).sum(dim=1)
