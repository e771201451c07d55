"""Probes of a VAE's own train and test functions: what happens in each step, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torch.utils.data import DataLoader, TensorDataset

SETTINGS: dict[str, Any] = {"kind": "MLP", "hidden_dims": [24], "z_dim": 4}


def train(package: Any, images: Tensor, batch_size: int) -> dict[str, Any]:
    """One epoch of the student's training on images [N, 1, 28, 28], on a model left in eval mode."""
    model = _model(package, images)
    optimizer = package.vae.optimizer(model)
    record = _Record()
    _watch_passes(model, record)
    _watch_steps(model, optimizer, record)
    model.eval()
    return _observe(model, record, lambda: package.vae.train_epoch(model, _loader(images, batch_size), optimizer))


def test(package: Any, images: Tensor, batch_size: int) -> dict[str, Any]:
    """The student's evaluation on images [N, 1, 28, 28], of a model left in training mode."""
    model = _model(package, images)
    record = _Record()
    _watch_passes(model, record)
    model.train()
    return _observe(model, record, lambda: package.vae.test_epoch(model, _loader(images, batch_size)))


@dataclass(slots=True)
class _Record:
    """What was seen, pass by pass and step by step."""

    losses: list[Tensor] = field(default_factory=list)  # [3] each: L_rec, L_reg, bpd
    sizes: list[int] = field(default_factory=list)
    training: list[bool] = field(default_factory=list)
    tracking: list[bool] = field(default_factory=list)  # whether operations were recorded for gradients
    reached: set[str] = field(default_factory=set)  # parameters with a gradient in some pass
    own_gradient: Tensor | None = None  # of the last pass alone
    alignments: list[float] = field(default_factory=list)  # cosine of a step's gradient and the last pass's own


def _model(package: Any, images: Tensor) -> nn.Module:
    model: nn.Module = package.vae.model(**SETTINGS).to(images.device)
    return model


def _loader(images: Tensor, batch_size: int) -> DataLoader[tuple[Tensor, ...]]:
    return DataLoader(TensorDataset(images, torch.zeros(len(images), dtype=torch.int64)), batch_size=batch_size)


def _watch_passes(model: nn.Module, record: _Record) -> None:
    """Notes each call of the model: its mode, its losses, and the gradient of its bpd alone."""
    original = model.forward

    def forward(images: Tensor, *args: Any, **kwargs: Any) -> Any:
        returned = original(images, *args, **kwargs)
        losses = [torch.as_tensor(value).detach().mean() for value in returned[:3]]
        record.losses.append(torch.stack([loss.float() for loss in losses]))
        record.sizes.append(len(images))
        record.training.append(model.training)
        record.tracking.append(torch.is_grad_enabled())
        bpd = returned[2]
        if torch.is_tensor(bpd) and bpd.requires_grad:
            names, parameters = zip(*_trained(model).items(), strict=True)
            gradients = torch.autograd.grad(bpd.sum(), parameters, retain_graph=True, allow_unused=True)
            record.reached |= {name for name, gradient in zip(names, gradients, strict=True) if _any(gradient)}
            record.own_gradient = _flat(parameters, gradients)
        return returned

    model.forward = forward


def _watch_steps(model: nn.Module, optimizer: torch.optim.Optimizer, record: _Record) -> None:
    def before_step(*_: Any) -> None:
        if record.own_gradient is None:
            return
        parameters = tuple(_trained(model).values())
        taken = _flat(parameters, [parameter.grad for parameter in parameters])
        record.alignments.append(float(cosine_similarity(taken, record.own_gradient, dim=0)))

    optimizer.register_step_pre_hook(before_step)


def _observe(model: nn.Module, record: _Record, epoch: Callable[[], Any]) -> dict[str, Any]:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    averages = epoch()
    after = model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    return {
        "losses": torch.stack(record.losses) if record.losses else torch.zeros(0, 3),
        "sizes": record.sizes,
        "training": record.training,
        "tracking": record.tracking,
        "alignments": record.alignments,
        "moved": len(moved),
        "unmoved": min(record.reached - moved, default=""),
        "averages": _numbers(averages),
    }


def _numbers(averages: Any) -> list[float] | None:
    """The returned averages as plain numbers; None where there are none, as in Lightning."""
    if averages is None:
        return None
    if not isinstance(averages, tuple | list):
        averages = [averages]
    return [float(value) for value in averages]


def _trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _any(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.any())


def _flat(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> Tensor:
    """All gradients in one vector, with zeros for parameters that have none."""
    pairs = zip(parameters, gradients, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g.detach()).flatten().double() for p, g in pairs])
