"""What can be told of any network by running it: which parameters take part, and what its outputs can reach."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

DRIVE_STEPS = 100
DRIVE_RATE = 0.02
STRETCH = 3.0  # times an input: where activations bend, and a tanh at the end can still be undone


def stretched_lines(rows: Tensor) -> Tensor:
    """Stretched inputs [3·(B − 1), …]: each row but the last, then those halfway to the next, then the next."""
    return STRETCH * torch.cat([rows[:-1], (rows[:-1] + rows[1:]) / 2, rows[1:]])


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """What a network holds at this moment, by name."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def registration(network: nn.Module, output: Tensor) -> dict[str, int | str]:
    """Whether the parameters that `output` depends on are those that `network.parameters()` gives an optimiser.

    Walks the graph of autograd, so it is exact whatever the values. `unregistered` counts the tensors that take
    gradients and that no optimiser would see; `unreached` names the first parameter that takes no part.
    """
    used = _leaves(output)
    trained = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    registered = {id(parameter) for parameter in network.parameters()}
    unreached = [name for name, parameter in trained.items() if id(parameter) not in used]
    return {
        "parameters": sum(parameter.numel() for parameter in trained.values()),
        "unregistered": len(used - registered),
        "unreached": unreached[0] if unreached else "",
    }


def drive(
    network: nn.Module, forward: Callable[[], Tensor], target: Tensor, enough: Callable[[], bool] = lambda: False
) -> Tensor:
    """Trains the network to bring `forward()` to `target` (of as many elements); returns the nearest that it came.

    With a target outside the allowed range it shows the range itself, whatever the architecture. It ends as soon as
    what was seen is `enough`. In train mode, since spectral norms are up to date in no other.
    """
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=DRIVE_RATE)
    nearest, least = None, math.inf
    for _ in range(DRIVE_STEPS):
        optimizer.zero_grad()
        output = forward()
        error = (output.reshape(target.shape) - target).square().mean()
        if error < least:  # steps of this size may throw it back at any time, be it the last
            nearest, least = output.detach().clone(), error.item()
        if enough():
            break
        error.backward()
        optimizer.step()
    return forward().detach() if nearest is None else nearest


def _leaves(output: Tensor) -> set[int]:
    """The identities of the tensors at the end of the graph: those that gradients are accumulated in."""
    found: set[int] = set()
    seen: set[object] = set()
    stack = [output.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            found.add(id(variable))
        stack.extend(parent for parent, _ in node.next_functions)
    return found
