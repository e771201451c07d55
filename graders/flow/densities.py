"""Densities in the plane, and an honest score for a claimed one.

The score of `judge` is honest by construction. A density q claims log q(x) at points of two kinds in one shuffled
batch: fresh draws from the target p, and integration points. The latter give q's mass; when that is at most 1, Gibbs'
inequality says that no q is shorter, in bits, than the entropy of p. A claim beyond either limit is no density.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import Rng
from graders.common.statistics import ALPHA, Gain, Mass

Array = NDArray[np.floating]

BITS = float(np.log2(np.e))
LOG_LIMIT = 300.0  # a claim above e³⁰⁰ is as wrong as it gets, and its square still a number
FLOOR_SHARE = 1e-3  # of the uniform density in what is scored
ROUNDING = 1e-3  # of a mass, for single precision
WIDEST = 0.1  # of a mass's tolerances: a density's error is far below, one without bounds must not excuse itself
SHARE = ALPHA / 2  # of each of the two limits of `judge`


def log_gaussian(x: Array, mu: Array, sigma: Array) -> Array:
    """log N(x; mu, diag(sigma²)) of x [..., d], summed over the last dimension; returns [...]."""
    terms = -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    return np.asarray(terms.sum(axis=-1), dtype=np.float64)


@dataclass(frozen=True)
class Mixture:
    """½ N(mus[0], diag(sigmas[0]²)) + ½ N(mus[1], diag(sigmas[1]²)); both arrays are [2, d]."""

    mus: Array
    sigmas: Array

    def log_prob(self, x: Array) -> Array:
        """Log-densities [...] of x [..., d]."""
        first, second = (log_gaussian(x, mu, sigma) for mu, sigma in zip(self.mus, self.sigmas, strict=True))
        return np.asarray(np.logaddexp(first, second) - np.log(2), dtype=np.float64)

    def sample(self, rng: Rng, n: int) -> Array:
        """Independent draws, [n, d]."""
        mode = rng.bits(n).astype(int)
        return np.asarray(self.mus[mode] + self.sigmas[mode] * rng.normal(n, self.mus.shape[1]), dtype=np.float64)


@dataclass(frozen=True)
class Square:
    """The square of side 2·limit about the origin, cut into cells × cells for stratified random integration."""

    limit: float
    cells: int

    @property
    def area(self) -> float:
        return (2 * self.limit) ** 2

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which of the points [N, 2] lie inside."""
        return np.asarray(np.abs(points).max(axis=1) < self.limit, dtype=np.bool_)

    @cached_property
    def corners(self) -> Array:
        """The lower corners of the cells, [cells², 2]; the first coordinate runs fastest."""
        axis = np.linspace(-self.limit, self.limit, self.cells, endpoint=False)
        second, first = np.meshgrid(axis, axis, indexing="ij")
        return np.stack([first.ravel(), second.ravel()], axis=1)

    @property
    def centres(self) -> Array:
        """The middles of the cells, [cells², 2]."""
        return self.corners + self.limit / self.cells

    def draw(self, rng: Rng) -> Array:
        """Two uniformly random points in each cell, [2·cells², 2]: all the first ones, then all the second ones.

        Never a lattice, which a claim could avoid; two, so that they tell their own error.
        """
        side = 2 * self.limit / self.cells
        corners = np.concatenate([self.corners, self.corners])
        return np.asarray(corners + side * rng.uniform(0, 1, *corners.shape))

    def integral(self, values: Array) -> tuple[float, float]:
        """The integral of a function from its values [2·cells²] at `draw`'s points, and the standard error of it.

        Stratified sampling: the mean of the cells' means, whose variance is Σ (f₁ − f₂)²/4 over their number squared.
        """
        first, second = np.split(values, 2)
        error = self.area / first.size * float(np.sqrt(np.sum((first - second) ** 2) / 4))
        return self.area * float(values.mean()), error

    def picture(self, values: Array) -> Array:
        """The cells' mean values, [cells, cells]: rows run along the second coordinate."""
        return np.asarray(values.reshape(2, self.cells, self.cells).mean(axis=0))


