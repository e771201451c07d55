"""A probe of a VAE's own loop over the data: its passes, its steps and what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from gengrade.sandbox.guest.errors import Undecided
from graders.probing.gradients import accumulated, by_each, cosine, in_a_row
from graders.probing.networks import built
from graders.probing.sizes import MOST_IMAGES, PIXELS
from graders.probing.steps import with_gradients
from graders.probing.watching import with_items

if TYPE_CHECKING:
    from graders.vae2018.interface import Vae2018Package
    from graders.vae2018.records import Average, Epoch

FACTORS = (2.0, 1.0, 0.5, 6.0)  # factors on the gradients of the first pass, the second, …


def epoch(package: Vae2018Package, images: Tensor, batch_size: int, bounds: Tensor, training: bool) -> Epoch:
    """Run `epoch_iter` once over images [N, 1, 28, 28], with a model in training mode or in eval mode.

    bounds [passes] replace the bounds that the model returns, with the sign of its first one. The gradients of each
    pass are multiplied by a factor of its own, so that accumulated gradients of two passes differ in direction from
    either.

    Where the model returns a bound for each image, each becomes that number; if the loop fails for these, it is run
    again with one number for all of them.
    """
    try:
        return _epoch(package, images, batch_size, bounds, training, averaged=False)
    except _Several:
        return _epoch(package, images, batch_size, bounds, training, averaged=True)


class _Several(Exception):
    """A loop failed because its model returns one bound for each image."""


def _epoch(
    package: Vae2018Package, images: Tensor, batch_size: int, bounds: Tensor, training: bool, averaged: bool
) -> Epoch:
    model = built(package.vae.model, hidden_dim=24, z_dim=4).to(images.device).train(training)
    optimizer = package.vae.optimizer(model)
    record = _Record(model, bounds, averaged)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    hook = register_optimizer_step_pre_hook(with_gradients(record.before_step))
    try:
        average = package.vae.epoch(model, images, batch_size, optimizer)
    except Undecided:
        raise
    except Exception as error:
        if record.several and not averaged:
            raise _Several from error
        raise
    finally:
        hook.remove()
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    return {
        "returned": record.returned,
        "sizes": record.sizes,
        "images": torch.cat([torch.zeros(0, PIXELS), *record.images])[:MOST_IMAGES],
        "modes": record.modes,
        "own": record.own,
        "moved": len(moved),
        "unmoved": min(record.reached - moved, default=""),
        "average": _number(average),
    }


def average(package: Vae2018Package, images: Tensor, batch_size: int, bounds: Tensor) -> Average:
    """Return the sizes and the average of `epoch` in eval mode."""
    try:
        found = epoch(package, images, batch_size, bounds, training=False)
    except Undecided:
        raise
    except Exception:  # another check judges the loop
        return {"sizes": [], "average": None}
    return {"sizes": found["sizes"], "average": found["average"]}


class _Record:
    """Records the passes and the steps of a loop. Passes of copies of the model, for trial runs, are not recorded."""

    def __init__(self, model: nn.Module, bounds: Tensor, averaged: bool) -> None:
        self._model = model
        self._bounds = bounds
        self._averaged = averaged  # whether bounds of single images are replaced by their mean, also in trial runs
        self.several = False  # whether the model returns a bound for each image
        self._gradient: Tensor | None = None
        self.signs: list[float] = []
        self.returned: list[float] = []
        self.sizes: list[int] = []
        self.images: list[Tensor] = []
        self.modes: list[float] = []
        self.own: list[float] = []
        self.reached: set[str] = set()
        self._original = type(model).forward
        record = self

        def forward(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
            returned = record._original(model, *args, **kwargs)
            returned = record._one_number(returned)
            return record._injected(args or tuple(kwargs.values()), returned) if model is record._model else returned

        # It is set on the class, because a copy of the instance would copy a method that is set on the instance.
        type(model).forward = forward

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Record the gradient that a step of the optimiser uses, compared with that of the latest bound."""
        held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        if not any(id(parameter) in held for parameter in self._model.parameters()):
            return
        used = accumulated(self._model)
        self.reached |= {
            name
            for name, parameter in self._model.named_parameters()
            if parameter.grad is not None and parameter.grad.any()
        }
        sign = self.signs[-1] if self.signs else 0.0
        own = 0.0 if self._gradient is None else sign * cosine(used, self._gradient)
        self.own.append(own)

    def _one_number(self, returned: Any) -> Any:
        """Return what forward returned, with its bounds of single images replaced by their mean if that is wanted."""
        first = returned[0] if isinstance(returned, tuple | list) and len(returned) else returned
        if not self._averaged or not isinstance(first, Tensor):
            return returned
        mean = first.mean()
        return with_items(returned, (mean, *returned[1:])) if isinstance(returned, tuple | list) else mean

    def _injected(self, args: tuple[Any, ...], returned: Any) -> Any:
        first = returned[0] if isinstance(returned, tuple | list) else returned
        if not isinstance(first, Tensor) or first.numel() < 1:
            raise TypeError("VAE.forward should return one number, the average over the batch")
        if first.numel() not in (1, len(args[0])):
            raise Undecided(
                f"VAE.forward returns a tensor of shape {list(first.shape)} and no bound: the loop computes its loss "
                "elsewhere, and a person has to look"
            )
        self.several |= first.numel() > 1
        index = len(self.signs)
        sign = self.signs[0] if self.signs else 1.0 if float(first.mean()) > 0 else -1.0
        self.signs.append(sign)
        self.returned.append(float(first.mean()))
        self.sizes.append(len(args[0]))
        self.images.append(args[0].detach().reshape(-1, PIXELS).float().cpu())
        self.modes.append(float(self._model.training))
        value = sign * float(self._bounds[index % len(self._bounds)])
        factor = FACTORS[index % len(FACTORS)]
        gradient = self._gradient_of(first)
        if not (torch.isfinite(first).all() and torch.isfinite(gradient).all()):  # another check judges this
            first = torch.stack([parameter.square().sum() for parameter in self._model.parameters()]).sum()
            gradient = self._gradient_of(first)
        if first.requires_grad:
            self._gradient = gradient
        bound = value + factor * (first - first.detach())
        return with_items(returned, (bound, *returned[1:])) if isinstance(returned, tuple | list) else bound

    def _gradient_of(self, bound: Tensor) -> Tensor:
        """Return the gradient of a bound with respect to all parameters, as one row; zeros for those without one."""
        parameters = list(self._model.parameters())
        found = by_each(bound.mean(), parameters) if bound.requires_grad else [None] * len(parameters)
        return in_a_row(found, self._model)


def _number(average: Any) -> float | None:
    """Return a returned average as a plain number: the first item of a sequence, None if nothing was returned."""
    while isinstance(average, tuple | list) and len(average):
        average = average[0]
    return None if average is None or isinstance(average, tuple | list) else float(average)
