"""Adapter for part 3 of the practical: a student's diffusion process.

The hand-out of autumn 2023 passes the schedule's sequences to the functions, and noise as well. That of winter 2023
keeps the sequences in globals, and lets the functions draw their noise: then this adapter puts the probes' sequences
into these globals (`sequences`), and their noise in the place of what is drawn (`graders.adapting.noise`). A submission
of winter 2025, whose process is a class with another variance and another loss, is left to a person.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from courses.mila2023.adapters.sequences import NAMES, Globals, recomputed, takes_coefficients
from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.adapting.calling import answered, call, reaches, received
from graders.adapting.loading import Modules
from graders.adapting.noise import drawing

STEM = "diffusion_solution"
P_SAMPLE = ("model", "x", "t", "t_index", "coefficients", "noise")
SEQUENCES = "alphas_betas_sequences_helper"
TO_NOISE = ("sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod")
TO_STEP = ("betas", "sqrt_one_minus_alphas_cumprod", "sqrt_recip_alphas", "posterior_variance")
Q_SAMPLE = ("x_start", "t", "coefficients", "noise")


class DdpmContract:
    """A student's diffusion process as the probes use it. Methods raise Missing, or whatever the student's code raises.

    Sequences are [T], images [B, C, H, W] and times [B]. A model takes noisy images and times, and returns noise.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._read: dict[str, Globals | None] = {}
        self._draws = False  # whether noise is put in the place of what the student's functions draw
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        modules.provide(STEM, device=self._device)

    def sequences(self, beta_start: float, beta_end: float, steps: int) -> Any:
        """Return β, α, 1/√α, ᾱ, √ᾱ, √(1 − ᾱ), the ᾱ before, and the variance of x_{t−1} given x_t and x_0."""
        module = self._with_global_sequences()
        if module is not None:
            return recomputed(module, beta_start, beta_end, steps)
        asked = {"beta_start": beta_start, "beta_end": beta_end, "T": steps}
        return answered(call(self._function(SEQUENCES), asked), SEQUENCES)

    def q_sample(self, x_start: Tensor, t: Tensor, coefficients: Sequence[Tensor], noise: Tensor | None = None) -> Any:
        """Return the noisy images x_t. `coefficients` are √ᾱ and √(1 − ᾱ)."""
        return self._answer("q_sample", {"x_start": x_start, "t": t}, (TO_NOISE, coefficients), noise)

    def p_sample(
        self,
        model: nn.Module,
        x: Tensor,
        t: Tensor,
        t_index: int,
        coefficients: Sequence[Tensor],
        noise: Tensor | None = None,
    ) -> Any:
        """Return the images x_{t−1}. `coefficients` are β, √(1 − ᾱ), 1/√α and the posterior variance."""
        asked = {"model": model, "x": x, "t": t, "t_index": t_index}
        return self._answer("p_sample", asked, (TO_STEP, coefficients), noise)

    def p_sample_loop(
        self,
        model: nn.Module,
        shape: Sequence[int],
        steps: int,
        coefficients: Sequence[Tensor],
        noise: Tensor | None = None,
    ) -> Any:
        """Return images after each step [steps, B, …]. coefficients: as in p_sample. noise: [steps + 1, B, …]."""
        asked = {"model": model, "shape": tuple(shape), "timesteps": steps, "T": steps}
        return self._answer("p_sample_loop", asked, (TO_STEP, coefficients), noise)

    def p_losses(
        self,
        model: nn.Module,
        x_start: Tensor,
        t: Tensor,
        coefficients: Sequence[Tensor],
        noise: Tensor | None = None,
    ) -> Any:
        """Return the loss, a single number. `coefficients` as in q_sample."""
        asked = {"denoise_model": model, "x_start": x_start, "t": t}
        return self._answer("p_losses", asked, (TO_NOISE, coefficients), noise)

    def t_sample(self, steps: int, n: int) -> Any:
        """Return random times [n] from 0 to steps − 1."""
        asked = {"timesteps": steps, "batch_size": n, "device": self._device}
        return answered(call(self._function("t_sample"), asked), "t_sample")

    def inject_p_sample(self, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Make the student's loop call `injected` instead of p_sample, with its arguments by the hand-out's names."""
        self._inject("p_sample", P_SAMPLE, TO_STEP, injected, to="p_sample_loop")

    def inject_q_sample(self, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Make p_losses call `injected` instead of q_sample, with its arguments by the hand-out's names."""
        self._inject("q_sample", Q_SAMPLE, TO_NOISE, injected, to="p_losses")

    def _inject(
        self,
        name: str,
        names: Sequence[str],
        sequences: Sequence[str],
        injected: Callable[[dict[str, Any]], Tensor],
        to: str,
    ) -> None:
        namespace = inspect.unwrap(self._function(to)).__globals__
        theirs = namespace.get(name)
        if not callable(theirs):  # a student may have no such function, and have written its formula where it is needed
            return
        self._globals(to)  # what the outer function reads is looked up before its inner function is replaced
        own = {"coefficients"} if self._globals(name) else set[str]()
        if not reaches(theirs, {each: None for each in names if each not in own}, "noise"):
            own.add("noise")
        taken = [each for each in names if each not in own]

        def replacement(*args: Any, **kwargs: Any) -> Tensor:
            arguments = received(theirs, taken, args, kwargs)
            if "coefficients" in own:
                arguments["coefficients"] = [namespace[each] for each in sequences if each in namespace]
            if "noise" in own and self._draws:
                arguments["noise"] = torch.randn_like(arguments["x"])  # as theirs would draw it
            return injected(arguments)

        namespace[name] = replacement

    def _answer(
        self,
        name: str,
        asked: dict[str, Any],
        coefficients: tuple[Sequence[str], Sequence[Tensor]],
        noise: Tensor | None,
    ) -> Any:
        """Return what a function returns.

        Its coefficients and noise are arguments, or globals and draws if it has none.
        """
        function, sequences = self._function(name), self._globals(name)
        if sequences:
            sequences.put(dict(zip(*coefficients, strict=True)))
        else:
            asked["coefficients"] = tuple(coefficients[1])
        if noise is None:
            return answered(call(function, asked, unasked=("noise",)), name)
        if reaches(function, asked | {"noise": noise}, "noise"):
            return answered(call(function, asked | {"noise": noise}), name)
        self._draws = True
        drawn = list(noise) if name == "p_sample_loop" else [noise]
        return answered(drawing(drawn, lambda: call(function, asked), name), name)

    def _globals(self, name: str) -> Globals | None:
        """Return the sequences that a function reads from globals; None for one that is given its coefficients."""
        if name not in self._read:
            function = self._function(name)
            given = takes_coefficients(inspect.signature(function).parameters)
            self._read[name] = None if given else (Globals(function, name) or None)
        return self._read[name]

    def _with_global_sequences(self) -> ModuleType | None:
        """Return the module that computes the sequences at its top and has no function for them.

        None if there is none.
        """
        modules = self._modules.each(STEM) if self._modules.has(STEM) else []
        if any(callable(vars(module).get(SEQUENCES)) for module in modules):
            return None
        return next((module for module in modules if sum(name in vars(module) for name in NAMES) > 1), None)

    def _function(self, name: str) -> Callable[..., Any]:
        try:
            function: Callable[..., Any] = self._modules.find(name, STEM)
        except Missing:
            for module in self._modules.each(STEM) if self._modules.has(STEM) else []:
                for thing in vars(module).values():
                    if isinstance(thing, type) and all(hasattr(thing, each) for each in ("q_sample", "p_sample")):
                        raise Undecided(
                            f"{thing.__name__} is a class with the methods q_sample and p_sample, which the hand-out "
                            "of winter 2025 asks for. Here, the functions of the hand-outs of 2023 are graded, and "
                            "their variance and loss are others"
                        ) from None
            raise
        return function


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.ddpm.interface import WithCoefficients

    def _adapter(modules: Modules) -> WithCoefficients:
        return DdpmContract(modules)
