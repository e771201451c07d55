"""What the probes of a diffusion process ask an adapter for, as `package.ddpm`.

Sequences are [T], images [B, C, H, W], times int64 [B]. A denoiser is called with images and times, and gives noise of
the images' shape. `noise` that is None is drawn by the student's code. A method raises Missing, or whatever the
student's code raises. A result of type Any is what the student's code gave: its docstring says what a right one is.
An adapter has the methods that its rubric's checks need: that of `mila2023` has `WithCoefficients`, where each function
is given its coefficients, and that of `cs231n_ddpm` has `WithUnet`, where an object keeps them. Only a type checker
reads this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn


class WithCoefficients(Protocol):
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


class Process(Protocol):
    """A diffusion process that is an object with a model, and that clamps the clean images which it predicts.

    Its model is called with images, times [B], and a mapping of what else it is given, such as `text_emb`.
    """

    def diffusion(
        self, model: nn.Module, sequences: Mapping[str, Tensor], objective: str, image_size: int
    ) -> nn.Module:
        """Return a new process with these sequences by the hand-out's names, whatever schedule the student's code has.

        objective: what the model predicts, `pred_noise` or `pred_x_start`.
        """

    def noised(self, process: nn.Module, x_start: Tensor, t: Tensor, noise: Tensor) -> Any:
        """Return noisy images of clean ones."""

    def start_from_noise(self, process: nn.Module, x_t: Tensor, t: Tensor, noise: Tensor) -> Any:
        """Return the clean images in noisy ones with this noise."""

    def noise_from_start(self, process: nn.Module, x_t: Tensor, t: Tensor, x_start: Tensor) -> Any:
        """Return the noise in noisy images of these clean ones."""

    def step_back(
        self, process: nn.Module, x_t: Tensor, t: int, model_kwargs: dict[str, Any], noise: Tensor | None = None
    ) -> Any:
        """Return images one step less noisy. `noise` takes the place of the noise that the student's code draws."""

    def loss(self, process: nn.Module, x_start: Tensor, model_kwargs: dict[str, Any]) -> Any:
        """Return the loss for images in [0, 1], a number with its graph."""

    def inject_noised(self, process: nn.Module, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Let a process call `injected` in place of its q_sample, with a mapping of the arguments by name."""

    def inject_start_from_noise(self, process: nn.Module, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Let a process call `injected` in place of its predict_start_from_noise, with its arguments by name."""


class WithUnet(Process, Protocol):
    """A process, and a U-Net with prescribed layers that also takes texts [B, condition_dim]."""

    def unet(self, dim: int, condition_dim: int, dim_mults: Sequence[int], channels: int) -> nn.Module:
        """Return a new network, with lists of lists of layers `downs` and `ups`."""

    def unet_without_layers(self, condition_dim: int) -> nn.Module:
        """Return a network of the student's class whose constructor has not run."""

    def denoised(self, network: nn.Module, x: Tensor, time: Tensor, text: Tensor) -> Any:
        """Return what the network gives for images [B, channels, H, W]."""

    def guided(self, network: nn.Module, x: Tensor, time: Tensor, text: Tensor, scale: float) -> Any:
        """Return what the network gives with classifier-free guidance, in one call with a mapping of its own."""

    def inject_forward(self, network: nn.Module, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Let a network call `injected` in place of its forward, with a mapping of the arguments by name."""


class Ddpm(WithCoefficients, WithUnet, Protocol):
    """All that the family's probes ask for."""


class DdpmPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def ddpm(self) -> Ddpm:
        """The adapter of that part."""
