"""Probes of a student's own train and test functions for a VAE: they record each forward pass and each step.

Before the student's loop gets the losses of a pass, they are replaced by known ones, and their gradients multiplied by
a different factor for each pass. So an average over batches differs from any sum, last value or other average.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from graders.probing.gradients import accumulated, by_each, cosine, in_a_row
from graders.probing.networks import built
from graders.probing.sizes import MOST_IMAGES, PIXELS
from graders.probing.steps import with_gradients

if TYPE_CHECKING:
    from graders.vae.interface import VaePackage
    from graders.vae.records import Loop, LoopStep

SETTINGS: dict[str, Any] = {"kind": "MLP", "hidden_dims": [24], "z_dim": 4}
FACTORS = (2.0, 1.0, 0.5, 6.0)  # on the gradients of the first pass, the second, …


def train(package: VaePackage, images: Tensor, batch_size: int, losses: Tensor) -> Loop:
    """Run one epoch of the student's training on images [N, 1, 28, 28], with a model that starts in eval mode.

    Args:
        losses: [passes, 3], the values that replace L_rec, L_reg and bpd in each pass, used cyclically.
    """
    model = _model(package, images)
    optimizer = package.vae.optimizer(model)
    record = _Record(modal=_depends_on_mode(model, images[:batch_size]))
    _watch_passes(model, record, losses)
    _watch_steps(model, optimizer, record)
    model.eval()
    return _observe(model, record, lambda: package.vae.train_epoch(model, _loader(images, batch_size), optimizer))


def test(package: VaePackage, images: Tensor, batch_size: int, losses: Tensor) -> Loop:
    """Run the student's evaluation on images [N, 1, 28, 28], with a model that starts in training mode, as `train`."""
    model = _model(package, images)
    record = _Record(modal=_depends_on_mode(model, images[:batch_size]))
    _watch_passes(model, record, losses)
    model.train()
    return _observe(model, record, lambda: package.vae.test_epoch(model, _loader(images, batch_size)))


@dataclass(slots=True)
class _Record:
    """Observations of a loop, for each forward pass and each optimiser step."""

    modal: bool  # whether the model's losses depend on whether it is in training mode
    losses: list[Tensor] = field(default_factory=list)  # [3] each: L_rec, L_reg, bpd
    images: list[Tensor] = field(default_factory=list)  # the inputs of each pass, flattened to [B, pixels]
    sizes: list[int] = field(default_factory=list)
    training: list[bool] = field(default_factory=list)
    tracking: list[bool] = field(default_factory=list)  # whether operations were recorded for gradients
    reached: set[str] = field(default_factory=set)  # parameters with a non-zero gradient in some pass
    gradients: list[Tensor] = field(default_factory=list)  # the gradient of each pass's bpd by all parameters
    parts: Tensor | None = None  # [parameters, 2]: gradients of the last pass's L_rec and L_reg, if they have any
    arrived: bool = False  # whether any backward() reached a parameter
    steps: list[LoopStep] = field(default_factory=list)


def _model(package: VaePackage, images: Tensor) -> nn.Module:
    return built(package.vae.model, **SETTINGS).to(images.device)


def _loader(images: Tensor, batch_size: int) -> DataLoader[tuple[Tensor, ...]]:
    return DataLoader(TensorDataset(images, torch.zeros(len(images), dtype=torch.int64)), batch_size=batch_size)


def _depends_on_mode(model: nn.Module, images: Tensor) -> bool:
    """Return whether a model gives other losses in training mode than in eval mode, with the same random numbers.

    Dropout and batch normalisation do, and so may layers of the student's own.
    """
    found = []
    for mode in (True, False):
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            losses = copy.deepcopy(model).train(mode)(images)
        found.append(torch.stack([torch.as_tensor(loss).float().mean() for loss in losses[:3]]))
    return not torch.allclose(found[0], found[1], rtol=1e-5)


