"""Adapter for part 3 of the practical: a student's diffusion process."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.adapting.calling import answered, call, received
from graders.adapting.loading import Modules

STEM = "diffusion_solution"
P_SAMPLE = ("model", "x", "t", "t_index", "coefficients", "noise")
Q_SAMPLE = ("x_start", "t", "coefficients", "noise")


class DdpmContract:
    """A student's diffusion process as the probes use it. Methods raise Missing, or whatever the student's code raises.

    Sequences are [T], images [B, C, H, W] and times [B]. A model takes noisy images and times, and returns noise.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        modules.provide(STEM, device=self._device)

    def sequences(self, beta_start: float, beta_end: float, steps: int) -> Any:
        """The sequences β, α, 1/√α, ᾱ, √ᾱ, √(1 − ᾱ), the previous ᾱ, and the variance of x_{t−1} given x_t and x_0."""
        asked = {"beta_start": beta_start, "beta_end": beta_end, "T": steps}
        return self._answer("alphas_betas_sequences_helper", asked)

    def q_sample(self, x_start: Tensor, t: Tensor, coefficients: Sequence[Tensor], noise: Tensor | None = None) -> Any:
        """The noisy images x_t. `coefficients` are √ᾱ and √(1 − ᾱ)."""
        asked = {"x_start": x_start, "t": t, "coefficients": tuple(coefficients)}
        return self._answer("q_sample", asked | _given(noise))

    def p_sample(
        self,
        model: nn.Module,
        x: Tensor,
        t: Tensor,
        t_index: int,
        coefficients: Sequence[Tensor],
        noise: Tensor | None = None,
    ) -> Any:
        """The images x_{t−1}. `coefficients` are β, √(1 − ᾱ), 1/√α and the posterior variance."""
        asked = {"model": model, "x": x, "t": t, "t_index": t_index, "coefficients": tuple(coefficients)}
        return self._answer("p_sample", asked | _given(noise))

    def p_sample_loop(
        self,
        model: nn.Module,
        shape: Sequence[int],
        steps: int,
        coefficients: Sequence[Tensor],
        noise: Tensor | None = None,
    ) -> Any:
        """The images after each step, [steps, B, C, H, W]. `coefficients` as in p_sample, noise [steps + 1, B, …]."""
        asked = {"model": model, "shape": tuple(shape), "timesteps": steps, "T": steps, "coefficients": coefficients}
        return self._answer("p_sample_loop", asked | _given(noise))

    def p_losses(
        self,
        model: nn.Module,
        x_start: Tensor,
        t: Tensor,
        coefficients: Sequence[Tensor],
        noise: Tensor | None = None,
    ) -> Any:
        """The loss, a single number. `coefficients` as in q_sample."""
        asked = {"denoise_model": model, "x_start": x_start, "t": t, "coefficients": tuple(coefficients)}
        return self._answer("p_losses", asked | _given(noise))

    def t_sample(self, steps: int, n: int) -> Any:
        """Random times [n] from 0 to steps − 1."""
        asked = {"timesteps": steps, "batch_size": n, "device": self._device}
        return self._answer("t_sample", asked)

    def inject_p_sample(self, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Makes the student's loop call `injected` instead of p_sample, with its arguments by the hand-out's names."""
        self._inject("p_sample", P_SAMPLE, injected, to="p_sample_loop")

    def inject_q_sample(self, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Makes p_losses call `injected` instead of q_sample, with its arguments by the hand-out's names."""
        self._inject("q_sample", Q_SAMPLE, injected, to="p_losses")

    def _inject(self, name: str, names: Sequence[str], injected: Callable[[dict[str, Any]], Tensor], to: str) -> None:
        namespace = inspect.unwrap(self._function(to)).__globals__
        theirs = namespace.get(name)
        if callable(theirs):  # a student may have no such function, and have written its formula where it is needed
            namespace[name] = lambda *args, **kwargs: injected(received(theirs, names, args, kwargs))

    def _answer(self, name: str, asked: dict[str, Any]) -> Any:
        return answered(call(self._function(name), asked, unasked=("noise",)), name)

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self._modules.find(name, STEM)
        return function


def _given(noise: Tensor | None) -> dict[str, Any]:
    return {} if noise is None else {"noise": noise}


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.ddpm.interface import Ddpm

    def _adapter(modules: Modules) -> Ddpm:
        return DdpmContract(modules)
