"""Which Gaussian do a mean and a second number stand for? Encoders give one of many; the noise that they draw tells.

With z = mean + σ(s)·ε and the second outputs s set to a few levels, the spread of z at each level is σ there, whatever
the student calls s. It is compared with the usual parameterisations, and taken as it was measured where it is none of
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from graders.common.statistics import spread_bounds, z_bound

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parameterisation:
    """σ as a function of the second output, the slope of log σ, and the relative `error` of a σ that was measured."""

    name: str
    std: Callable[[Array], Array]
    slope: Callable[[Array], Array] | None = None
    error: float = 0.0

    def spread_term(self, second: Array) -> Array:
        """What σ adds to KL(N(mean, σ²) ‖ N(0, 1)): ½ (σ² − 1) − log σ. Kingma & Welling 2014, appendix B."""
        std = self.std(second)
        term: Array = 0.5 * (std**2 - 1) - np.log(std)
        return term

    def uncertainty(self, second: Array) -> float:
        """How far the batch mean [B, d] of the summed `spread_term` may be off by `error`, to second order."""
        std = self.std(second)
        return float(np.mean(np.sum(np.abs(std**2 - 1) * self.error + (std**2 + 1) * self.error**2, axis=1)))


def _softplus(s: Array) -> Array:
    return np.logaddexp(0, s)


STD: Final = Parameterisation("standard deviation", np.abs, lambda s: 1 / s)
VARIANCE: Final = Parameterisation("variance", np.sqrt, lambda s: 0.5 / s)
LOG_STD: Final = Parameterisation("logarithm of the standard deviation", np.exp, np.ones_like)
LOG_VARIANCE: Final = Parameterisation(
    "logarithm of the variance", lambda s: np.exp(0.5 * s), lambda s: np.full_like(s, 0.5)
)
PARAMETERISATIONS: Final = (
    STD,
    VARIANCE,
    LOG_STD,
    LOG_VARIANCE,
    Parameterisation("standard deviation, after a softplus", _softplus, lambda s: expit(s) / _softplus(s)),
    Parameterisation(
        "variance, after a softplus", lambda s: np.sqrt(_softplus(s)), lambda s: 0.5 * expit(s) / _softplus(s)
    ),
    Parameterisation("square root of the standard deviation", np.square, lambda s: 2 / s),
)


def parameterisation_of(noise: Array, second: Array, alpha: float) -> Parameterisation:
    """The parameterisation that the spread of `noise` = z − mean shows; `second` [...] has few different values.

    Where it is none of `PARAMETERISATIONS`, σ at each level is taken as it was measured. `alpha` is the probability
    that a right one is not recognised.
    """
    levels = np.unique(second)
    groups = [noise[second == level] for level in levels]
    spreads = np.array([np.sqrt(np.mean(group**2)) for group in groups])
    for parameterisation in PARAMETERISATIONS:
        ratios = spreads / parameterisation.std(levels)
        bounds = [spread_bounds(group.size, alpha, len(levels)) for group in groups]
        if all(low <= ratio <= high for ratio, (low, high) in zip(ratios, bounds, strict=True)):
            return parameterisation
    fewest = min(group.size for group in groups)
    # The root mean square of n draws is about N(σ, σ²/2n).
    error = z_bound(alpha, len(levels)) / float(np.sqrt(2 * fewest))
    return Parameterisation("", lambda s: np.maximum(np.interp(s, levels, spreads), 1e-12), error=error)
