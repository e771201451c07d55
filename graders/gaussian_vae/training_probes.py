"""Probes that train a student's Gaussian VAE for a short time by our loop, and then run its encoder and its decoder.

Images are uint8 [N, 1, 32, 32], scaled to [−1, 1] here. `settings` are the arguments `z_dim` and `features` of the
model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.probing.batches import scaled
from graders.probing.descent import Descent
from graders.probing.networks import weights_of

if TYPE_CHECKING:
    from graders.gaussian_vae.interface import GaussianVaePackage
    from graders.gaussian_vae.records import Code, Pictures, Train
    from graders.probing.records import State

CHUNK = 250


def train(package: GaussianVaePackage, images: Tensor, settings: dict[str, int], budget: dict[str, Any]) -> Train:
    """Train the model on the sum of the two losses that its forward returns.

    Uses Adam with clipped gradients and a one-cycle schedule. `budget` holds the number of `steps`, the `batch` size
    and the maximum learning `rate`.
    """
    model = package.gaussian_vae.model(**settings).train()
    descent = Descent(model, peak=budget["rate"], steps=budget["steps"], clip=10.0)
    for _ in range(budget["steps"]):
        batch = images[torch.randint(len(images), (budget["batch"],), device=images.device)]
        _, nll, kl = package.gaussian_vae.forward(model, scaled(batch))
        descent.step(nll.mean() + kl.mean())
    return {"weights": weights_of(model)}


@torch.no_grad()
def encode(package: GaussianVaePackage, weights: State, images: Tensor, settings: dict[str, int]) -> Code:
    """Return the posterior's mean and log-variance of images."""
    model = _model(package, weights, settings)
    found = [package.gaussian_vae.encode(model, scaled(chunk)) for chunk in images.split(CHUNK)]
    return {"mean": torch.cat([each.mean for each in found]), "logvar": torch.cat([each.logvar for each in found])}


@torch.no_grad()
def decode(package: GaussianVaePackage, weights: State, z: Tensor, settings: dict[str, int]) -> Tensor:
    """Return the mean of p(x|z), [N, 1, 32, 32], of latents [N, z_dim]."""
    model = _model(package, weights, settings)
    return torch.cat([package.gaussian_vae.decode(model, chunk).mean for chunk in z.split(CHUNK)])


@torch.no_grad()
def pictures(package: GaussianVaePackage, weights: State, ends: Tensor, n: int, settings: dict[str, int]) -> Pictures:
    """Draw samples, and interpolations of n images each between `ends` [W, 2, z_dim], by the student's functions."""
    model = _model(package, weights, settings)
    try:
        samples = torch.as_tensor(package.gaussian_vae.sample(model, 32)).float()
    except Exception:
        samples = None
    try:
        walks = [torch.as_tensor(package.gaussian_vae.interpolate(model, pair.split(1), n)).float() for pair in ends]
    except Exception:
        walks = []
    return {"samples": samples, "walks": walks}


def _model(package: GaussianVaePackage, weights: State, settings: dict[str, int]) -> nn.Module:
    model: nn.Module = package.gaussian_vae.model(**settings)
    model.load_state_dict(weights)
    return model.eval()
