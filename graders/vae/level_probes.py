"""Probes of what a VAE for images with several levels shows: its samples, and the picture of its latent space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graders.probing.injecting import shifted_levels
from graders.probing.networks import built
from graders.probing.telltales import LayeredTelltale, pictured
from graders.probing.watching import watch

if TYPE_CHECKING:
    from graders.vae.interface import VaePackage
    from graders.vae.records import LevelSample, LevelSamples, Manifold


def samples(package: VaePackage, n: int, z_dim: int, shift: Tensor) -> LevelSamples:
    """Return the results of two calls of `VAE.sample(n)`, with the decoder's inputs and outputs.

    `shift` [L, 28, 28] is added to the decoder's logits. Without it all levels would be about equally probable before
    training, where a wrong distribution could not be told from the right one.
    """
    model = built(package.vae.model, num_filters=4, z_dim=z_dim).to(shift.device).eval()
    decoded = watch(package.vae.decoder_of(model), lambda output: shifted_levels(output, shift))

    def call() -> LevelSample:
        decoded.forget()
        with torch.no_grad():
            returned = package.vae.sample(model, n)
        if isinstance(returned, tuple | list) and returned:
            returned = returned[0]
        if returned is None:
            raise TypeError("VAE.sample should return x_samples, but returned None")
        seen = len(decoded) > 0
        return {
            "samples": torch.as_tensor(returned).float(),
            "z": torch.cat([inputs[0] for inputs in decoded.inputs]) if seen else None,
            "logits": torch.cat(decoded.outputs) if seen else None,
        }

    return {**call(), "again": call()}


def manifold(package: VaePackage, grid_size: int, levels: int, offset: float) -> Manifold:
    """Return the student's picture of a decoder of ours, and the latents that it decoded."""
    decoder = LayeredTelltale(levels, offset).eval()
    grid, latents = pictured(decoder, lambda: package.vae.manifold(decoder, grid_size))
    return {"picture": grid, "latents": latents}
