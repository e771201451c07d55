"""Recognises from the noise of z which parameterisation an encoder uses for the spread σ of its Gaussian.

Encoders give a mean and a second number s, which may be σ, σ², log σ, log σ² or something else. With z = mean + σ(s)·ε
and s set to a few known levels, the spread of z at each level is σ there. It is compared with the usual
parameterisations, then with multiples of them; if none of them fits, the measured spreads are used instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from gengrade.arrays import Array
from graders.common.statistics import spread_bounds, z_bound

TINY: Final = 1e-12  # a factor below this means that there is no noise
FACTORS: Final = {  # what factors on σ look like in the usual formulas
    2**0.5: "twice the variance",
    0.5**0.5: "half of the variance",
    2.0: "four times the variance",
    0.5: "a quarter of the variance",
}


@dataclass(frozen=True, slots=True)
class Parameterisation:
    """How σ follows from the encoder's second output s.

    `std` is σ(s), `slope` the derivative of log σ(s), or None if it is unknown, and `error` the relative error of σ if
    σ was measured. `signed` says whether s may be any number.
    """

    name: str
    std: Callable[[Array], Array]
    slope: Callable[[Array], Array] | None = None
    error: float = 0.0
    signed: bool = False

    def times(self, factor: float, error: float) -> Parameterisation:
        """Return the parameterisation of `factor` times this σ, where it was measured with a relative `error`."""
        usual = next((words for value, words in FACTORS.items() if abs(factor / value - 1) <= error), "")
        name = f"{self.name}, with {factor:.2f} times the deviation{usual and f' ({usual})'}"
        return Parameterisation(name, lambda s: factor * self.std(s), self.slope, error, self.signed)

    def spread_term(self, second: Array) -> Array:
        """Return the part of KL(N(mean, σ²) ‖ N(0, 1)) that depends on σ: ½ (σ² − 1) − log σ, elementwise in nats.

        Kingma & Welling 2014, appendix B.
        """
        std = self.std(second)
        term: Array = 0.5 * (std**2 - 1) - np.log(std)
        return term

    def uncertainty(self, second: Array) -> float:
        """Return a bound on the error in nats that a wrong σ causes in the batch mean of a summed `spread_term` [B, d].

        σ is off by at most the relative `error`; the bound is of second order in it.
        """
        std = self.std(second)
        return float(np.mean(np.sum(np.abs(std**2 - 1) * self.error + (std**2 + 1) * self.error**2, axis=1)))


def _softplus(s: Array) -> Array:
    return np.logaddexp(0, s)


STD: Final = Parameterisation("standard deviation", np.abs, lambda s: 1 / s)
VARIANCE: Final = Parameterisation("variance", np.sqrt, lambda s: 0.5 / s)
LOG_STD: Final = Parameterisation("logarithm of the standard deviation", np.exp, np.ones_like, signed=True)
LOG_VARIANCE: Final = Parameterisation(
    "logarithm of the variance", lambda s: np.exp(0.5 * s), lambda s: np.full_like(s, 0.5), signed=True
)
PARAMETERISATIONS: Final = (
    STD,
    VARIANCE,
    LOG_STD,
    LOG_VARIANCE,
    Parameterisation("standard deviation, after a softplus", _softplus, lambda s: expit(s) / _softplus(s), signed=True),
    Parameterisation(
        "variance, after a softplus",
        lambda s: np.sqrt(_softplus(s)),
        lambda s: 0.5 * expit(s) / _softplus(s),
        signed=True,
    ),
    Parameterisation("square root of the standard deviation", np.square, lambda s: 2 / s),
)


def parameterisation_of(noise: Array, second: Array, alpha: float) -> Parameterisation:
    """Return the parameterisation that fits the spread of `noise` = z − mean at each level of the second output.

    `noise` and `second` have the same shape, and `second` takes few different values. If none of `PARAMETERISATIONS`
    fits, it is a multiple of one; and if none of these fits, the result has no name, and its σ is the measured one at
    each level. `alpha` is the probability that a right one is not recognised.
    """
    levels = np.unique(second)
    groups = [noise[second == level] for level in levels]
    spreads = np.array([np.sqrt(np.mean(group**2)) for group in groups])
    for parameterisation in PARAMETERISATIONS:
        ratios = spreads / parameterisation.std(levels)
        bounds = [spread_bounds(group.size, alpha, len(levels)) for group in groups]
        if all(low <= ratio <= high for ratio, (low, high) in zip(ratios, bounds, strict=True)):
            return parameterisation
    # Of the multiples that fit, the nearest is taken, since those of an exponential and of a softplus may look alike.
    error = z_bound(alpha, 1) / float(np.sqrt(2 * noise.size))
    sizes = np.array([group.size for group in groups], dtype=np.float64)
    limits = np.array([spread_bounds(group.size, alpha, len(levels)) for group in groups])
    multiples: list[tuple[float, Parameterisation]] = []
    for parameterisation in PARAMETERISATIONS:
        factor = max(float(np.sqrt(np.mean((noise / parameterisation.std(second)) ** 2))), TINY)
        ratios = spreads / (factor * parameterisation.std(levels))
        if np.all((ratios >= limits[:, 0] - error) & (ratios <= limits[:, 1] + error)):
            away = float(np.sum(sizes * (ratios - 1) ** 2))
            multiples.append((away, parameterisation.times(factor, error)))
    if multiples:
        return min(multiples, key=lambda each: each[0])[1]
    fewest = min(group.size for group in groups)
    # The root mean square of n draws is about N(σ, σ²/2n).
    error = z_bound(alpha, len(levels)) / float(np.sqrt(2 * fewest))
    return Parameterisation("", lambda s: np.maximum(np.interp(s, levels, spreads), 1e-12), error=error)


MOST_ZEROS: Final = 0.1  # share of a spread's values that may be exactly 0
