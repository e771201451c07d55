"""What the probes of a GAN ask an adapter for, as `package.gan`.

An adapter has the methods that its rubric's checks need, group by group: that of `uva2020` has all of `Gan`, that of
`mila2023`, whose hand-out gives the networks and the loop, has `Steps`. A method raises Missing, or whatever the
student's code raises. A result of type Any is what the student's code gave, in any form: its docstring says what a
right one is. Only a type checker reads this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn, optim


class Networks(Protocol):
    """Both networks on their own, where the student writes them."""

    def generator(self, z_dim: int, hidden_dims: list[int], output_shape: list[int], dp_rate: float) -> nn.Module:
        """Return a new network: [B, z_dim] → images [B, *output_shape] in [−1, 1]."""

    def discriminator(self, input_dims: int, hidden_dims: list[int], dp_rate: float) -> nn.Module:
        """Return a new network that `score` is asked about: images of `input_dims` pixels → a score of each."""


class Steps(Protocol):
    """A model of both networks, a step of each, samples and interpolations. Images are [B, 1, 28, 28] in [−1, 1]."""

    def model(
        self,
        *,
        hidden_dims_gen: list[int],
        hidden_dims_disc: list[int],
        dp_rate_gen: float,
        dp_rate_disc: float,
        z_dim: int,
    ) -> nn.Module:
        """Return a new GAN."""

    def generator_of(self, model: nn.Module) -> nn.Module:
        """Return the generator of a GAN, which its steps call."""

    def discriminator_of(self, model: nn.Module) -> nn.Module:
        """Return the discriminator of a GAN, which its steps call."""

    def score(self, discriminator: nn.Module, images: Tensor) -> Any:
        """Return the discriminator's scores of images, one number for each: [B], [B, 1] and so on."""

    def generator_step(self, model: nn.Module, images: Tensor) -> Tensor:
        """Return the generator's loss, with its graph, for a batch of real images."""

    def discriminator_step(self, model: nn.Module, images: Tensor) -> Tensor:
        """Return the discriminator's loss, with its graph, for a batch of real images."""

    def sample(self, model: nn.Module, n: int) -> Any:
        """Return images [n, 1, 28, 28] of latents that are drawn within."""

    def interpolate(self, model: nn.Module, n: int, steps: int) -> Any:
        """Return n strips [n, steps + 2, 1, 28, 28], each from one image to another, for latents drawn within."""

    @property
    def sample_of(self) -> Callable[[nn.Module, Tensor], Any] | None:
        """A method like `sample`, for given latents [n, z_dim]; None where the student's function takes none."""

    @property
    def interpolate_between(self) -> Callable[[nn.Module, Tensor, int], Any] | None:
        """A method like `interpolate`, for given ends [2, n, z_dim]; None where the student's function takes none."""

    def checkpoint(self) -> Path | None:
        """Return the file of weights that was handed in; None where there is none."""


class Loop(Protocol):
    """The student's own training. An adapter lacks these methods where the hand-out gives the loop.

    Probes of steps ask by `hasattr` whether there is one.
    """

    def optimizers(self, model: nn.Module) -> Sequence[optim.Optimizer]:
        """Return the loop's optimisers, that of the generator first."""

    def train_epoch(
        self, model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], optimizers: Sequence[optim.Optimizer]
    ) -> None:
        """Train for one epoch on batches of images and labels [B], with `optimizers` as that method gives them."""


class Gan(Networks, Steps, Loop, Protocol):
    """All that the family's probes ask for."""


class GanPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def gan(self) -> Gan:
        """The adapter of that part."""
