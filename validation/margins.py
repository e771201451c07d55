"""Measures how close right answers come to empirical limits, such as those on short trainings and on rounding.

Most tests of random numbers have bounds that follow from theory (`graders.common.statistics`). For the others, this
module reads a statistic from the evidence of right packages, so that many seeds show how far it stays from its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gengrade.course import Course
from gengrade.facts import Outcome
from gengrade.grading import Evidence
from gengrade.sandbox import Request, Run
from graders.common.batches import ALIGNED
from graders.common.networks import STRAIGHT, narrowest
from graders.common.units import BITS
from graders.flow.checks import CURVED, NEAR, SLOPE, curvature, slope_errors
from graders.flow.densities import is_near
from graders.gan.checks import LOGIT_REACH, REACH, SAME_DIRECTION
from graders.probing.sizes import PIXELS
from graders.vae.checks import UNTRAINED
from graders.vae.networks import BEYOND
from validation.direct import Direct

Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limit:
    """The value with which checks compare a statistic: right answers stay above it, or below it."""

    checks: str
    statistic: str
    value: float
    above: bool


_BENT: Final = Limit("vae.mlp_encoder … vae.cnn_decoder", "bend of a line through the network", STRAIGHT, above=True)
_MEAN: Final = Limit("vae.*_encoder", "mean, trained towards ±3", BEYOND["mean"], above=True)
_LOG_STD: Final = Limit("vae.*_encoder", "log_std, trained towards ±2", BEYOND["log_std"], above=True)
_LOGITS: Final = Limit("vae.*_decoder", "logits, trained towards ±3", BEYOND["the logits"], above=True)
_LEAST: Final = Limit("vae.loss", "bits per dimension before training, at least", UNTRAINED[0], above=True)
_MOST: Final = Limit("vae.loss", "bits per dimension before training, at most", UNTRAINED[1], above=False)
_OWN: Final = Limit("vae.training_loop", "1 − cosine of a step and its gradient", 1 - ALIGNED, above=False)
_PIXELS: Final = Limit("gan.generator", "pixels, trained towards ±3", REACH, above=True)
_SCORES: Final = Limit("gan.discriminator", "scores, trained towards ±6", LOGIT_REACH, above=True)
_ALTERNATE: Final = Limit(
    "gan.alternation", "1 − cosine of an update and its gradient", 1 - SAME_DIRECTION, above=False
)
_BACK: Final = Limit("flow.invertible", "error of a round trip, over what is tolerated", 1.0, above=False)

_CURVED: Final = Limit("flow.invertible", "distance from the nearest affine map", CURVED, above=True)
_SLOPE: Final = Limit("flow.nll", "error of a gradient, relative to the slopes", SLOPE, above=False)

LIMITS: Final = (
    *(_BENT, _MEAN, _LOG_STD, _LOGITS, _LEAST, _MOST, _OWN),
    *(_PIXELS, _SCORES, _ALTERNATE, _BACK, _CURVED, _SLOPE),
)


def _network(inputs: Inputs, got: Evidence) -> Iterator[tuple[Limit, float]]:
    first, middle, last = np.concatenate([line.tensor().reshape(3, -1) for line in got.list("line")], axis=1)
    yield _BENT, float(np.abs(middle - (first + last) / 2).max() / np.abs(first - last).max())


def _reach(inputs: Inputs, got: Evidence) -> Iterator[tuple[Limit, float]]:
    ends = np.concatenate([got.tensor("lowest"), got.tensor("highest")], axis=1)  # [modes, …]
    if inputs["which"].endswith("encoder"):
        mean, log_std = np.split(ends, 2, axis=-1)
        yield _MEAN, _both_ways(mean)
        yield _LOG_STD, _both_ways(log_std)
    else:
        yield _LOGITS, _both_ways(ends)


def _untrained(inputs: Inputs, got: Evidence) -> Iterator[tuple[Limit, float]]:
    bits = float(got.tensor().mean()) * BITS / PIXELS
    yield _LEAST, bits
    yield _MOST, bits


def _steps(inputs: Inputs, got: Evidence) -> Iterator[tuple[Limit, float]]:
    yield _OWN, max(1 - step.number("own") for step in got.list("steps"))


def _generator(inputs: Inputs, got: Evidence) -> Iterator[tuple[Limit, float]]:
    yield _PIXELS, _both_ways(got.tensor("driven"))


def _discriminator(inputs: Inputs, got: Evidence) -> Iterator[tuple[Limit, float]]:
    yield _SCORES, _both_ways(got.tensor())


def _alternation(inputs: Inputs, got: Evidence) -> Iterator[tuple[Limit, float]]:
    for step in got.list("steps"):
        if not step.is_none("agreement"):
            yield _ALTERNATE, 1 - step.number("agreement")


def _round_trip(inputs: Inputs, got: Evidence) -> Iterator[tuple[Limit, float]]:
    x = np.asarray(inputs["x"], dtype=np.float64)
    for there, back in (("forward", "forward_and_back"), ("backward", "backward_and_forth")):
        image = got.tensor(there, finite=False)
        near = is_near(image)
        yield _CURVED, curvature(x[near], image[near])
        errors = np.abs(got.tensor(back, finite=False) - x) / (NEAR + NEAR * np.abs(x))
        yield _BACK, float(np.max(errors[near]))


def _nll(inputs: Inputs, got: Evidence) -> Iterator[tuple[Limit, float]]:
    yield _SLOPE, float(slope_errors(got).max())


_READERS: Final[dict[str, Callable[[Inputs, Evidence], Iterator[tuple[Limit, float]]]]] = {
    "vae:network": _network,
    "vae:reach": _reach,
    "vae:untrained_loss": _untrained,
    "vae.loop:train": _steps,
    "gan:generator_range": _generator,
    "gan:discriminator_range": _discriminator,
    "gan:alternation": _alternation,
    "flow:round_trip": _round_trip,
    "flow:nll": _nll,
}


def _both_ways(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Return the smaller extent of values [modes, …] in the positive and the negative direction, in every mode."""
    low, high = narrowest(values)
    return min(-low, high)


class Watched(Direct):
    """Runs without a sandbox that also record the worst value of each statistic."""

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._worst: dict[str, float] = {}

    def run(self, request: Request) -> Run:
        """Make a run, and updates the worst value of each statistic."""
        run = super().run(request)
        reader = _READERS.get(request.probe)
        if reader is not None and run.outcome is Outcome.PASSED:
            for limit, value in reader(request.inputs, Evidence(run.evidence)):
                worse = min if limit.above else max
                self._worst[limit.statistic] = worse(value, self._worst.get(limit.statistic, value))
        return run

    def taken(self) -> dict[str, float]:
        """Return the worst value of each statistic since the last call, by its name."""
        worst, self._worst = self._worst, {}
        return worst
