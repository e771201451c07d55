"""Probes that train a student's VAE with our loop, and that then run its encoder and its decoder separately.

The decoder's probe gets only the decoder's weights and latents, so its images depend on nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.probing.batches import batches, rolled
from graders.probing.descent import Descent
from graders.probing.networks import built, weights_of
from graders.probing.pictures import picture

if TYPE_CHECKING:
    from graders.probing.records import State
    from graders.vae.interface import VaePackage
    from graders.vae.records import Code, Training

CHUNK = 1000  # images in one pass outside of training
CLIP = 0.3  # largest norm of the gradient; without it, training diverges for some right networks (with ELU)


def train(
    package: VaePackage, images: Tensor, held_out: Tensor, settings: dict[str, Any], budget: dict[str, Any]
) -> Training:
    """Train the student's model on the bpd that its forward returns: Adam, clipped gradients, a one-cycle schedule.

    Args:
        images, held_out: uint8 [N, 1, 28, 28] of 0 and 1.
        settings: the model's kind and sizes.
        budget: `epochs`, `batch` (size), `peak` (the highest learning rate), `shift` (the most pixels by which a batch
            is moved at random, if images are few), and `target` (training stops after an epoch whose average loss is
            below it).
    """
    model = built(package.vae.model, **settings).to(images.device)
    steps = len(images) // budget["batch"]
    descent = Descent(model, peak=budget["peak"], steps=steps * budget["epochs"], clip=CLIP)
    samples = [_samples(package, model)]
    curve: list[list[float]] = []
    for epoch in range(1, budget["epochs"] + 1):
        total = torch.zeros((), dtype=torch.float64, device=images.device)  # reading it would wait for the step
        model.train()
        for batch in batches(images, budget["batch"]):
            loss = model(rolled(batch, budget["shift"]))[2].mean()
            descent.step(loss)
            total += loss.detach().double() / steps
        average = float(total)
        curve.append([epoch, average, _returned(model, held_out)])
        if epoch == budget["epochs"] // 2:
            samples.append(_samples(package, model))
        if average < budget["target"]:
            break
    return {
        "model": weights_of(model),
        "decoder": weights_of(package.vae.decoder_of(model)),
        "curve": torch.tensor(curve, dtype=torch.float64),
        "samples": [*samples, _samples(package, model)],
    }


@torch.no_grad()
def encode(package: VaePackage, weights: State, images: Tensor, settings: dict[str, Any]) -> Code:
    """Return the posterior's mean and log_std for uint8 images [N, 1, 28, 28], given all weights."""
    model = built(package.vae.model, **settings).to(images.device)
    model.load_state_dict(weights)
    encoder = package.vae.encoder_of(model).eval()
    codes = [encoder(chunk.float())[:2] for chunk in images.split(CHUNK)]
    mean, log_std = (torch.cat(parts) for parts in zip(*codes, strict=True))
    return {"mean": mean, "log_std": log_std}


@torch.no_grad()
def decode(package: VaePackage, weights: State, z: Tensor, settings: dict[str, Any]) -> Tensor:
    """Return the logits [N, 1, 28, 28] for latents [N, z_dim], given only the decoder's weights."""
    decoder = _decoder(package, weights, z, settings)
    return torch.cat([decoder(chunk) for chunk in z.split(CHUNK)])


@torch.no_grad()
def manifold(package: VaePackage, weights: State, settings: dict[str, Any], grid_size: int) -> Tensor | None:
    """Return the student's picture of a trained decoder's two-dimensional latent space; None if their code fails."""
    decoder = _decoder(package, weights, next(iter(weights.values())), settings)
    try:
        theirs = picture(package.vae.manifold(decoder, grid_size))
        _, _, _ = theirs.shape
        return theirs
    except Exception:  # `vae.manifold` judges that.
        return None


def _decoder(package: VaePackage, weights: State, like: Tensor, settings: dict[str, Any]) -> nn.Module:
    decoder: nn.Module = package.vae.decoder_of(built(package.vae.model, **settings)).to(like.device)
    decoder.load_state_dict(weights)
    return decoder.eval()


@torch.no_grad()
def _returned(model: nn.Module, images: Tensor) -> float:
    """Return the average bpd that the model returns in eval mode."""
    model.eval()
    losses = [float(model(chunk.float())[2].mean()) * len(chunk) for chunk in images.split(CHUNK)]
    return sum(losses) / len(images)


def _samples(package: VaePackage, model: nn.Module) -> Tensor | None:
    """Return 64 samples; None if the student's `sample` fails, which `vae.sample` judges."""
    model.eval()
    try:
        samples = torch.as_tensor(package.vae.sample(model, 64)[0])
    except Exception:
        return None
    return samples.float()
