"""Adapter for the VAE of 2021 to 2025, which uses Lightning, and a convolutional decoder with 16 logits per pixel.

Functions have the same names as in 2020. Of `train_pl.py`, only the module is used; its Trainer is never run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from gengrade.sandbox.guest.blank_data import loaders
from graders.adapting.calling import accepts, call
from graders.adapting.loading import Modules
from graders.adapting.members import EncoderAndDecoder, method

LEARNING_RATE = 1e-3  # the hand-out's


class VaeContract(EncoderAndDecoder):
    """`package.vae`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        if not modules.has("mnist"):  # the hand-out gives this file, so it need not be handed in
            module = ModuleType("mnist")
            module.__dict__["mnist"] = loaders(f"{modules.path('mnist')} was not handed in", labelled=True)
            sys.modules["mnist"] = module

    def reparameterize(self, mean: Tensor, std: Tensor) -> Any:
        """Return the student's draw of z from mean and std, both [B, z_dim]."""
        return call(self._function("sample_reparameterize"), {"mean": mean, "std": std})

    def kld(self, mean: Tensor, log_std: Tensor) -> Any:
        """Return the student's KL divergence [B] for mean and log_std, both [B, z_dim]."""
        return call(self._function("KLD"), {"mean": mean, "log_std": log_std})

    def bpd(self, elbo: Tensor, img_shape: torch.Size) -> Any:
        """Return the student's bits per dimension for a negative ELBO in nats [B], and images of shape [B, C, H, W]."""
        return call(self._function("elbo_to_bpd"), {"elbo": elbo, "img_shape": img_shape})

    def cnn_encoder(self, num_input_channels: int, num_filters: int, z_dim: int) -> nn.Module:
        """Return a new encoder: images [B, num_input_channels, 28, 28] → mean and log_std, each [B, z_dim]."""
        encoder: nn.Module = self._network("CNNEncoder", num_input_channels, num_filters, z_dim)
        return encoder

    def cnn_decoder(self, num_input_channels: int, num_filters: int, z_dim: int) -> nn.Module:
        """Return a new decoder: [B, z_dim] → [B, num_input_channels, 28, 28], a logit for each level of each pixel."""
        decoder: nn.Module = self._network("CNNDecoder", num_input_channels, num_filters, z_dim)
        return decoder

    def model(self, num_filters: int = 32, z_dim: int = 20) -> nn.Module:
        """Return a new VAE of the student's."""
        vae = self._modules.find("VAE", "train_pl")
        asked = {"num_filters": num_filters, "z_dim": z_dim}
        model: nn.Module = call(vae, asked | ({"lr": LEARNING_RATE} if accepts(vae, "lr") else {}))
        return model

    def sample(self, model: nn.Module, n: int) -> Any:
        """Return the samples [n, 1, 28, 28] of VAE.sample, alone or before other things."""
        return call(method(model, "sample", "VAE"), {"batch_size": n})

    def manifold(self, decoder: nn.Module, grid_size: int) -> Any:
        """Return the student's picture of grid_size × grid_size images of a decoder with 2 latents."""
        return call(self._function("visualize_manifold"), {"decoder": decoder, "grid_size": grid_size})

    def _network(self, name: str, num_input_channels: int, num_filters: int, z_dim: int) -> Any:
        asked = {"num_input_channels": num_input_channels, "num_filters": num_filters, "z_dim": z_dim}
        return call(self._modules.find(name, "cnn_encoder_decoder", "train_pl"), asked)

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self._modules.find(name, "utils", "train_pl")
        return function


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.vae.interface import Arithmetic, ConvolutionalNetworks, Model, Sampling

    class _Asked(Arithmetic, ConvolutionalNetworks, Model, Sampling, Protocol): ...

    def _adapter(modules: Modules) -> _Asked:
        return VaeContract(modules)
