"""Adapter for the GANs of EECS 498: functions in gan.py that give noise, networks, losses and an optimiser.

All images are flat, and the convolutional networks reshape them themselves; a student's network may also take or give
square ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn, optim

from graders.adapting.calling import answered, call
from graders.adapting.images import in_either_form
from graders.adapting.loading import Modules

STEM, OTHER = "gan", "vae"  # some students exchange what these two files hold


class ImageGanContract:
    """`package.image_gan`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def sample_noise(self, batch_size: int, noise_dim: int) -> Any:
        """Return the student's noise [batch_size, noise_dim], of the hand-out's type and device."""
        return self._asked("sample_noise", batch_size=batch_size, noise_dim=noise_dim)

    def discriminator(self) -> nn.Module:
        """Return a new network of fully connected layers for flat images."""
        return self._network("discriminator")

    def generator(self, noise_dim: int) -> nn.Module:
        """Return a new network of fully connected layers for noise [B, noise_dim]."""
        return self._network("generator", noise_dim=noise_dim)

    def dc_discriminator(self, batch_size: int) -> nn.Module:
        """Return a new convolutional network; the hand-out's is for batches of any size, so none is passed."""
        return self._network("build_dc_classifier")

    def dc_generator(self, noise_dim: int) -> nn.Module:
        """Return a new network of transposed convolutions for noise [B, noise_dim]."""
        return self._network("build_dc_generator", noise_dim=noise_dim)

    def score(self, discriminator: nn.Module, images: Tensor) -> Any:
        """Return the scores of images [B, 784], which are shown flat, or square to a network that needs it."""
        return answered(in_either_form(discriminator, images, images.reshape(-1, 1, 28, 28)), "the discriminator")

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Any:
        """Return the student's loss for the logits of real and of generated images."""
        return self._asked("discriminator_loss", logits_real=real, logits_fake=fake)

    def generator_loss(self, fake: Tensor) -> Any:
        """Return the student's loss for the logits of generated images."""
        return self._asked("generator_loss", logits_fake=fake)

    def ls_discriminator_loss(self, real: Tensor, fake: Tensor) -> Any:
        """Return the student's least-squares loss for the scores of real and of generated images."""
        return self._asked("ls_discriminator_loss", scores_real=real, scores_fake=fake)

    def ls_generator_loss(self, fake: Tensor) -> Any:
        """Return the student's least-squares loss for the scores of generated images."""
        return self._asked("ls_generator_loss", scores_fake=fake)

    def optimizer(self, model: nn.Module) -> optim.Optimizer:
        """Return the student's optimiser of a model."""
        optimizer: optim.Optimizer = self._asked("get_optimizer", model=model)
        return optimizer

    def _network(self, name: str, **settings: int) -> nn.Module:
        network: nn.Module = self._asked(name, **settings)
        return network

    def _asked(self, name: str, **asked: Any) -> Any:
        function: Callable[..., Any] = self._modules.find_exchanged(name, STEM, OTHER)
        return answered(call(function, asked), name, function)


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.image_gan.interface import ImageGan

    def _adapter(modules: Modules) -> ImageGan:
        return ImageGanContract(modules)
