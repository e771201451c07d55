"""Mistakes in the written answers that a machine can check."""

import math

import torch
import torch.nn.functional as F

from graders.misconceptions import defaults, misconception, original

# 1.3: two pairs of Gaussians (mu_q, mu_p, var_q, var_p), the means of which are 0 apart, and then 100


defaults("answers.py:gaussians", fails=("theory.kl_examples",))


@misconception
def examples_exchanged(apart):
    """You exchanged the examples: kl_small should be the pair with the small divergence, kl_large the one with the
    large divergence."""
    return original(100.0 - apart)


@misconception
def q_and_p_exchanged(apart):
    """Your example of a large divergence has a large KL(p‖q) instead of KL(q‖p): the divergence is not symmetric, and
    KL(q‖p) is large if p is small where q is large, for example if var_p is much smaller than var_q."""
    return 0.0, 0.0, 1.0, 1.0 + apart


@misconception
def variances_beside_their_means(apart):
    """You gave each Gaussian's mean and variance, one after the other: the order is mu_q, mu_p, var_q, var_p."""
    return 0.0, 1.0, apart, 1.0


@misconception
def log_variances(apart):
    """You gave the logarithms of the variances: the numbers are mu_q, mu_p, var_q, var_p, where
    a variance is positive."""
    return 0.0, apart, 0.0, 0.0


@misconception
def variance_of_zero(apart):
    """Your example of a large divergence has a variance of zero or less: that is no Gaussian, so make the variance of p
    small but positive."""
    return 0.0, 0.0, 1.0, 1.0 - apart / 100


# 1.7: the terms of the loss


defaults("answers.py:reconstruction_loss", fails=("theory.loss_terms",))


@misconception
def pixels_averaged(x, logits):
    """You averaged over the pixels: they are independent given z, so log p(x|z) is the sum of their logarithms."""
    return original(x, logits) / x.shape[-1]


@misconception
def pixels_not_summed(x, logits):
    """You return a term for each pixel: they are independent given z, so log p(x|z) is the sum over an image's
    pixels."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


@misconception
def log_likelihood_for_the_loss(x, logits):
    """You return log p(x|z): the loss is its negative."""
    return -original(x, logits)


@misconception
def squared_error_of_logits(x, logits):
    """You took the squared error between pixels and logits: the pixels are bits, with probability sigmoid(logits), so
    the term is their cross-entropy."""
    return ((x - logits) ** 2).sum(dim=-1)


@misconception
def squared_error_of_probabilities(x, logits):
    """You took the squared error between pixels and their probabilities, which is the likelihood of Gaussian pixels:
    these are bits, so the term is their cross-entropy."""
    return ((x - logits.sigmoid()) ** 2).sum(dim=-1)


@misconception
def sigmoid_twice(x, logits):
    """You applied the sigmoid twice: binary_cross_entropy_with_logits has one in it, so give it the logits as they
    are."""
    return original(x, logits.sigmoid())


@misconception(raises=True)
def logits_for_probabilities(x, logits):
    """You gave the logits to binary_cross_entropy, which takes probabilities between 0 and 1: apply the sigmoid first,
    or use binary_cross_entropy_with_logits."""
    return F.binary_cross_entropy(logits, x, reduction="none").sum(dim=-1)


@misconception
def white_pixels_only(x, logits):
    """You left out the pixels that are 0: a pixel's term is x·log p + (1 − x)·log(1 − p)."""
    return -(x * F.logsigmoid(logits)).sum(dim=-1)


@misconception
def x_and_logits_exchanged(x, logits):
    """You exchanged x and the logits: torch's functions take the prediction first and the target second."""
    return original(logits, x)


@misconception
def cross_entropy_in_bits(x, logits):
    """You took the logarithm to base 2: the loss is in nats, as the other term is."""
    return original(x, logits) * math.log2(math.e)


defaults("answers.py:regularization_loss", fails=("theory.loss_terms",))


@misconception
def log_std_as_log_variance(mean, log_std):
    """You treated log_std as a log variance: the variance is exp(2·log_std), and its logarithm 2·log_std."""
    return original(mean, log_std / 2)


@misconception
def std_for_variance(mean, log_std):
    """You put the standard deviation exp(log_std) where the variance exp(2·log_std) belongs."""
    return 0.5 * (log_std.exp() + mean**2 - 1 - 2 * log_std).sum(dim=-1)


@misconception
def log_std_not_doubled(mean, log_std):
    """You put log_std where the logarithm of the variance belongs, which is 2·log_std."""
    return 0.5 * ((2 * log_std).exp() + mean**2 - 1 - log_std).sum(dim=-1)


@misconception
def divergence_not_halved(mean, log_std):
    """You forgot the factor ½ in front of the divergence."""
    return 2 * original(mean, log_std)


@misconception
def negative_divergence(mean, log_std):
    """Your divergence has the wrong sign: a KL divergence is never negative, and the loss adds it."""
    return -original(mean, log_std)


@misconception
def mean_not_squared(mean, log_std):
    """You forgot to square the mean: the divergence has mean²."""
    return 0.5 * ((2 * log_std).exp() + mean - 1 - 2 * log_std).sum(dim=-1)


