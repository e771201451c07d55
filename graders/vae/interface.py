"""What the probes of a VAE ask an adapter for, as `package.vae`.

An adapter has the methods that its rubric's checks need, group by group: that of `uva2020` has all of `Vae`, that of
`uva2021` has `Arithmetic`, `ConvolutionalNetworks` and `Model`. A method raises Missing, or whatever the student's code
raises. A result of type Any is what the student's code gave, in any form: its docstring says what a right one is.
Only a type checker reads this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Arithmetic(Protocol):
    """Functions without a network."""

    def reparameterize(self, mean: Tensor, std: Tensor) -> Any:
        """One draw of N(mean, std²) with gradients by both: three tensors of one shape."""

    def kld(self, mean: Tensor, log_std: Tensor) -> Any:
        """The divergence of N(mean, exp(log_std)²) to N(0, I), summed over the last dimension: [..., d] → [...]."""

    def bpd(self, elbo: Tensor, img_shape: torch.Size) -> Any:
        """Bits per dimension of negative bounds `elbo` [B] in nats, for images of `img_shape` [B, C, H, W]: [B]."""


class ConvolutionalNetworks(Protocol):
    """An encoder and a decoder on their own, made of convolutions. The encoder gives mean and log_std, [B, z_dim]."""

    def cnn_encoder(self, *, num_input_channels: int, num_filters: int, z_dim: int) -> nn.Module:
        """A new network: images [B, num_input_channels, 28, 28] → mean, log_std."""

    def cnn_decoder(self, *, num_input_channels: int, num_filters: int, z_dim: int) -> nn.Module:
        """A new network: [B, z_dim] → logits [B, num_input_channels, 28, 28]."""


class Networks(ConvolutionalNetworks, Protocol):
    """Encoders and decoders on their own. An encoder gives mean and log_std, both [B, z_dim]."""

    def mlp_encoder(self, *, input_dim: int, hidden_dims: list[int], z_dim: int) -> nn.Module:
        """A new network: images [B, C, H, W] with C·H·W = input_dim → mean, log_std."""

    def mlp_decoder(self, *, z_dim: int, hidden_dims: list[int], output_shape: list[int]) -> nn.Module:
        """A new network: [B, z_dim] → logits [B, *output_shape]."""


class Model(Protocol):
    """The whole VAE, of convolutions. Its forward takes images [B, 1, 28, 28] and gives L_rec, L_reg and bpd."""

    def model(self, *, num_filters: int = ..., z_dim: int = ...) -> nn.Module:
        """A new VAE."""

    def encoder_of(self, model: nn.Module) -> nn.Module:
        """The part of a VAE that `forward` calls as its encoder: images → mean, log_std, both [B, z_dim]."""

    def decoder_of(self, model: nn.Module) -> nn.Module:
        """The part of a VAE that `forward` calls as its decoder: [B, z_dim] → logits of images."""


class ModelOfAnyKind(Model, Protocol):
    """The whole VAE, of fully connected layers too."""

    def model(
        self, kind: str = ..., hidden_dims: Sequence[int] = ..., num_filters: int = ..., z_dim: int = ...
    ) -> nn.Module:
        """A new VAE. kind: "MLP", made with `hidden_dims`, or "CNN", made with `num_filters`."""


class Sampling(Protocol):
    """Images from the prior."""

    def sample(self, model: nn.Module, n: int) -> Any:
        """Samples and means of a VAE, both [n, 1, 28, 28], alone or before other things."""

    def manifold(self, decoder: nn.Module, grid_size: int) -> Any:
        """A picture of grid_size × grid_size images: what a decoder of 2 latents makes of a grid of quantiles."""


class Loops(Protocol):
    """The student's own training and evaluation. Batches are images [B, 1, 28, 28] with labels [B]."""

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser that the student's training steps with."""

    def train_epoch(
        self, model: nn.Module, loader: Iterable[Sequence[Tensor]], optimizer: torch.optim.Optimizer
    ) -> Any:
        """Trains for one epoch. Averages of bpd, L_rec and L_reg as the student returns them.

        `()` where nothing is returned, and None where a loop that is not the student's keeps them, as Lightning's does.
        """

    def test_epoch(self, model: nn.Module, loader: Iterable[Sequence[Tensor]]) -> Any:
        """Evaluates on all batches, without training. Returns the same averages as `train_epoch`."""


class Vae(Arithmetic, Networks, ModelOfAnyKind, Sampling, Loops, Protocol):
    """All that the family's probes ask for."""


class VaePackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def vae(self) -> Vae:
        """The adapter of that part."""
