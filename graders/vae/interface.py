"""What the probes of a VAE ask an adapter for, as `package.vae`.

An adapter has the methods that its rubric's checks need, group by group: that of `uva2020` has `WithLoops`, that of
`uva2021` has `Arithmetic`, `ConvolutionalNetworks`, `Model` and `Sampling`, and that of `eecs498` has `WithHeads`. A
method raises Missing, or whatever the student's code raises. A result of type Any is what the student's code gave, in
any form: its docstring says what a right one is. Only a type checker reads this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Draws(Protocol):
    """Draws that gradients pass through."""

    def reparameterize(self, mean: Tensor, std: Tensor) -> Any:
        """Return one draw of N(mean, std²) with gradients by both: three tensors of one shape."""


class Arithmetic(Draws, Protocol):
    """Functions without a network."""

    def kld(self, mean: Tensor, log_std: Tensor) -> Any:
        """Return KL(N(mean, exp(log_std)²) ‖ N(0, I)), summed over the last dimension: [..., d] → [...]."""

    def bpd(self, elbo: Tensor, img_shape: torch.Size) -> Any:
        """Return bits per dimension [B] of negative bounds `elbo` [B] in nats. `img_shape` is [B, C, H, W]."""


class ConvolutionalNetworks(Protocol):
    """An encoder and a decoder on their own, made of convolutions. The encoder gives mean and log_std, [B, z_dim]."""

    def cnn_encoder(self, *, num_input_channels: int, num_filters: int, z_dim: int) -> nn.Module:
        """Return a new network: images [B, num_input_channels, 28, 28] → mean, log_std."""

    def cnn_decoder(self, *, num_input_channels: int, num_filters: int, z_dim: int) -> nn.Module:
        """Return a new network: [B, z_dim] → logits [B, num_input_channels, 28, 28]."""


class Networks(ConvolutionalNetworks, Protocol):
    """Encoders and decoders on their own. An encoder gives mean and log_std, both [B, z_dim]."""

    def mlp_encoder(self, *, input_dim: int, hidden_dims: list[int], z_dim: int) -> nn.Module:
        """Return a new network: images [B, C, H, W] with C·H·W = input_dim → mean, log_std."""

    def mlp_decoder(self, *, z_dim: int, hidden_dims: list[int], output_shape: list[int]) -> nn.Module:
        """Return a new network: [B, z_dim] → logits [B, *output_shape]."""


class Model(Protocol):
    """The whole VAE, of convolutions. Its forward takes images [B, 1, 28, 28] and gives L_rec, L_reg and bpd."""

    def model(self, *, num_filters: int = ..., z_dim: int = ...) -> nn.Module:
        """Return a new VAE."""

    def encoder_of(self, model: nn.Module) -> nn.Module:
        """Return the part of a VAE that `forward` calls as its encoder: images → mean, log_std, both [B, z_dim]."""

    def decoder_of(self, model: nn.Module) -> nn.Module:
        """Return the part of a VAE that `forward` calls as its decoder: [B, z_dim] → logits of images."""


class ModelOfAnyKind(Model, Protocol):
    """The whole VAE, of fully connected layers too."""

    def model(
        self, kind: str = ..., hidden_dims: Sequence[int] = ..., num_filters: int = ..., z_dim: int = ...
    ) -> nn.Module:
        """Return a new VAE. kind: "MLP", made with `hidden_dims`, or "CNN", made with `num_filters`."""


class Sampling(Protocol):
    """Images from the prior."""

    def sample(self, model: nn.Module, n: int) -> Any:
        """Return samples of a VAE [n, 1, 28, 28], with their means beside them where the pixels are binary.

        Other things may come after these.
        """

    def manifold(self, decoder: nn.Module, grid_size: int) -> Any:
        """Return a picture of grid_size × grid_size images: what a decoder of 2 latents makes of quantiles."""


class Loops(Protocol):
    """The student's own training and evaluation. Batches are images [B, 1, 28, 28] with labels [B]."""

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser that the student's training steps with."""

    def train_epoch(
        self, model: nn.Module, loader: Iterable[Sequence[Tensor]], optimizer: torch.optim.Optimizer
    ) -> Any:
        """Train for one epoch. Averages of bpd, L_rec and L_reg as the student returns them.

        `()` where nothing is returned, and None where a loop that is not the student's keeps them, as Lightning's does.
        """

    def test_epoch(self, model: nn.Module, loader: Iterable[Sequence[Tensor]]) -> Any:
        """Evaluates on all batches, without training. Returns the same averages as `train_epoch`."""


class WithLoops(Arithmetic, Networks, ModelOfAnyKind, Sampling, Loops, Protocol):
    """A VAE of which the student writes everything: the arithmetic, networks, samples and loops."""


class WithHeads(Draws, Protocol):
    """A VAE and a conditional VAE of fully connected layers, each with an encoder, two heads and a decoder; their loss.

    Images are [B, 1, 28, 28] in [0, 1], labels one-hot [B, 10], latents [B, latent_size].
    """

    def loss_function(self, x_hat: Tensor, x: Tensor, mean: Tensor, logvar: Tensor) -> Any:
        """Return the binary cross-entropy of means x_hat and images x, plus the divergence, over the batch size."""

    def headed_model(self, *, conditional: bool, latent_size: int) -> nn.Module:
        """Return a new VAE, or a new conditional VAE."""

    def forward(self, model: nn.Module, x: Tensor, labels: Tensor | None) -> Any:
        """Return the reconstruction [B, 1, 28, 28], mean and logvar. `labels` are for a conditional VAE."""

    def encoder_of(self, model: nn.Module) -> nn.Module:
        """Return the network that maps images, with their labels, to what both heads take."""

    def heads_of(self, model: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Return the layers that give mean and logvar."""

    def decoder_of(self, model: nn.Module) -> nn.Module:
        """Return the network that maps latents, with labels behind them, to the means of pixels."""

    def inject_reparameterize(self, model: nn.Module, injected: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Let the model call `injected(mean, logvar)` in place of the student's function, if it calls that at all."""


class Vae(WithLoops, WithHeads, Protocol):
    """All that the family's probes ask for."""


class VaePackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def vae(self) -> Vae:
        """The adapter of that part."""
