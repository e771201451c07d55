"""Probes of lab one: integrators on known processes, and the coefficients of the student's processes.

Points are [B, d]; times and steps are tensors of shape ().
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from graders.flow_matching.interface import FlowMatchingPackage
    from graders.flow_matching.records import Coefficients, Trajectory


class Process:
    """dX = (X·A + t·b) dt + σ(X) dW with σ(x) = s·(1 + |x|·w); it is an ODE if s is 0."""

    def __init__(self, matrix: Tensor, slope: Tensor, sigma: float, weight: float) -> None:
        self.matrix, self.slope, self.sigma, self.weight = matrix, slope, sigma, weight

    def drift_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return xt @ self.matrix + t * self.slope

    def diffusion_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return self.sigma * (1 + self.weight * xt.abs())


class Normal:
    """The density N(mean, precision⁻¹) with a diagonal precision."""

    def __init__(self, mean: Tensor, precision: Tensor) -> None:
        self.mean, self.precision, self.dim = mean, precision, len(mean)

    def score(self, x: Tensor) -> Tensor:
        return self.precision * (self.mean - x)

    def log_density(self, x: Tensor) -> Tensor:
        return -0.5 * (self.precision * (x - self.mean) ** 2).sum(dim=-1, keepdim=True)


def euler(package: FlowMatchingPackage, x: Tensor, matrix: Tensor, slope: Tensor, h: float, steps: int) -> Trajectory:
    """Take steps of Euler's method from t = 0 for the vector field x·A + t·b."""
    integrator = package.flow_matching.euler(Process(matrix, slope, 0.0, 0.0))
    return _steps(package, integrator, x, h, steps)


def euler_maruyama(
    package: FlowMatchingPackage,
    x: Tensor,
    matrix: Tensor,
    slope: Tensor,
    noise: dict[str, float],
    h: float,
    steps: int,
) -> Trajectory:
    """Take steps of the Euler–Maruyama method from t = 0 (Kloeden & Platen 1992, section 10.2).

    `noise` holds σ at 0 and its growth with |x|, `weight`.
    """
    process = Process(matrix, slope, noise["sigma"], noise["weight"])
    integrator = package.flow_matching.euler_maruyama(process)
    return _steps(package, integrator, x, h, steps)


def brownian_motion(package: FlowMatchingPackage, x: Tensor, t: float, sigma: float) -> Coefficients:
    """Return the coefficients of the student's Brownian motion."""
    return _of_any_dimension(package, package.flow_matching.brownian_motion(sigma), x, t)


def ou_process(package: FlowMatchingPackage, x: Tensor, t: float, theta: float, sigma: float) -> Coefficients:
    """Return the coefficients of the student's Ornstein–Uhlenbeck process."""
    return _of_any_dimension(package, package.flow_matching.ou_process(theta, sigma), x, t)


def langevin(
    package: FlowMatchingPackage, x: Tensor, t: float, sigma: float, mean: Tensor, precision: Tensor
) -> Coefficients:
    """Return the coefficients of the student's Langevin dynamics for a normal density."""
    process = package.flow_matching.langevin(sigma, Normal(mean, precision))
    return _coefficients(package, process, x, t)


def _steps(package: FlowMatchingPackage, integrator: Any, x: Tensor, h: float, steps: int) -> Trajectory:
    """Return the points after each step. A step may work in place: the hand-out's simulators keep copies, too."""
    points, size = [x], torch.tensor(h)
    for step in range(steps):
        points.append(_tensor(package.flow_matching.step(integrator, points[-1].clone(), step * size, size)))
    return {"points": torch.stack(points)}


def _of_any_dimension(package: FlowMatchingPackage, process: Any, x: Tensor, t: float) -> Coefficients:
    """Return the coefficients of a process. An error says so if there is none for points of one coordinate."""
    try:
        return _coefficients(package, process, x, t)
    except (RuntimeError, ValueError, IndexError) as error:
        with suppress(Exception):
            _coefficients(package, process, x[:, :1], t)
            error.args = (f"{error} (it works for points of one coordinate, but these have {x.shape[1]})",)
        raise


def _coefficients(package: FlowMatchingPackage, process: Any, x: Tensor, t: float) -> Coefficients:
    time = torch.tensor(t)
    drifts = [_tensor(package.flow_matching.drift(process, x.clone(), time)) for _ in range(2)]
    diffusions = [_tensor(package.flow_matching.diffusion(process, x.clone(), time)) for _ in range(2)]
    return {
        "drift": drifts[0],
        "diffusion": diffusions[0],
        "second_drift": drifts[1],
        "second_diffusion": diffusions[1],
    }


def _tensor(value: Any) -> Tensor:
    return torch.as_tensor(value).detach().float()
