"""Watching the optimisers of a loop: what each of their steps moves, and by whose gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Losses:
    """Keeps, of the latest loss that each step function returned, the gradient for the network that it is meant for."""

    def __init__(self, model: nn.Module, networks: dict[str, nn.Module]) -> None:
        self.gradients: dict[str, list[Tensor | None]] = {}
        for name, network in networks.items():
            original = getattr(model, f"{name}_step", None)
            if original is not None:
                object.__setattr__(model, f"{name}_step", self._keeping(name, network, original))

    def _keeping(self, name: str, network: nn.Module, original: Callable[..., Any]) -> Callable[..., Any]:
        def keep(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            loss = result[0] if isinstance(result, tuple | list) else result
            if isinstance(loss, Tensor) and loss.requires_grad:
                wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
                # none want gradients while the loop has this network frozen
                found = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True) if wanted else ()
                self.gradients[name] = list(found)
            return result

        return keep


def record_steps(
    optimizer: torch.optim.Optimizer, networks: dict[str, nn.Module], losses: Losses, steps: list[dict[str, Any]]
) -> None:
    """Lets every `optimizer.step()` add to `steps` what it moved, and whose gradients it used."""
    original = optimizer.step
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    owner = next((name for name, network in networks.items() if held & {id(p) for p in network.parameters()}), "")

    def step(*args: Any, **kwargs: Any) -> Any:
        before = {name: snapshot(network) for name, network in networks.items()}
        agreement = _agreement(networks[owner], losses.gradients.get(owner)) if owner else None
        result = original(*args, **kwargs)
        moved = {name: distance(before[name], network) for name, network in networks.items()}
        steps.append({"owner": owner, "moved": moved, "agreement": agreement})
        return result

    object.__setattr__(optimizer, "step", step)


def _agreement(network: nn.Module, own: list[Tensor | None] | None) -> float | None:
    """The cosine between the gradients that an optimiser is about to use and those of the network's own latest loss."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not own or len(own) != len(parameters):
        return None
    used = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
    pairs = [
        (u.flatten(), torch.zeros_like(u).flatten() if o is None else o.flatten())
        for u, o in zip(used, own, strict=True)
    ]
    first, second = torch.cat([u for u, _ in pairs]), torch.cat([o for _, o in pairs])
    return float(torch.nn.functional.cosine_similarity(first.double(), second.double(), dim=0))


def snapshot(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def distance(before: list[Tensor], network: nn.Module) -> float:
    """The largest change of any parameter."""
    changes = [(new.detach() - old).abs().max() for old, new in zip(before, network.parameters(), strict=True)]
    return float(torch.stack(changes).max()) if changes else 0.0
