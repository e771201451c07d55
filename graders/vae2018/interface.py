"""What the probes of a VAE with a parameterisation of its author's ask an adapter for, as `package.vae`.

An encoder's second output may be a deviation, a variance, or a logarithm of either; a decoder's outputs may be means or
logits; a bound may have either sign. No adapter turns one into another: the host measures which of them it is. A method
raises Missing, or whatever the student's code raises. A result of type Any is what the student's code gave, in any
form: its docstring says what a right one is. Only a type checker reads this file.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn, optim


class Vae2018(Protocol):
    """The networks, the whole model, its samples, its loop. Images are [B, 1, 28, 28]."""

    def encoder(self, hidden_dim: int, z_dim: int) -> nn.Module:
        """Return a network: `fitting` images → the mean and the second output, about the spread, both [B, z_dim]."""

    def decoder(self, hidden_dim: int, z_dim: int) -> nn.Module:
        """Return a new network: [B, z_dim] → 784 outputs for each image, in any shape."""

    def model(self, hidden_dim: int, z_dim: int) -> nn.Module:
        """Return a new VAE."""

    def encoder_of(self, model: nn.Module) -> nn.Module:
        """Return the encoder of a VAE, which its forward calls."""

    def decoder_of(self, model: nn.Module) -> nn.Module:
        """Return the decoder of a VAE, which its forward calls."""

    def fitting(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return images in the form that an encoder or a VAE takes: as they are, or flat [B, 784]."""

    def bound(self, model: nn.Module, images: Tensor) -> Any:
        """Return the average bound, of either sign, a number with its graph, for `fitting` images; or their sum.

        A sum is right if the loop makes an average per image of it.
        """

    def sample(self, model: nn.Module, n: int) -> Any:
        """Return samples and means, both of n images in any form, alone or before other things."""

    def manifold(self, model: nn.Module) -> Any:
        """Draw the manifold of a VAE of 2 latents. Nothing is read of the result: the decoder's calls are watched."""

    def optimizer(self, model: nn.Module) -> optim.Optimizer:
        """Return the optimiser that `epoch` is given."""

    def epoch(self, model: nn.Module, images: Tensor, batch_size: int, optimizer: optim.Optimizer) -> Any:
        """Return one pass of the student's loop over images; its average bound, alone or before other things.

        It trains a model that is in training mode, and evaluates one that is in eval mode.
        """


class Vae2018Package(Protocol):
    """A submission as the family's probes see it."""

    @property
    def vae(self) -> Vae2018:
        """The adapter of that part."""
