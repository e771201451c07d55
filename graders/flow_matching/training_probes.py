"""Probes that train a small network of ours for a short time on a student's path and loss, and then ask it.

`predict` runs without student code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.probing.descent import Descent
from graders.probing.networks import weights_of

if TYPE_CHECKING:
    from graders.flow_matching.interface import FlowMatchingPackage
    from graders.flow_matching.records import Train
    from graders.probing.records import State


class Field(nn.Module):
    """A vector field u(x, t) of a network with two hidden layers: x [B, d], t [B, 1]."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(dim + 1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()]
        self.net = nn.Sequential(*layers, nn.Linear(width, dim))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.as_tensor(self.net(torch.cat([x, t], dim=-1)))


class Data:
    """A distribution that draws from a set of points [N, d], again and again."""

    def __init__(self, points: Tensor) -> None:
        self.points, self.dim = points, points.shape[1]

    def sample(self, num_samples: int) -> Tensor:
        return self.points[torch.randint(len(self.points), (num_samples,), device=self.points.device)]


def train(package: FlowMatchingPackage, points: Tensor, budget: dict[str, Any]) -> Train:
    """Train a network on the student's path, schedules and loss, by Adam with a one-cycle schedule.

    points: the data [N, d]. `budget` holds the number of `steps`, the `batch` size, the largest learning `rate` and the
    network's `width`.
    """
    alpha, beta = package.flow_matching.alpha(), package.flow_matching.beta()
    path = package.flow_matching.gaussian_path(Data(points), alpha, beta)
    model = Field(points.shape[1], budget["width"]).to(points.device)
    trainer = package.flow_matching.flow_matching_trainer(path, model)
    descent = Descent(model, peak=budget["rate"], steps=budget["steps"], clip=10.0)
    losses = torch.zeros(budget["steps"], device=points.device)
    for step in range(budget["steps"]):
        loss = package.flow_matching.loss(trainer, budget["batch"])
        descent.step(loss)
        losses[step] = loss.detach()
    return {"weights": weights_of(model), "losses": losses}


@torch.no_grad()
def predict(package: FlowMatchingPackage, weights: State, x: Tensor, t: Tensor, width: int) -> Tensor:
    """Return the field of the network with these weights at points x [N, d] and times t [N, 1]."""
    model = Field(x.shape[1], width).to(x.device)
    model.load_state_dict(weights)
    return torch.as_tensor(model(x, t))