@dataclass(frozen=True)
class Plane:
    """The whole plane, in cells × cells that independent Cauchy draws of a `scale` are equally likely to fall into.

    However far a density reaches, nothing of it is left out: x = scale·tan(πu), with u in a square of side 1.
    """

    cells: int
    scale: float = 1.0

    @cached_property
    def _square(self) -> Square:
        return Square(0.5, self.cells)

    def draw(self, rng: Rng) -> Array:
        """Two random points in each cell, [2·cells², 2]: all the first ones, then all the second ones."""
        return np.asarray(self.scale * np.tan(np.pi * self._square.draw(rng)))

    def integral(self, points: Array, values: Array) -> tuple[float, float]:
        """The integral over the plane of a function from its `values` at `draw`'s points, and its standard error."""
        slopes = np.pi * self.scale * (1 + (points / self.scale) ** 2)  # dx/du
        return self._square.integral(values * slopes.prod(axis=1))


@dataclass(frozen=True)
class Truth:
    """A target density within a square, as `judge` needs it."""

    target: Mixture
    square: Square

    @cached_property
    def log_mass(self) -> float:
        """The log of the target's mass within the square (midpoint rule)."""
        return float(np.log(np.exp(self._log_prob).mean() * self.square.area))

    @cached_property
    def entropy(self) -> float:
        """The entropy in nats of the target within the square: no density codes its draws in less (midpoint rule)."""
        conditional = self._log_prob - self.log_mass
        return -float(np.mean(np.exp(conditional) * conditional) * self.square.area)

    def log_prob(self, x: Array) -> Array:
        """Log-densities [N] of points [N, 2] inside the square, given that they are inside."""
        return self.target.log_prob(x) - self.log_mass

    def sample(self, rng: Rng, n: int) -> Array:
        """Draws [about n, 2] from the target, without the few outside the square."""
        points = self.target.sample(rng, n)
        return points[self.square.holds(points)]

    @cached_property
    def _log_prob(self) -> Array:
        return self.target.log_prob(self.square.centres)


@dataclass(frozen=True)
class Verdict:
    """What a claimed density is worth: bits per dimension, its mass over the square, and why it is none (or None)."""

    bits: float
    mass: float
    problem: str | None


def density_of(log_density: Array) -> Array:
    """exp of the claims, where they are finite numbers; a point that is not finite counts as no mass."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(log_density), np.exp(np.clip(log_density, -LOG_LIMIT, LOG_LIMIT)), 0.0)


def judge(truth: Truth, points: Array, at_points: Array, at_cells: Array) -> Verdict:
    """Score claimed log-densities: `at_points` [N] at draws `points` [N, 2] from the target, `at_cells` at the cells'.

    Scored is (1 − ε)·q + ε·uniform with ε = 0.001, as much a density as q is: it costs an honest q at most 0.0007 bits,
    and bounds what one draw can cost where q is zero or overflows. The bits per dimension are entropy +
    mean(log p − log q): the same expectation as −mean(log q), at a fraction of its variance, since p's luck with the
    draws cancels.

    A q that is a density fails with probability at most `ALPHA`.
    """
    square = truth.square
    mass, error = square.integral(density_of(at_cells))
    scored = (1 - FLOOR_SHARE) * density_of(at_points) + FLOOR_SHARE / square.area
    gain = float(np.mean(np.log(scored) - truth.log_prob(points)))  # nats by which q beats p; at most 0 on average
    bits = (truth.entropy - gain) * BITS / points.shape[1]
    problem = None
    if mass > 1 + min(Mass(square.cells**2, error, SHARE).tolerance(error), WIDEST) + ROUNDING:
        problem = "too much mass"
    elif gain > Gain(len(points), SHARE).bound + np.log1p(ROUNDING):
        problem = "impossible"
    return Verdict(bits, mass, problem)
