"""A probe of a VAE's own loop over the data: which passes, which steps, what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torch.optim.optimizer import register_optimizer_step_pre_hook

from graders.probing.gradients import accumulated, by_each, in_a_row
from graders.probing.steps import with_gradients
from graders.probing.watching import with_items

if TYPE_CHECKING:
    from graders.vae2018.interface import Vae2018Package

FACTORS = (2.0, 1.0, 0.5, 6.0)  # of the gradients of the first pass, the second …


def epoch(package: Vae2018Package, images: Tensor, batch_size: int, bounds: Tensor, training: bool) -> dict[str, Any]:
    """One pass of `epoch_iter` over images [N, 1, 28, 28], on a model that is in training mode or in eval mode.

    bounds [passes]: what takes the places of the model's own, with the sign that its first has; the gradients are
    multiplied by a factor of the pass's own, so that those of two passes together are like neither's. Of each pass the
    `signs`, the `sizes` of its batch and its `modes` (1: training); of each step the cosine of the gradient that it
    uses with that of the latest bound (`own`), made positive where descending makes a loss smaller; how many parameters
    `moved` in all, and which had a gradient and did not (`unmoved`); and the `average` that is returned.
    """
    model = package.vae.model(hidden_dim=24, z_dim=4).to(images.device).train(training)
    optimizer = package.vae.optimizer(model)
    record = _Record(model, bounds)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    hook = register_optimizer_step_pre_hook(with_gradients(record.before_step))
    try:
        average = package.vae.epoch(model, images, batch_size, optimizer)
    finally:
        hook.remove()
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    return {
        "signs": record.signs,
        "sizes": record.sizes,
        "modes": record.modes,
        "own": record.own,
        "moved": len(moved),
        "unmoved": min(record.reached - moved, default=""),
        "average": _number(average),
    }


class _Record:
    """What happens while a loop runs. Of copies of the model, on which a loop is tried out, nothing is kept."""

    def __init__(self, model: nn.Module, bounds: Tensor) -> None:
        self._model = model
        self._bounds = bounds
        self._gradient: Tensor | None = None
        self.signs: list[float] = []
        self.sizes: list[int] = []
        self.modes: list[float] = []
        self.own: list[float] = []
        self.reached: set[str] = set()
        self._original = type(model).forward
        record = self

        def forward(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
            returned = record._original(model, *args, **kwargs)
            return record._injected(args or tuple(kwargs.values()), returned) if model is record._model else returned

        # On the class, since copies of an instance would keep what is set on it.
        type(model).forward = forward

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
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
        own = 0.0 if self._gradient is None else sign * float(cosine_similarity(used, self._gradient, dim=0))
        self.own.append(own)

    def _injected(self, args: tuple[Any, ...], returned: Any) -> Any:
        first = returned[0] if isinstance(returned, tuple | list) else returned
        if not isinstance(first, Tensor) or first.numel() != 1:
            raise TypeError("VAE.forward should return one number, the average over the batch")
        index = len(self.signs)
        sign = self.signs[0] if self.signs else 1.0 if float(first) > 0 else -1.0
        self.signs.append(sign)
        self.sizes.append(len(args[0]))
        self.modes.append(float(self._model.training))
        value = sign * float(self._bounds[index % len(self._bounds)])
        factor = FACTORS[index % len(FACTORS)]
        gradient = self._gradient_of(first)
        if not (torch.isfinite(first).all() and torch.isfinite(gradient).all()):  # which is not the loop's mistake
            first = torch.stack([parameter.square().sum() for parameter in self._model.parameters()]).sum()
            gradient = self._gradient_of(first)
        if first.requires_grad:
            self._gradient = gradient
        bound = value + factor * (first - first.detach())
        return with_items(returned, (bound, *returned[1:])) if isinstance(returned, tuple | list) else bound

    def _gradient_of(self, bound: Tensor) -> Tensor:
        """By all parameters, in a row; zeros where there is none."""
        parameters = list(self._model.parameters())
        found = by_each(bound.sum(), parameters) if bound.requires_grad else [None] * len(parameters)
        return in_a_row(found, self._model)


def _number(average: Any) -> float | None:
    """A returned average as a plain number: the first of several; None where there is none."""
    while isinstance(average, tuple | list) and len(average):
        average = average[0]
    return None if average is None or isinstance(average, tuple | list) else float(average)
