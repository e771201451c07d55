"""A reverse step through the predicted clean image, and the weights of losses, in NumPy: Ho, Jain & Abbeel 2020."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from gengrade.arrays import Array, Array32, Floats, Integers
from gengrade.grading import Rng
from graders.ddpm.diffusion import Schedule

NOISE, START = "pred_noise", "pred_x_start"  # what a model may be asked to predict
OBJECTIVES: Final = (NOISE, START)
LEAST_STD: Final = 1e-10  # of the hand-out, at t = 0


@dataclass(frozen=True)
class Process:
    """A schedule with all that follows from it for a process whose model predicts noise or clean images."""

    schedule: Schedule

    @classmethod
    def random(cls, rng: Rng, steps: int) -> Process:
        """Return a process with a random schedule, which no program can contain as constants."""
        return cls(Schedule.random(rng, steps))

    @property
    def steps(self) -> int:
        """The number of times, T."""
        return len(self.schedule.betas)

    @cached_property
    def start_weight(self) -> Array:
        """The weight [T] of x_0 in the mean of x_{t−1}: √ᾱ_{t−1}·β / (1 − ᾱ), equation 7."""
        before, products = self.schedule["alphas_cumprod_prev"], self.schedule["alphas_cumprod"]
        return np.asarray(np.sqrt(before) * self.schedule.betas / (1 - products))

    @cached_property
    def image_weight(self) -> Array:
        """The weight [T] of x_t in the mean of x_{t−1}: √α·(1 − ᾱ_{t−1}) / (1 − ᾱ), equation 7."""
        before, products = self.schedule["alphas_cumprod_prev"], self.schedule["alphas_cumprod"]
        return np.asarray(np.sqrt(self.schedule["alphas"]) * (1 - before) / (1 - products))

    @cached_property
    def std(self) -> Array:
        """The standard deviation [T] of x_{t−1} given x_t and x_0, at least `LEAST_STD`: equation 7."""
        return np.maximum(np.sqrt(self.schedule["posterior_variance"]), LEAST_STD)

    @cached_property
    def signal_to_noise(self) -> Array:
        """ᾱ / (1 − ᾱ) [T], the weights of the loss of a model that predicts clean images."""
        return np.asarray(self.schedule["alphas_cumprod"] / (1 - self.schedule["alphas_cumprod"]))

    def weights(self, objective: str) -> Array:
        """Return the weights [T] of the loss by time."""
        return self.signal_to_noise if objective == START else np.ones(self.steps)

    def injected(self, objective: str) -> dict[str, Array32]:
        """Return the sequences [T] by the hand-out's names, as inputs of a probe."""
        names = ("betas", "alphas", "alphas_cumprod", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod")
        sequences = {name: self.schedule[name] for name in names} | {
            "posterior_mean_coef1": self.start_weight,
            "posterior_mean_coef2": self.image_weight,
            "posterior_std": self.std,
            "loss_weight": self.weights(objective),
        }
        return {name: sequence.astype(np.float32) for name, sequence in sequences.items()}

    def mean_before(self, start: Floats, x: Floats, t: int) -> Array:
        """Return the mean of x_{t−1} given x_0 and x_t, all [B, …]: equation 7."""
        return np.asarray(self.start_weight[t] * start + self.image_weight[t] * x)

    def start_in(self, noisy: Floats, noise: Floats, t: Integers) -> Array:
        """Return the clean images [B, …] in noisy ones with this noise at times t [B]: equation 4, solved for x_0."""
        signal = self.schedule["sqrt_alphas_cumprod"][t].reshape(-1, *[1] * (noisy.ndim - 1))
        return np.asarray((noisy - self.schedule.spread(t, noisy) * noise) / signal)

    def predicted(self, objective: str, start: Floats, x: Floats, t: int) -> Array32:
        """Return what a model predicts of noisy images x at time t if it takes `start` for clean ones, all [B, …]."""
        if objective == START:
            return np.asarray(start, dtype=np.float32)
        return self.schedule.noise_in(x, start, np.full(len(x), t)).astype(np.float32)
