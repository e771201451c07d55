"""Densities in the plane, and a score for a claimed density that a false claim cannot improve.

A model claims log q(x) for two kinds of points in one shuffled batch: new draws from the target p, and integration
points. The integration points give q's mass. If that is at most 1, Gibbs' inequality says that q cannot describe draws
from p in fewer bits than p's entropy. `judge` refuses a claim that violates either limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gengrade.arrays import Floats, Mask
from gengrade.grading import Rng
from graders.common.statistics import ALPHA, Gain, Mass
from graders.common.units import BITS

LOG_LIMIT = 300.0  # log-densities are clipped to ±300, so that the square of a density is still finite
FLOOR_SHARE = 1e-3  # weight of the uniform density in the mixture that is scored
ROUNDING = 1e-3  # tolerance on a mass, for single precision
WIDEST = 0.1  # largest tolerance on a mass, so that a wild claim cannot widen its own; a density's error is far smaller
SHARE = ALPHA / 2  # false-fail probability of each of the two limits of `judge`


def log_gaussian(x: Floats, mu: Floats, sigma: Floats) -> Floats:
    """Return log N(x; mu, diag(sigma²)) in nats, [...], for x [..., d] and standard deviations sigma.

    Bishop 2006, equation 2.43.
    """
    terms = -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    return np.asarray(terms.sum(axis=-1), dtype=np.float64)


@dataclass(frozen=True)
class Mixture:
    """The density ½ N(mus[0], diag(sigmas[0]²)) + ½ N(mus[1], diag(sigmas[1]²)); both arrays are [2, d]."""

    mus: Floats
    sigmas: Floats

    def log_prob(self, x: Floats) -> Floats:
        """Return the log-densities [...] of x [..., d] in nats."""
        first, second = (log_gaussian(x, mu, sigma) for mu, sigma in zip(self.mus, self.sigmas, strict=True))
        return np.asarray(np.logaddexp(first, second) - np.log(2), dtype=np.float64)

    def sample(self, rng: Rng, n: int) -> Floats:
        """Return independent draws [n, d]."""
        mode = rng.bits(n).astype(int)
        return np.asarray(self.mus[mode] + self.sigmas[mode] * rng.normal(n, self.mus.shape[1]), dtype=np.float64)


@dataclass(frozen=True)
class Square:
    """The square of side 2·limit about the origin, divided into cells × cells for stratified random integration."""

    limit: float
    cells: int

    @property
    def area(self) -> float:
        """The area of the square."""
        return (2 * self.limit) ** 2

    def holds(self, points: Floats) -> Mask:
        """Return which of the points [N, 2] lie inside the square, [N]."""
        return np.asarray(np.abs(points).max(axis=1) < self.limit, dtype=np.bool_)

    @cached_property
    def corners(self) -> Floats:
        """The lower corners of the cells, [cells², 2]; the first coordinate runs fastest."""
        axis = np.linspace(-self.limit, self.limit, self.cells, endpoint=False)
        second, first = np.meshgrid(axis, axis, indexing="ij")
        return np.stack([first.ravel(), second.ravel()], axis=1)

    @property
    def centres(self) -> Floats:
        """The centres of the cells, [cells², 2]."""
        return self.corners + self.limit / self.cells

    def draw(self, rng: Rng) -> Floats:
        """Draw two uniform points in each cell: all the first ones, then all the second ones, [2·cells², 2].

        Random points, since a claim could be made to fit a known lattice; two, since their difference gives the error.
        """
        side = 2 * self.limit / self.cells
        corners = np.concatenate([self.corners, self.corners])
        return np.asarray(corners + side * rng.uniform(0, 1, *corners.shape))

    def integral(self, values: Floats) -> tuple[float, float]:
        """Estimate the integral of a function over the square, and the standard error of the estimate.

        Stratified sampling: the mean of the cells' means, with variance Σ (f₁ − f₂)²/4 / cells⁴, times the area.

        Args:
            values: [2·cells²], the function at the points of `draw`, in their order.
        """
        first, second = np.split(values, 2)
        error = self.area / first.size * float(np.sqrt(np.sum((first - second) ** 2) / 4))
        return self.area * float(values.mean()), error

    def picture(self, values: Floats) -> Floats:
        """Return the mean value in each cell, [cells, cells]; the row is the second coordinate."""
        return np.asarray(values.reshape(2, self.cells, self.cells).mean(axis=0))


@dataclass(frozen=True)
class Plane:
    """The whole plane, divided into cells × cells of equal probability under independent Cauchy draws.

    A point is x = scale·tan(πu), with u in a square of side 1, so the integral covers the tails of any density.
    """

    cells: int
    scale: float = 1.0

    @cached_property
    def _square(self) -> Square:
        return Square(0.5, self.cells)

    def draw(self, rng: Rng) -> Floats:
        """Draw two random points in each cell: all the first ones, then all the second ones, [2·cells², 2]."""
        return np.asarray(self.scale * np.tan(np.pi * self._square.draw(rng)))

    def integral(self, points: Floats, values: Floats) -> tuple[float, float]:
        """Estimate the integral of a function over the plane, and the standard error of the estimate.

        Args:
            points: [2·cells², 2], as `draw` gave them.
            values: [2·cells²], the function at these points.
        """
        slopes = np.pi * self.scale * (1 + (points / self.scale) ** 2)  # dx/du
        return self._square.integral(values * slopes.prod(axis=1))


@dataclass(frozen=True)
class Truth:
    """A target density, restricted to a square and normalised there."""

    target: Mixture
    square: Square

    @cached_property
    def log_mass(self) -> float:
        """The logarithm of the target's mass within the square (midpoint rule)."""
        return float(np.log(np.exp(self._log_prob).mean() * self.square.area))

    @cached_property
    def entropy(self) -> float:
        """The target's entropy within the square, in nats (midpoint rule): the least average code length of a draw."""
        conditional = self._log_prob - self.log_mass
        return -float(np.mean(np.exp(conditional) * conditional) * self.square.area)

    def log_prob(self, x: Floats) -> Floats:
        """Return the log-densities [N] in nats of points [N, 2] inside the square, given that they are inside."""
        return self.target.log_prob(x) - self.log_mass

    def sample(self, rng: Rng, n: int) -> Floats:
        """Draws n points from the target, and returns those inside the square, [about n, 2]."""
        points = self.target.sample(rng, n)
        return points[self.square.holds(points)]

    @cached_property
    def _log_prob(self) -> Floats:
        return self.target.log_prob(self.square.centres)


