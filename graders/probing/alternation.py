"""Records the steps of optimisers in a loop: what each step changes, and which losses' gradients it uses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from graders.probing.gradients import (
    accumulated,
    by_each,
    cosine,
    differentiated,
    holders,
    in_a_row,
    moved,
    shares,
    values,
)
from graders.probing.steps import with_gradients
from graders.probing.watching import watch

if TYPE_CHECKING:
    from graders.probing.records import Step

Networks = dict[str, nn.Module]


class Alternation:
    """Records, while it is entered, the losses of a loop, each optimiser's step, and what the discriminator is shown.

    `model` may have a method `<name>_step` for each of the `networks`, which are the generator and the discriminator.
    `losses` holds the name of the network of each loss that such a method returns, in order; `shown`, the calls of the
    discriminator. Of the losses that the loop itself differentiates, those count that depend on an output of either
    network, not on parameters alone.
    """

    def __init__(self, model: nn.Module, networks: Networks) -> None:
        self._networks = networks
        self._hooks = ExitStack()
        self._before: dict[str, Tensor] = {}
        self._gradients: list[dict[str, Tensor]] = []  # for each loss, its gradients for each network's parameters
        self._differentiated: list[dict[str, Tensor]] = []  # the same for each loss that the loop differentiates
        self._made = watch(networks["generator"])
        self.shown = watch(networks["discriminator"])
        self.losses: list[str] = []  # for each loss, the name of its network
        self.steps: list[Step] = []
        for name in networks:
            original = getattr(model, f"{name}_step", None)
            if original is not None:
                object.__setattr__(model, f"{name}_step", self._keeping(name, original))

    def __enter__(self) -> Self:
        # The hooks apply to all optimisers, since a loop may create its own.
        for handle in (
            register_optimizer_step_pre_hook(with_gradients(self._before_step)),
            register_optimizer_step_post_hook(self._after_step),
        ):
            self._hooks.callback(handle.remove)
        self._hooks.enter_context(differentiated(self._note))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hooks.close()

    def trained(self, name: str) -> bool:
        """Return whether some loss of a network has a gradient for it; also true if no loss of it was recorded."""
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

    def _note(self, loss: Tensor) -> None:
        outputs = [each for each in (*self.shown.outputs, *self._made.outputs) if isinstance(each, Tensor)]
        if any(gradient is not None for gradient in by_each(loss, outputs)):
            self._differentiated.append({key: _gradient_of(loss, network) for key, network in self._networks.items()})

    def _before_step(self, optimizer: torch.optim.Optimizer) -> None:
        self._before = {name: values(network) for name, network in self._networks.items()}
        holds = holders(optimizer, self._networks)
        step: Step = {"holds": holds, "losses": len(self.losses)}
        if len(holds) == 1:
            (owner,) = holds
            used, own = accumulated(self._networks[owner]), self._own(owner)
            step["agreement"] = cosine(used, own[-1]) if own else None
            known = [found[owner] for found in self._gradients]
            step["shares"], step["unexplained"] = shares(used, known)
            step["of_no_loss"] = shares(used, known + [found[owner] for found in self._differentiated])[1]
        self.steps.append(step)

    def _after_step(self, *_: Any) -> None:
        self.steps[-1]["moved"] = moved(self._networks, self._before)


def _usable(loss: Tensor, networks: Networks) -> Tensor:
    """Return a loss on which the loop can call backward(): the given one or a stand-in, as other checks judge it."""
    if loss.requires_grad and loss.numel() == 1:
        return loss
    sums = [parameter.sum() for network in networks.values() for parameter in network.parameters()]
    return loss.mean() + sum(0 * each for each in sums)


def _gradient_of(loss: Tensor, network: nn.Module) -> Tensor:
    return in_a_row(by_each(loss, list(network.parameters())), network)
