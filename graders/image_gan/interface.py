"""What the probes of a GAN with prescribed networks ask an adapter for, as `package.image_gan`.

Images have 28×28 pixels in [−1, 1]. A method raises Missing, or whatever the student's code raises. A result of type
Any is what the student's code gave, in any form: its docstring says what a right one is. Only a type checker reads this
file.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn, optim


class ImageGan(Protocol):
    """Noise, four networks, the losses of two GANs, and the optimiser."""

    def sample_noise(self, batch_size: int, noise_dim: int) -> Any:
        """Return noise [batch_size, noise_dim], uniform between −1 and 1."""

    def discriminator(self) -> nn.Module:
        """Return a new network of fully connected layers, which `score` is asked about."""

    def generator(self, noise_dim: int) -> nn.Module:
        """Return a new network of fully connected layers: noise [B, noise_dim] → images."""

    def dc_discriminator(self, batch_size: int) -> nn.Module:
        """Return a new convolutional network, which `score` is asked about for as many images."""

    def dc_generator(self, noise_dim: int) -> nn.Module:
        """Return a new network of transposed convolutions: noise [B, noise_dim] → images."""

    def score(self, discriminator: nn.Module, images: Tensor) -> Any:
        """Return the scores of images [B, 784], which it gets flat or square, as it takes them: [B, 1] or [B]."""

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Any:
        """Return −E log D(x) − E log(1 − D(G(z))) for the scores of real and of generated images, which are logits."""

    def generator_loss(self, fake: Tensor) -> Any:
        """Return −E log D(G(z)) for the scores of generated images, which are logits."""

    def ls_discriminator_loss(self, real: Tensor, fake: Tensor) -> Any:
        """Return ½ E (D(x) − 1)² + ½ E D(G(z))² for the scores of real and of generated images."""

    def ls_generator_loss(self, fake: Tensor) -> Any:
        """Return ½ E (D(G(z)) − 1)² for the scores of generated images."""

    def optimizer(self, model: nn.Module) -> optim.Optimizer:
        """Return an optimiser of the model's parameters."""


class ImageGanPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def image_gan(self) -> ImageGan:
        """The adapter of that part."""
