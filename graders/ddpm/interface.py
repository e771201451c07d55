"""What the probes of a diffusion process ask an adapter for, as `package.ddpm`.

Sequences are [T], images [B, C, H, W], times int64 [B]. A denoiser is called with images and times, and gives noise of
the images' shape. `noise` that is None is drawn by the student's code. A method raises Missing, or whatever the
student's code raises. A result of type Any is what the student's code gave: its docstring says what a right one is.
Only a type checker reads this file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor, nn


class Ddpm(Protocol):
    """A diffusion process: its schedule, both directions, the loss, and the times that are trained on."""

    def sequences(self, beta_start: float, beta_end: float, steps: int) -> Any:
        """Return β, α, 1/√α, ᾱ, √ᾱ, √(1 − ᾱ), the ᾱ before, and the variance of x_{t−1} given x_t and x_0."""

    def q_sample(self, x_start: Tensor, t: Tensor, coefficients: Sequence[Tensor], noise: Tensor | None = None) -> Any:
        """Return noisy images of clean ones. coefficients: √ᾱ and √(1 − ᾱ). Ho et al. 2020, equation 4."""

    def p_sample(
        self,
        model: nn.Module,
        x: Tensor,
        t: Tensor,
        t_index: int,
        coefficients: Sequence[Tensor],
        noise: Tensor | None = None,
    ) -> Any:
        """Return images one step less noisy: equation 11.

        t: `t_index` for each image. coefficients: β, √(1 − ᾱ), 1/√α, the variance.
        """

    def p_sample_loop(
        self,
        model: nn.Module,
        shape: Sequence[int],
        steps: int,
        coefficients: Sequence[Tensor],
        noise: Tensor | None = None,
    ) -> Any:
        """Return the images after each step, [steps, *shape]. coefficients as of `p_sample`.

        Noise [steps + 1, *shape].
        """

    def p_losses(
        self,
        model: nn.Module,
        x_start: Tensor,
        t: Tensor,
        coefficients: Sequence[Tensor],
        noise: Tensor | None = None,
    ) -> Any:
        """Return the loss of a denoiser, a number with its graph. coefficients as of `q_sample`."""

    def t_sample(self, steps: int, n: int) -> Any:
        """Return n times, drawn from 0 … steps − 1."""

    def inject_p_sample(self, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Let the student's loop call `injected` in place of p_sample, with a mapping of the arguments by name.

        The names are those of `p_sample` here. Nothing happens where the loop calls no function of that name.
        """

    def inject_q_sample(self, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Let the student's loss call `injected` instead of q_sample, with its arguments by name."""


class DdpmPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def ddpm(self) -> Ddpm:
        """The adapter of that part."""
