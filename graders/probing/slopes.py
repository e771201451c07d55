"""Slopes of a network's values along directions in its parameters, by which what its gradients predict can be judged.

A gradient that is not zero may still be another one than that of the value. So parameters are moved to either side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Direction = list[Tensor]  # one tensor for each parameter

LEAST_SIZE = 1e-3  # a parameter that is smaller on average, such as a bias of zero, moves as if it had this size


def trained(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of a network that an optimiser would change."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def as_now(network: nn.Module) -> Callable[[], None]:
    """Return a function that brings back the network's buffers and torch's random state of now.

    Without it, a network that draws numbers or updates averages in training mode gives other outputs in each call.
    """
    buffers = [(each, each.detach().clone()) for each in network.buffers()]
    state = torch.get_rng_state()

    def bring_back() -> None:
        torch.set_rng_state(state)
        with torch.no_grad():
            for each, value in buffers:
                each.copy_(value)

    return bring_back


def set_mode(network: nn.Module, training: bool) -> None:
    """Put a network into training or eval mode, but leaves out dropout, which would hide what else it computes."""
    network.train(training)
    for each in network.modules():
        if isinstance(each, nn.modules.dropout._DropoutNd):
            each.eval()


def directions(tensors: Sequence[Tensor], count: int) -> list[Direction]:
    """Return random directions whose elements are normal, each tensor's of the size of its own elements."""
    sizes = [max(float(each.detach().square().mean().sqrt()), LEAST_SIZE) for each in tensors]
    return [[size * torch.randn_like(each) for size, each in zip(sizes, tensors, strict=True)] for _ in range(count)]


@torch.no_grad()
def to_either_side(
    tensors: Sequence[Tensor], along: Sequence[Direction], step: float, ask: Callable[[], Tensor]
) -> Tensor:
    """Return what `ask()` gives after the tensors were moved by `step` and by −`step`: [directions, 2, …]."""
    start = [each.detach().clone() for each in tensors]
    found = []
    for direction in along:
        for distance in (step, -step):
            for each, value, way in zip(tensors, start, direction, strict=True):
                each.copy_(value + distance * way)
            found.append(ask().detach().clone())
    for each, value in zip(tensors, start, strict=True):
        each.copy_(value)
    given = torch.stack(found)
    return given.reshape(len(along), 2, *given.shape[1:])


def predicted(value: Tensor, tensors: Sequence[Tensor], along: Sequence[Direction]) -> Tensor:
    """Return the slopes [directions] of a scalar that its gradients predict; zero if it has none."""
    gradients: Sequence[Tensor | None] = [None] * len(tensors)
    if value.requires_grad and tensors:
        gradients = torch.autograd.grad(value, list(tensors), retain_graph=True, allow_unused=True)
    return torch.stack(
        [
            sum(
                (
                    (g.double() * way.double()).sum()
                    for g, way in zip(gradients, direction, strict=True)
                    if g is not None
                ),
                torch.zeros((), dtype=torch.float64, device=value.device),
            )
            for direction in along
        ]
    )
