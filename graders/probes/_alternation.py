"""Watching the optimisers of a loop: what each of their steps moves, and by the gradients of which losses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

Networks = dict[str, nn.Module]


class Alternation:
    """Keeps what happens while it is entered: each loss that a step of the model returns, each step of an optimiser."""

    def __init__(self, model: nn.Module, networks: Networks) -> None:
        self._networks = networks
        self._hooks = ExitStack()
        self._before: dict[str, Tensor] = {}
        self._gradients: list[dict[str, Tensor]] = []  # of each loss, by the parameters of each network
        self.losses: list[str] = []  # whose they are
        self.steps: list[dict[str, Any]] = []
        for name in networks:
            original = getattr(model, f"{name}_step", None)
            if original is not None:
                object.__setattr__(model, f"{name}_step", self._keeping(name, original))

    def __enter__(self) -> Self:
        # Hooks of all optimisers, since a loop may make its own.
        for handle in (
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ):
            self._hooks.callback(handle.remove)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hooks.close()

    def trained(self, name: str) -> bool:
        """Whether a network gets a gradient from a loss of its own, as far as those were seen."""
        own = self._own(name)
        return not own or any(bool(gradient.any()) for gradient in own)

    def _own(self, name: str) -> list[Tensor]:
        return [found[name] for owner, found in zip(self.losses, self._gradients, strict=True) if owner == name]

    def _keeping(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def keep(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            loss, *others = result if isinstance(result, tuple | list) else (result,)
            if not isinstance(loss, Tensor):
                return result
            loss = _usable(loss, self._networks)
            self._gradients.append({key: _gradient_of(loss, network) for key, network in self._networks.items()})
            self.losses.append(name)
            return (loss, *others) if isinstance(result, tuple | list) else loss

        return keep

    def _before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self._before = {name: _values(network) for name, network in self._networks.items()}
        held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        holds = [name for name, network in self._networks.items() if held & {id(p) for p in network.parameters()}]
        step: dict[str, Any] = {"holds": holds, "losses": len(self.losses)}
        if len(holds) == 1:
            (owner,) = holds
            used, own = _accumulated(self._networks[owner]), self._own(owner)
            step["agreement"] = _cosine(used, own[-1]) if own else None
            step["shares"], step["unexplained"] = _shares(used, [found[owner] for found in self._gradients])
        self.steps.append(step)

    def _after_step(self, *_: Any) -> None:
        after = {name: _values(network) for name, network in self._networks.items()}
        self.steps[-1]["moved"] = {name: float((after[name] - self._before[name]).abs().max()) for name in after}


def _usable(loss: Tensor, networks: Networks) -> Tensor:
    """A loss that the loop can call backward() on; what is wrong with any other is not the loop's mistake."""
    if loss.requires_grad and loss.numel() == 1:
        return loss
    sums = [parameter.sum() for network in networks.values() for parameter in network.parameters()]
    return loss.mean() + sum(0 * each for each in sums)


def _gradient_of(loss: Tensor, network: nn.Module) -> Tensor:
    parameters = list(network.parameters())
    # none want gradients while the loop has this network frozen
    wanted = [parameter for parameter in parameters if parameter.requires_grad]
    found = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True) if wanted else ()
    by_parameter = dict(zip(map(id, wanted), found, strict=True))
    return _flat([(parameter, by_parameter.get(id(parameter))) for parameter in parameters])


def _accumulated(network: nn.Module) -> Tensor:
    return _flat([(parameter, parameter.grad) for parameter in network.parameters()])


def _flat(pairs: list[tuple[nn.Parameter, Tensor | None]]) -> Tensor:
    parts = [torch.zeros_like(parameter) if gradient is None else gradient for parameter, gradient in pairs]
    return torch.cat([part.detach().flatten().double().cpu() for part in parts])


def _values(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])


def _cosine(first: Tensor, second: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(first, second, dim=0))


def _shares(used: Tensor, gradients: list[Tensor]) -> tuple[Tensor, float]:
    """How much of each loss's gradient is in what an optimiser uses, by least squares, and what share is left over.

    A gradient of zero has no share.
    """
    shares = torch.zeros(len(gradients), dtype=torch.float64)
    known = [index for index, gradient in enumerate(gradients) if bool(gradient.any())]
    rest = used
    if known:
        columns = torch.stack([gradients[index] for index in known], dim=1)
        norms = columns.norm(dim=0)
        found = torch.linalg.pinv(columns / norms, rtol=1e-6) @ used
        rest = used - columns / norms @ found
        shares[known] = found / norms
    size = float(used.norm())
    return shares, float(rest.norm()) / size if size else 0.0
