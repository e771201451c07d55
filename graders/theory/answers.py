"""The right answers of written questions."""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array, Floats

SMALL, LARGE = 0.1, 5.0  # nats: the largest "very small" and the smallest "very large" divergence


def gaussian_kl(mu_q: float, mu_p: float, var_q: float, var_p: float) -> float:
    """Return KL(N(mu_q, var_q) ‖ N(mu_p, var_p)) in nats; both variances are positive. Equation 11 of the practical.

    ½ (log var_p − log var_q) + (var_q + (mu_q − mu_p)²) / (2 var_p) − ½.
    """
    return float(0.5 * (np.log(var_p) - np.log(var_q)) + (var_q + (mu_q - mu_p) ** 2) / (2 * var_p) - 0.5)


def cross_entropy(x: Floats, logits: Floats) -> Array:
    """Return −log Bernoulli(x; σ(logits)) in nats, [B], for x and logits [B, M]: Σ log(1 + eˡ) − x·l.

    Kingma & Welling 2014, appendix C.1.
    """
    return np.asarray((np.logaddexp(0, logits.astype(np.float64)) - x * logits).sum(axis=-1), dtype=np.float64)


def standard_kl(mean: Array, log_std: Array) -> Array:
    """Return KL(N(mean, exp(2·log_std)) ‖ N(0, I)) in nats, [B], for mean and log_std [B, D].

    Kingma & Welling 2014, appendix B; equation 12 of the practical.
    """
    terms = 0.5 * (np.exp(2 * log_std) + mean**2 - 1 - 2 * log_std)
    return np.asarray(terms.sum(axis=-1), dtype=np.float64)
