"""Probes that train a VAE for a short time, whichever sign its bound has, and then run its encoder and its decoder.

The decoder's probe is given only the decoder's weights and latents, so its answer says something about the decoder
alone, wherever the weights came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from graders.probing.batches import batches, rolled
from graders.probing.descent import Descent
from graders.probing.networks import built, weights_of

if TYPE_CHECKING:
    from graders.probing.records import State
    from graders.vae2018.interface import Vae2018Package
    from graders.vae2018.records import Code, Train

CHUNK = 1000  # images in one pass without training
CLIP = 0.3  # limit on the gradient's norm, per pixel


def train(
    package: Vae2018Package, images: Tensor, settings: dict[str, int], epochs: int, batch: int, peak: float, shift: int
) -> Train:
    """Train the student's model to minimise the absolute value of the bound that its forward returns.

    Uses Adam with clipped gradients and a one-cycle schedule with maximum learning rate `peak`. images: uint8
    [N, 1, 28, 28] of 0 and 1; each batch is shifted by up to `shift` pixels.
    """
    model = built(package.vae.model, **settings).to(images.device)
    steps = len(images) // batch
    descent = Descent(model, peak=peak, steps=steps * epochs, clip=CLIP * 28 * 28)
    square = package.vae.fitting(model, images[:batch].float()).dim() == images.dim()
    samples = [_samples(package, model)]
    curve = torch.zeros(epochs, device=images.device)
    model.train()
    for epoch in range(epochs):
        for some in batches(images, batch):
            chosen = rolled(some, shift)
            bound = package.vae.bound(model, chosen if square else chosen.flatten(1))
            descent.step(bound if float(bound.detach()) > 0 else -bound)
            curve[epoch] += bound.detach() / steps
    return {
        "model": weights_of(model),
        "decoder": weights_of(package.vae.decoder_of(model)),
        "curve": curve,
        "samples": [*samples, _samples(package, model)],
    }


@torch.no_grad()
def encode(package: Vae2018Package, weights: State, images: Tensor, settings: dict[str, int]) -> Code:
    """Return the encoder's outputs for uint8 images [N, 1, 28, 28], with these weights."""
    model = built(package.vae.model, **settings).to(images.device)
    model.load_state_dict(weights)
    encoder = package.vae.encoder_of(model).eval()
    codes = [encoder(package.vae.fitting(encoder, chunk.float()))[:2] for chunk in images.split(CHUNK)]
    mean, second = (torch.cat(parts) for parts in zip(*codes, strict=True))
    return {"mean": mean, "second": second}


@torch.no_grad()
def decode(package: Vae2018Package, weights: State, z: Tensor, settings: dict[str, int]) -> Tensor:
    """Return the decoder's outputs [N, 784] for latents [N, z_dim], with the decoder's weights only."""
    decoder = package.vae.decoder_of(built(package.vae.model, **settings)).to(z.device)
    decoder.load_state_dict(weights)
    return torch.cat([decoder.eval()(chunk).flatten(1) for chunk in z.split(CHUNK)])


@torch.no_grad()
def _samples(package: Vae2018Package, model: nn.Module) -> Tensor | None:
    """Return samples [64, 784]; None if the student's `sample` fails, which another check judges."""
    training = model.training
    try:
        return torch.as_tensor(package.vae.sample(model.eval(), 64)[0]).float().reshape(64, -1)
    except Exception:
        return None
    finally:
        model.train(training)