@dataclass(frozen=True)
class Verdict:
    """The score of a claimed density.

    Attributes:
        bits: bits per dimension on draws from the target.
        mass: the claimed density's integral over the square.
        problem: why the claim cannot be a density ("too much mass" or "impossible"), or None.
    """

    bits: float
    mass: float
    problem: str | None


def density_of(log_density: Floats) -> Floats:
    """Return exp(log_density), clipped to e^±300; 0 where a log-density is NaN or infinite."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(log_density), np.exp(np.clip(log_density, -LOG_LIMIT, LOG_LIMIT)), 0.0)


def judge(truth: Truth, points: Floats, at_points: Floats, at_cells: Floats) -> Verdict:
    """Score a claimed density q; one that is a density is refused with probability at most `ALPHA`.

    The score is that of (1 − ε)·q + ε·uniform with ε = 0.001, which is a density if q is: this costs q at most 0.0007
    bits, and limits the cost of a draw at which q is zero or overflows. The bits per dimension are entropy +
    mean(log p − log q), whose expectation is that of −mean(log q) but whose variance is far smaller.

    Args:
        truth: the target p.
        points: [N, 2], draws from the target.
        at_points: [N], claimed log-densities there, in nats.
        at_cells: [2·cells²], claimed log-densities at the points of `truth.square.draw`.
    """
    square = truth.square
    mass, error = square.integral(density_of(at_cells))
    scored = (1 - FLOOR_SHARE) * density_of(at_points) + FLOOR_SHARE / square.area
    gain = float(np.mean(np.log(scored) - truth.log_prob(points)))  # nats per draw; expectation ≤ 0 for a density
    bits = (truth.entropy - gain) * BITS / points.shape[1]
    problem = None
    if mass > 1 + min(Mass(square.cells**2, error, SHARE).tolerance(error), WIDEST) + ROUNDING:
        problem = "too much mass"
    elif gain > Gain(len(points), SHARE).bound + np.log1p(ROUNDING):
        problem = "impossible"
    return Verdict(bits, mass, problem)


FAR = 20.0  # a point that is mapped farther than this cannot be mapped back in float32


def is_near(image: Floats) -> Mask:
    """Return for each mapped point [n, d] whether it can be mapped back in float32: no coordinate exceeds `FAR`.

    Scales multiply from layer to layer, so that a point far out has lost the digits that say where it came from.
    """
    return np.asarray(np.abs(image).max(axis=1) <= FAR)
