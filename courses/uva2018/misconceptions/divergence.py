"""The divergence to N(0, I): what is written in place of divergence(mean, std), [B, z_dim] both → [B]."""

from graders.misconceptions import defaults, misconception, original

defaults("a3_vae_template.py:divergence", fails=("vae2018.divergence", "vae2018.bound"))


@misconception
def deviation_as_log_deviation(mean, std):
    """Your noise takes the encoder's second output for a standard deviation, and your divergence for its logarithm.
    With a standard deviation it is ½ (σ² + mean² − 1) − log σ."""
    return (0.5 * ((2 * std).exp() + mean**2 - 1) - std).sum(dim=1)


@misconception
def deviation_as_variance(mean, std):
    """Your noise takes the encoder's second output for a standard deviation, and your divergence for a variance. Square
    it: ½ (σ² + mean² − 1) − log σ."""
    return 0.5 * (std + mean**2 - 1 - std.log()).sum(dim=1)


@misconception
def log_deviation_for_log_variance(mean, std):
    """The logarithm in your divergence is that of the standard deviation, but −½ (1 + log σ² − mean² − σ²) needs that
    of the variance: log σ² = 2 log σ."""
    return -0.5 * (1 + std.log() - mean**2 - std**2).sum(dim=1)


@misconception
def without_the_half(mean, std):
    """Your divergence lacks its ½, so that it is twice as large: ½ (σ² + mean² − 1) − log σ in each dimension."""
    return 2 * original(mean, std)


@misconception
def mean_over_latents(mean, std):
    """Your divergence is the mean over the dimensions of z. Independent dimensions add up: take their sum."""
    return original(mean, std) / mean.shape[1]


@misconception
def divided_by_pixels(mean, std):
    """Your divergence is divided by the number of pixels, and the reconstruction is a sum over them: so the divergence
    hardly counts, and z is not kept near the prior. Sum both, or divide both."""
    return original(mean, std) / 784


@misconception
def without_the_mean(mean, std):
    """The means do not appear in your divergence, so that nothing keeps them near 0. It is ½ (σ² + mean² − 1) − log
    σ."""
    return (0.5 * (std**2 - 1) - std.log()).sum(dim=1)


@misconception
def without_the_logarithm(mean, std):
    """The logarithm of σ does not appear in your divergence, so that σ = 0 costs nothing. It is ½ (σ² + mean² − 1) −
    log σ."""
    return 0.5 * (std**2 + mean**2 - 1).sum(dim=1)


@misconception
def logarithm_added(mean, std):
    """The logarithm of σ has the wrong sign in your divergence. It is ½ (σ² + mean² − 1) − log σ, which grows when σ
    comes near 0."""
    return (0.5 * (std**2 + mean**2 - 1) + std.log()).sum(dim=1)


@misconception(fails=("vae2018.bound",))
def without_the_one(mean, std):
    """Your divergence lacks its −1, so that it is not 0 for the prior itself, and the bound is off by ½ in every
    dimension of z."""
    return (0.5 * (std**2 + mean**2) - std.log()).sum(dim=1)


@misconception(fails=("vae2018.bound",))
def of_the_wrong_sign(mean, std):
    """You subtract the divergence from the reconstruction's loss, which rewards posteriors far from the prior. Minimise
    reconstruction + divergence: the ELBO is log p(x|z) − KL, and the loss is −ELBO."""
    return -original(mean, std)


@misconception
def left_out(mean, std):
    """The encoder's outputs affect your bound only through the reconstruction: the divergence is missing, or it is a
    constant."""
    return 0 * original(mean, std)


@misconception(fails=("vae2018.gradient",))
def detached(mean, std):
    """Your divergence is cut off from the encoder (detached, or turned into a plain number), so that it is reported and
    never made smaller."""
    return original(mean.detach(), std.detach())
