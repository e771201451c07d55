"""Misconceptions about the KL divergence, each a wrong kl_divergence(mean, log_std): [..., d] and [..., d] → [...]."""

from graders.misconceptions import defaults, misconception


defaults("part1/solution.py:kl_divergence", fails=("vae.kld",))


@misconception
def log_std_as_log_variance(mean, log_std):
    """You treated log_std as the logarithm of a variance. It is that of a standard deviation, so the variance is
    exp(2·log_std) and its logarithm 2·log_std."""
    return 0.5 * (log_std.exp() + mean**2 - 1 - log_std).sum(dim=-1)
