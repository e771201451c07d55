"""Probes of lab two: schedules, conditional probability paths, and the score of a field, on known counterparts of ours.

Points x and z are [B, d], times t are [B, 1]. What a path is made of is ours: schedules α(t) = tᵃ and β(t) = (1 − t)ᵇ,
and distributions whose draws are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from graders.flow_matching.interface import FlowMatchingPackage
    from graders.flow_matching.records import Blend, Draws, Field


class Power:
    """The schedule start ↦ start**exponent, with start = t, or 1 − t if it falls."""

    def __init__(self, exponent: float, falls: bool) -> None:
        self.exponent, self.falls = exponent, falls

    def __call__(self, t: Tensor) -> Tensor:
        return (1 - t if self.falls else t) ** self.exponent

    def dt(self, t: Tensor) -> Tensor:
        slope = self.exponent * (1 - t if self.falls else t) ** (self.exponent - 1)
        return -slope if self.falls else slope


class Known:
    """A distribution whose draws are known: the rows of `points`, in another order in each call."""

    def __init__(self, points: Tensor) -> None:
        self.points, self.dim = points, points.shape[1]
        self.asked: list[int] = []

    def sample(self, num_samples: int) -> Tensor:
        drawn = self.points.roll(len(self.asked), dims=0)[:num_samples].clone()
        self.asked.append(int(num_samples))
        return drawn


class GivenField(nn.Module):
    """A vector field that has known values at known points x [B, d] and times t [B, 1], and others elsewhere."""

    def __init__(self, values: Tensor, x: Tensor, t: Tensor) -> None:
        super().__init__()
        self.values, self.x, self.t = nn.Parameter(values), x.clone(), t.clone()

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        away = 3 * (x.reshape(self.x.shape) - self.x) + 2 * (t.reshape(self.t.shape) - self.t)
        return torch.as_tensor(self.values + away)


def alpha(package: FlowMatchingPackage, t: Tensor) -> Tensor:
    """Return the student's α at times [B, 1]."""
    return _tensor(package.flow_matching.alpha()(t))


def beta(package: FlowMatchingPackage, t: Tensor) -> Tensor:
    """Return the student's β at times [B, 1]."""
    return _tensor(package.flow_matching.beta()(t))


def path_draws(
    package: FlowMatchingPackage, z: Tensor, t: Tensor, schedule: dict[str, float], sizes: list[int]
) -> Draws:
    """Return two draws of the student's Gaussian path for the same z and t, which it is given in batches."""
    path = _gaussian_path(package, z, schedule)
    drawn = []
    for points, times in zip(z.split(sizes), t.split(sizes), strict=True):
        for _ in range(2):
            draw = _tensor(package.flow_matching.sample(path, points.clone(), times.clone()))
            if draw.shape != points.shape:  # the others could not be put behind it
                return {"draws": draw, "second_draws": draw}
            drawn.append(draw)
    return {"draws": torch.cat(drawn[::2]), "second_draws": torch.cat(drawn[1::2])}


def path_field(package: FlowMatchingPackage, x: Tensor, z: Tensor, t: Tensor, schedule: dict[str, float]) -> Tensor:
    """Return the conditional vector field of the student's Gaussian path."""
    path = _gaussian_path(package, z, schedule)
    return _tensor(package.flow_matching.field(path, x, z, t))


def path_score(package: FlowMatchingPackage, x: Tensor, z: Tensor, t: Tensor, schedule: dict[str, float]) -> Tensor:
    """Return the conditional score of the student's Gaussian path."""
    path = _gaussian_path(package, z, schedule)
    return _tensor(package.flow_matching.score(path, x, z, t))


def own_path(package: FlowMatchingPackage, x: Tensor, moved: Tensor, z: Tensor, t: Tensor) -> Field:
    """Field and score of the Gaussian path with the student's own schedules: the field at x and at moved [M, B, d]."""
    alpha, beta = package.flow_matching.alpha(), package.flow_matching.beta()
    path = package.flow_matching.gaussian_path(Known(z), alpha, beta)
    fields = [_tensor(package.flow_matching.field(path, each, z, t)) for each in (x, *moved)]
    return {"field": torch.stack(fields), "score": _tensor(package.flow_matching.score(path, x, z, t))}


def score_of_field(
    package: FlowMatchingPackage, x: Tensor, t: Tensor, field: Tensor, schedule: dict[str, float]
) -> Tensor:
    """Return the student's score of a vector field that has the values `field` [B, d] at x."""
    alpha, beta = _schedules(schedule)
    return _tensor(package.flow_matching.score_of_field(GivenField(field, x, t), alpha, beta, x, t))


def linear_draw(package: FlowMatchingPackage, z: Tensor, t: Tensor, start: Tensor) -> Blend:
    """Return a draw of the student's linear path, where `p_simple` draws the rows of `start`."""
    p_simple = Known(start)
    path = package.flow_matching.linear_path(p_simple, Known(z))
    return {"blend": _tensor(package.flow_matching.sample(path, z.clone(), t)), "asked": p_simple.asked}


def linear_field(package: FlowMatchingPackage, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Return the conditional vector field of the student's linear path."""
    path = package.flow_matching.linear_path(Known(z), Known(z))
    return _tensor(package.flow_matching.field(path, x, z, t))


def _gaussian_path(package: FlowMatchingPackage, z: Tensor, schedule: dict[str, float]) -> Any:
    return package.flow_matching.gaussian_path(Known(z), *_schedules(schedule))


def _schedules(schedule: dict[str, float]) -> tuple[Power, Power]:
    return Power(schedule["a"], falls=False), Power(schedule["b"], falls=True)


def _tensor(value: Any) -> Tensor:
    return torch.as_tensor(value).detach().float()
