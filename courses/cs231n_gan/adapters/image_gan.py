"""Adapter for the GANs of CS231n: functions in gan_pytorch.py that give noise, networks, losses and an optimiser.

The hand-out's loop shows images as [N, 1, 28, 28] to the discriminators, and flattens nothing before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn, optim

from graders.adapting.calling import answered, call
from graders.adapting.images import in_either_form
from graders.adapting.loading import Modules

STEM = "gan_pytorch"


class ImageGanContract:
    """`package.image_gan`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def sample_noise(self, batch_size: int, noise_dim: int) -> Any:
        """Return the student's noise [batch_size, noise_dim]."""
        return self._answer("sample_noise", {"batch_size": batch_size, "dim": noise_dim})

    def discriminator(self) -> nn.Module:
        """Return a new network of fully connected layers."""
        network: nn.Module = self._answer("discriminator", {})
        return network

    def generator(self, noise_dim: int) -> nn.Module:
        """Return a new network of fully connected layers for noise [B, noise_dim]."""
        network: nn.Module = self._answer("generator", {"noise_dim": noise_dim})
        return network

    def dc_discriminator(self, batch_size: int) -> nn.Module:
        """Return a new convolutional network, for batches of this size where the hand-out lets it be built for one.

        The hand-out passes that size, or, in old notebooks, reads it from a global: `Unflatten(batch_size, 1, 28, 28)`
        is a line that was given.
        """
        asks = bool(inspect.signature(self._function("build_dc_classifier")).parameters)
        said = {} if asks else {"batch": batch_size}
        network: nn.Module = self._answer("build_dc_classifier", {"batch_size": batch_size} if asks else {}, said)
        return network

    def dc_generator(self, noise_dim: int) -> nn.Module:
        """Return a new network of transposed convolutions for noise [B, noise_dim]."""
        network: nn.Module = self._answer("build_dc_generator", {"noise_dim": noise_dim})
        return network

    def score(self, discriminator: nn.Module, images: Tensor) -> Any:
        """Return the scores of images [B, 784], shown as [B, 1, 28, 28], or flat to a network that needs it."""
        return answered(in_either_form(discriminator, images.reshape(-1, 1, 28, 28), images), "the discriminator")

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Any:
        """Return the student's loss for the logits of real and of generated images."""
        return self._answer("discriminator_loss", {"logits_real": real, "logits_fake": fake})

    def generator_loss(self, fake: Tensor) -> Any:
        """Return the student's loss for the logits of generated images."""
        return self._answer("generator_loss", {"logits_fake": fake})

    def ls_discriminator_loss(self, real: Tensor, fake: Tensor) -> Any:
        """Return the student's least-squares loss for the scores of real and of generated images."""
        return self._answer("ls_discriminator_loss", {"scores_real": real, "scores_fake": fake})

    def ls_generator_loss(self, fake: Tensor) -> Any:
        """Return the student's least-squares loss for the scores of generated images."""
        return self._answer("ls_generator_loss", {"scores_fake": fake})

    def optimizer(self, model: nn.Module) -> optim.Optimizer:
        """Return the student's optimiser of a model."""
        optimizer: optim.Optimizer = self._answer("get_optimizer", {"model": model})
        return optimizer

    def _answer(self, name: str, asked: dict[str, Any], said: dict[str, int] | None = None) -> Any:
        function = self._function(name)
        return answered(call(function, asked, said=said), name, function)

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self._modules.find(name, STEM)
        return function


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.image_gan.interface import ImageGan

    def _adapter(modules: Modules) -> ImageGan:
        return ImageGanContract(modules)
