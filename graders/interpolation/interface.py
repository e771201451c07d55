"""What the probes of interpolations ask an adapter for, as `package.interpolation`.

A method raises Missing, or whatever the student's code raises. A result of type Any is what the student's code gave, in
any form: its docstring says what a right one is. Only a type checker reads this file.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn


class Seen(Protocol):
    """The calls of a network that were seen so far."""

    def __len__(self) -> int:
        """Return how many there were."""

    def forget(self) -> None:
        """Count from zero again, where another form of the arguments is tried."""


class Interpolation(Protocol):
    """Walks through the latents of a GAN and of a VAE, by the student's functions."""

    def generator(self) -> nn.Module:
        """Return the plain generator, which the student's functions see, in eval mode."""

    def latent_size(self) -> int:
        """Return how many numbers the generator takes for an image."""

    def gan(self, start: Tensor, end: Tensor, steps: int, seen: Seen) -> Any:
        """Return what the student's walk from one latent to another, both [1, d], returns: its images or its latents.

        seen: calls of the generator.
        """

    def encoder(self) -> tuple[Any, str]:
        """Return where calls of the encoder can be watched: an object, and the name of its method."""

    def decoder(self) -> tuple[Any, str]:
        """Return where calls of the decoder can be watched: an object, and the name of its method."""

    def vae(self, first: Tensor, second: Tensor, steps: int, seen: Seen) -> Any:
        """Return the images or latents of the student's walk between two images [1, 1, 28, 28] in 0 … 1.

        seen: calls of the encoder.
        """


class InterpolationPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def interpolation(self) -> Interpolation:
        """The adapter of that part."""
