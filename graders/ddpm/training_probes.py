"""Probes that train our small U-Net for a short time by a student's diffusion process, and then run it.

`predict` runs without student code: the network predicts the noise in images to which the host has added it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from graders.probing.descent import Descent
from graders.probing.networks import weights_of
from graders.probing.unet import UNet

if TYPE_CHECKING:
    from graders.ddpm.interface import DdpmPackage
    from graders.ddpm.records import Train
    from graders.probing.records import State

CHUNK = 256
TO_NOISE, TO_STEP = (4, 5), (0, 5, 2, 7)  # indices of the coefficients among the eight sequences


def train(package: DdpmPackage, images: Tensor, schedule: list[float], budget: dict[str, Any]) -> Train:
    """Train a U-Net on the student's loss, with their times and coefficients, by Adam with a one-cycle schedule.

    images: uint8 [N, 1, H, W]. `schedule` holds the first and the last β and the number of diffusion steps, `budget`
    the number of training `steps`, the `batch` size, the maximum learning `rate` and the network's `width`.
    """
    count = int(schedule[2])
    coefficients = _coefficients(package, schedule, TO_NOISE)
    model = UNet(budget["width"]).to(images.device)
    descent = Descent(model, peak=budget["rate"], steps=budget["steps"], clip=1.0)
    losses = torch.zeros(budget["steps"], device=images.device)
    for step in range(budget["steps"]):
        batch = images[torch.randint(len(images), (budget["batch"],), device=images.device)].float() / 127.5 - 1
        t = package.ddpm.t_sample(count, len(batch))
        loss = package.ddpm.p_losses(model, batch, t, coefficients)
        descent.step(loss)
        losses[step] = loss.detach()
    return {"weights": weights_of(model), "losses": losses}


@torch.no_grad()
def predict(package: DdpmPackage, weights: State, noisy: Tensor, t: Tensor, width: int) -> Tensor:
    """Return the noise that the network with these weights predicts in images [N, 1, H, W] at times t [N]."""
    model = _network(weights, width)
    pairs = zip(noisy.split(CHUNK), t.split(CHUNK), strict=True)
    return torch.cat([model(images, times) for images, times in pairs])


def generate(
    package: DdpmPackage, weights: State, schedule: list[float], width: int, shape: list[int], kept: list[int]
) -> Any:
    """Return the images after the steps `kept` of the student's loop, [len(kept), *shape]; None if the loop fails."""
    model = _network(weights, width)
    try:
        coefficients = _coefficients(package, schedule, TO_STEP)
        images = package.ddpm.p_sample_loop(model, shape, int(schedule[2]), coefficients)
        return torch.stack([torch.as_tensor(images[index]).float() for index in kept])
    except Exception:  # other checks judge the loop
        return None


def _coefficients(package: DdpmPackage, schedule: list[float], places: tuple[int, ...]) -> list[Tensor]:
    start, end, count = schedule
    sequences = list(package.ddpm.sequences(start, end, int(count)))
    return [torch.as_tensor(sequences[place]).float().cpu() for place in places]


def _network(weights: State, width: int) -> UNet:
    model = UNet(width).to(next(iter(weights.values())).device)
    model.load_state_dict(weights)
    return model.eval()