@misconception
def one_forgotten(mean, log_std):
    """You forgot −1 for each latent dimension: without it, the divergence of the prior to itself is not zero."""
    return 0.5 * ((2 * log_std).exp() + mean**2 - 2 * log_std).sum(dim=-1)


@misconception
def latents_averaged(mean, log_std):
    """You averaged over the latent dimensions: they are independent, so their divergences are summed."""
    return original(mean, log_std) / mean.shape[-1]


@misconception
def latents_not_summed(mean, log_std):
    """You return a divergence for each latent dimension: they are independent, so the image's divergence is their
    sum."""
    return 0.5 * ((2 * log_std).exp() + mean**2 - 1 - 2 * log_std)


# 2.1b: the value of the game


defaults("answers.py:gan_value", fails=("theory.gan_value",))


@misconception
def value_without_its_sign():
    """Your value of the game has the wrong sign: V is a sum of logarithms of probabilities, so it is negative."""
    return math.log(4)


@misconception
def value_in_bits():
    """You took the logarithm to base 2: with the natural one, as in the objective, V = −log 4 ≈ −1.39."""
    return -2.0


@misconception
def value_with_common_logarithm():
    """You took the logarithm to base 10: with the natural one, as in the objective, V = −log 4 ≈ −1.39."""
    return math.log10(0.25)


@misconception
def value_of_one_term():
    """You counted one of the two terms: V has one for real and one for generated data, each log ½ at the optimum."""
    return -math.log(2)


@misconception
def value_of_zero():
    """You gave 0, as if the discriminator were always right: at the optimum it can tell nothing and says ½ everywhere,
    so V = log ½ + log ½."""
    return 0.0


@misconception
def output_of_the_discriminator():
    """You gave the discriminator's output ½: the question is for the value V of the game, log ½ + log ½."""
    return 0.5


# 3.1: the density of x, where z = x³ is uniform on [a, b]


defaults("answers.py:cubic_density", fails=("theory.cubic_density",))


@misconception
def no_jacobian(x, a, b):
    """You forgot the Jacobian: p(x) is the uniform density 1/(b − a) times |dz/dx| = 3x²."""
    return torch.where((a <= x**3) & (x**3 <= b), 1 / (b - a), 0.0)


@misconception
def jacobian_of_the_inverse(x, a, b):
    """You multiplied by the derivative of the cube root: p(x) takes that of z = x³ with respect to x, |dz/dx| = 3x²."""
    return torch.where((a <= x**3) & (x**3 <= b), x.abs() ** (-2 / 3) / 3 / (b - a), 0.0)


@misconception
def divided_by_the_jacobian(x, a, b):
    """You divided by |dz/dx| = 3x² where you should multiply: where z grows fast with x, a stretch of x holds more of
    z's mass."""
    return torch.where((a <= x**3) & (x**3 <= b), 1 / (3 * x**2) / (b - a), 0.0)


@misconception
def factor_of_three_forgotten(x, a, b):
    """You forgot the factor 3 of the derivative: dz/dx = 3x²."""
    return original(x, a, b) / 3


@misconception
def jacobian_at_z(x, a, b):
    """You evaluated the derivative at z = x³: |dz/dx| = 3x² is a function of x itself."""
    return original(x, a, b) * x**4


@misconception
def not_normalised(x, a, b):
    """You forgot the uniform density's height: it is 1/(b − a), which the Jacobian multiplies."""
    return original(x, a, b) * (b - a)


@misconception
def normalised_by_the_length_of_x(x, a, b):
    """You divided by the length of x's interval: the uniform density is that of z, with height 1/(b − a)."""
    low, high = (math.copysign(abs(end) ** (1 / 3), end) for end in (a, b))
    return original(x, a, b) * (b - a) / (high - low)


@misconception
def support_of_z(x, a, b):
    """You took z's interval [a, b] for x's: x runs from the cube root of a to the cube root of b."""
    return torch.where((a <= x) & (x <= b), 3 * x**2 / (b - a), 0.0)


@misconception
def support_cubed(x, a, b):
    """You let x run from a³ to b³: x is the cube root of z, so it runs from the cube root of a to that of b."""
    return torch.where((a**3 <= x) & (x <= b**3), 3 * x**2 / (b - a), 0.0)


@misconception
def no_support(x, a, b):
    """You left out the support: the density is 0 where x³ lies outside of [a, b]."""
    return 3 * x**2 / (b - a)


@misconception
def positive_x_only(x, a, b):
    """You left out negative x: the cube is one to one on the whole line, so x is negative where z is."""
    return original(x, a, b) * (x > 0)


@misconception
def cube_root_not_a_number(x, a, b):
    """Your cube root of a negative number is NaN, with which every comparison is false, so that the density is zero:
    numpy and torch have no fractional power of a negative number. Use np.cbrt, or compare x³ with a and b."""
    return original(x, a, b) * float(a > 0 and b > 0)


@misconception
def complex_cube_root(x, a, b):
    """Your cube root of a negative number is complex, which Python's ** (1/3) makes of it: the real one is
    −(−a)^(1/3). Or avoid roots, and compare x³ with a and b."""
    low, high = a ** (1 / 3), b ** (1 / 3)
    return torch.where((low <= x) & (x <= high), 3 * x**2 / (b - a), 0.0)
