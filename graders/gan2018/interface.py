"""What the probes of a GAN that is two networks and a loop ask an adapter for, as `package.gan`.

Images may be flat or square in either network, and scores probabilities or logits: no adapter turns one into another. A
method raises Missing, or whatever the student's code raises. Only a type checker reads this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from torch import Tensor, nn, optim


class Gan2018(Protocol):
    """Two networks, and a function that trains both, which holds the losses."""

    def generator(self) -> nn.Module:
        """Return a new network: latents [B, 100] → images of 784 pixels in [−1, 1], in any form."""

    def discriminator(self) -> nn.Module:
        """Return a new network: `fitting` images → a score of each."""

    def fitting(self, discriminator: nn.Module, images: Tensor) -> Tensor:
        """Return images [B, 1, 28, 28] in the form that a discriminator takes: as they are, or flat [B, 784]."""

    def optimizers(self, generator: nn.Module, discriminator: nn.Module, rate: float) -> list[optim.Optimizer]:
        """Return an optimiser of each network, with that learning rate."""

    def train(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        batches: Iterable[tuple[Tensor, Tensor]],
        optimizers: list[optim.Optimizer],
        batch_size: int,
        epochs: int = ...,
    ) -> None:
        """Train both for so many epochs (one by default) on batches of images [B, 1, 28, 28] in [−1, 1] with labels.

        `optimizers` are of the generator and of the discriminator.
        """

    def interpolate(self, generator: nn.Module, steps: int) -> Any:
        """Draw an interpolation. `steps` is for a function that asks how many images lie between the ends.

        Nothing is read of the result: the generator's calls are watched.
        """


class Gan2018Package(Protocol):
    """A submission as the family's probes see it."""

    @property
    def gan(self) -> Gan2018:
        """The adapter of that part."""
