"""What the probes of a conditional GAN ask an adapter for, as `package.cgan`.

Noise is [B, d] with d = noise_size(), labels int64 [B], images [B, 784]; all of it stays on the CPU. How a label is put
to a network (behind the noise, as an argument of its own, one-hot or as a number) is the adapter's matter. A method
raises Missing, or whatever the student's code raises. A result of type Any is what the student's code gave, in any
form: its docstring says what a right one is. Only a type checker reads this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn


class Seen(Protocol):
    """The calls of a network that were seen so far."""

    def __len__(self) -> int:
        """Return how many there were."""

    def forget(self) -> None:
        """Count from zero again, where another form of the arguments is tried."""


class Cgan(Protocol):
    """Both networks, the student's functions around the generator, and weights that were handed in."""

    def generator(self) -> nn.Module:
        """Return a copy of the conditional generator, untrained."""

    def own_generator(self) -> nn.Module:
        """Return the conditional generator itself, which the student's functions see."""

    def discriminator(self) -> nn.Module:
        """Return a copy of the conditional discriminator, untrained."""

    def noise_size(self) -> int:
        """Return how many numbers of noise the generator takes for an image, beside the label."""

    def images(self, generator: nn.Module, noise: Tensor, labels: Tensor, *, label_first: bool = ...) -> Any:
        """Return what a generator makes of noise and labels: B images. label_first: labels come before noise."""

    def scores(self, discriminator: nn.Module, images: Tensor, labels: Tensor) -> Any:
        """Return what a discriminator makes of images and labels: B scores."""

    def generator_input(self, noise: Tensor, labels: Tensor, encoded: Tensor) -> Any:
        """Return what the student's function puts together of noise and labels: rows for the generator.

        encoded: the labels as one-hot rows [B, 10], for functions that take those.
        """

    def generate(self, digit: int, encoded: Tensor, calls: Seen) -> Any:
        """Return what the student's function returns for n images of a digit.

        encoded: n times the digit as a one-hot row [n, 10], for functions that take those. calls: those of
        `own_generator`.
        """

    def weights(self) -> list[Path]:
        """Return the files that may hold weights of the generator."""


class CganPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def cgan(self) -> Cgan:
        """The adapter of that part."""
