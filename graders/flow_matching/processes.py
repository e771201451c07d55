"""Exact results for integrators of ODEs and SDEs with finite steps, in NumPy.

For the Ornstein–Uhlenbeck process dX = −θX dt + σ dW, the Euler–Maruyama method is itself a Gaussian recursion,
x ← qx + σ√h·ε with q = 1 − θh. So its mean and variance after n steps are known for every step size h: qⁿx₀ and
σ²h(1 − q²ⁿ)/(1 − q²). Brownian motion is the limit θ = 0, with variance σ²nh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gengrade.arrays import Array, Array32, Floats


@dataclass(frozen=True)
class AffineField:
    """The vector field u(x, t) = x·A + t·b of points x [B, d]."""

    matrix: Array32  # A [d, d]
    slope: Array32  # b [d]

    def __call__(self, x: Floats, t: float) -> Array:
        return np.asarray(x @ self.matrix.astype(np.float64) + t * self.slope, dtype=np.float64)

    def euler(self, x: Floats, h: float, steps: int) -> Array:
        """Return the points after each step of Euler's method from t = 0, with the first ones: [steps + 1, B, d]."""
        points = [np.asarray(x, dtype=np.float64)]
        for step in range(steps):
            points.append(points[-1] + h * self(points[-1], step * h))
        return np.stack(points)

    def solution(self, x: Floats, h: float, steps: int, substeps: int = 20) -> Array:
        """Return the points on the ODE's exact solution after each step, with the first ones: [steps + 1, B, d].

        They are computed by the classical Runge–Kutta method in `substeps` for each step.
        """
        points, size = [np.asarray(x, dtype=np.float64)], h / substeps
        for number in range(steps * substeps):
            points.append(self._runge_kutta(points[-1], number * size, size))
        return np.stack(points[::substeps])

    def _runge_kutta(self, x: Array, t: float, h: float) -> Array:
        first = self(x, t)
        second = self(x + h / 2 * first, t + h / 2)
        third = self(x + h / 2 * second, t + h / 2)
        last = self(x + h * third, t + h)
        return np.asarray(x + h / 6 * (first + 2 * second + 2 * third + last))


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """dX = −θX dt + σ dW, in steps of size h; θ = 0 is Brownian motion.

    The steps are those of Euler and Maruyama: Kloeden & Platen 1992, section 10.2.
    """

    theta: float
    sigma: float
    h: float

    def mean(self, start: Floats, steps: int) -> Array:
        """Return the mean of the points after so many Euler–Maruyama steps from `start`."""
        return np.asarray((1 - self.theta * self.h) ** steps * start, dtype=np.float64)

    def std(self, steps: int) -> float:
        """Return the standard deviation of each coordinate after so many Euler–Maruyama steps from a fixed point."""
        q = 1 - self.theta * self.h
        terms = steps if q == 1 else (1 - q ** (2 * steps)) / (1 - q**2)
        return float(self.sigma * np.sqrt(self.h * terms))

    def exact_std(self, time: float) -> float:
        """Return the standard deviation of the process itself at that time, from a fixed point."""
        if self.theta == 0:
            return float(self.sigma * np.sqrt(time))
        return float(self.sigma * np.sqrt((1 - np.exp(-2 * self.theta * time)) / (2 * self.theta)))