def _watch_passes(model: nn.Module, record: _Record, known: Tensor) -> None:
    """Make the model record each of its forward passes, and replaces the losses that it returns."""
    original = model.forward

    def forward(images: Tensor, *args: Any, **kwargs: Any) -> Any:
        returned = original(images, *args, **kwargs)
        factor, values = FACTORS[len(record.sizes) % len(FACTORS)], known[len(record.sizes) % len(known)]
        injected = [
            _replaced(given, value, factor) for given, value in zip(returned[:3], values.tolist(), strict=False)
        ]
        losses = [torch.as_tensor(value).detach().mean() for value in injected]
        record.losses.append(torch.stack([loss.float() for loss in losses]))
        record.images.append(images.detach().flatten(1).clone())
        record.sizes.append(len(images))
        record.training.append(model.training)
        record.tracking.append(torch.is_grad_enabled())
        _note_gradients(model, injected, record)
        return (*injected, *returned[3:])

    model.forward = forward


def _replaced(given: Any, value: float, factor: float) -> Any:
    """Return `value` with `factor` times the gradient of the given loss; NaN and infinity stay as they are."""
    if not torch.is_tensor(given):
        return value + 0 * given
    return value + factor * (given - given.detach())


def _note_gradients(model: nn.Module, losses: Sequence[Any], record: _Record) -> None:
    if not _has_gradient(losses[2]):
        return
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = by_each(losses[2].sum(), parameters)
    record.reached |= {name for name, gradient in zip(names, gradients, strict=True) if _any(gradient)}
    record.gradients.append(in_a_row(gradients, model))
    if all(_has_gradient(loss) for loss in losses[:2]):
        rows = [in_a_row(by_each(loss.sum(), parameters), model) for loss in losses[:2]]
        record.parts = torch.stack(rows, dim=1)


def _watch_steps(model: nn.Module, optimizer: torch.optim.Optimizer, record: _Record) -> None:
    def note(_: torch.optim.Optimizer) -> None:
        if record.gradients:
            record.steps.append(_step(accumulated(model), record))

    def after_accumulating(_: Tensor) -> None:
        record.arrived = True

    optimizer.register_step_pre_hook(with_gradients(note))
    for parameter in _trained(model).values():
        parameter.register_post_accumulate_grad_hook(after_accumulating)


def _step(taken: Tensor, record: _Record) -> LoopStep:
    """Compare the gradient that a step uses with those of the forward passes."""
    own = record.gradients[-1]
    before = record.gradients[-2] if len(record.gradients) > 1 else torch.zeros_like(own)
    evidence: LoopStep = {
        "own": cosine(taken, own),
        "before": cosine(taken, before),
        "all": cosine(taken, torch.stack(record.gradients).sum(dim=0)),
        "parts": None,
    }
    if record.parts is not None:
        weights = torch.linalg.lstsq(record.parts, taken[:, None]).solution[:, 0]
        evidence["parts"] = weights
        evidence["left"] = float((taken - record.parts @ weights).norm() / taken.norm().clamp(min=1e-30))
    return evidence


def _observe(model: nn.Module, record: _Record, epoch: Callable[[], Any]) -> Loop:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    averages = epoch()
    after = model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    trained = _trained(model)
    return {
        "losses": torch.stack(record.losses) if record.losses else torch.zeros(0, 3),
        "sizes": record.sizes,
        "ink": [float(images.mean()) for images in record.images],
        "images": torch.cat([torch.zeros(0, PIXELS), *(rows.float().cpu() for rows in record.images)])[:MOST_IMAGES],
        "different": len(torch.unique(torch.cat(record.images), dim=0)) if record.images else 0,
        "modal": record.modal,
        "left_in_training": model.training,
        "training": record.training,
        "tracking": record.tracking,
        "steps": record.steps,
        "arrived": record.arrived,
        "gradients_left": any(_any(parameter.grad) for parameter in trained.values()),
        "moved": len(moved),
        "trained": len(moved & trained.keys()),
        "unmoved": min(record.reached - moved, default=""),
        "averages": _numbers(averages),
    }


def _numbers(averages: Any) -> list[float] | None:
    """Return the loop's result as a list of numbers; None if it returned nothing, as Lightning's hooks may."""
    if averages is None:
        return None
    if not isinstance(averages, tuple | list):
        averages = [averages]
    return [float(value) for value in averages]


def _trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _has_gradient(value: Any) -> bool:
    return torch.is_tensor(value) and value.requires_grad


def _any(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.any())
