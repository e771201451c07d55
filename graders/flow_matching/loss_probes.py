"""Probes of losses: the student's trainers with a path and a model of ours, whose answers are known and recorded.

Points have any shape [B, …]. A trainer is asked for one loss after another, each of the first n ≤ B of them, as in a
training. The labels of labelled data are int64 [B], and new for each call, since students write into them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from graders.flow_matching.interface import FlowMatchingPackage
    from graders.flow_matching.records import GuidedLosses, Labels, Loss, Losses, Seen


class Source:
    """A distribution of data whose draws are known: the first rows of `points`, in another order in each call."""

    def __init__(self, points: Tensor, labels: Tensor | None = None) -> None:
        self.points, self.labels = points, labels
        self.dim = points[0].numel()
        self.asked: list[int] = []

    def sample(self, num_samples: int) -> Any:
        calls = len(self.asked)
        self.asked.append(int(num_samples))
        points = self.points[:num_samples].roll(calls, dims=0)
        if self.labels is None:
            return points
        return points, self.labels[:num_samples].roll(calls, dims=0)

    def forget(self) -> None:
        self.asked = []


class Path(nn.Module):
    """A probability path that draws known points and has known fields and scores, whatever it is asked."""

    def __init__(self, data: Source, drawn: Tensor, field: Tensor, score: Tensor) -> None:
        super().__init__()
        self.p_data, self.p_simple = data, Source(drawn)
        self._drawn, self._targets = drawn, {"field": field, "score": score}
        self.draws: list[Any] = []
        self.targets: list[Any] = []
        self.which = ""
        self.attached = False  # whether points z came with a graph

    def sample_conditioning_variable(self, num_samples: int) -> Any:
        return self.p_data.sample(num_samples)

    def sample_conditional_path(self, z: Tensor, t: Tensor) -> Tensor:
        self.draws.append(_seen(z, t))
        self.attached |= z.requires_grad
        return self._drawn[: len(z)].clone()

    def conditional_vector_field(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return self._answer("field", x, z, t)

    def conditional_score(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return self._answer("score", x, z, t)

    def forget(self) -> None:
        self.draws, self.targets, self.which, self.attached = [], [], "", False

    def _answer(self, which: str, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        self.which = which
        self.targets.append(_seen(x, t, source=z))
        return self._targets[which][: len(x)].clone()


class Model(nn.Module):
    """A model with known outputs, which records what it is given."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs)
        self.given: list[Any] = []
        self.output: Tensor | None = None

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        self.given.append(_seen(x, t, labels=y))
        self.output = self.outputs[: len(x)] * 1
        if self.output.requires_grad:
            self.output.retain_grad()
        return self.output

    def forget(self) -> None:
        self.given, self.output = [], None


def flow_matching(
    package: FlowMatchingPackage,
    z: Tensor,
    x: Tensor,
    field: Tensor,
    score: Tensor,
    outputs: Tensor,
    sizes: list[int],
) -> Losses:
    """Return the student's losses against the conditional vector field, for batches of these sizes."""
    data, model = Source(z), Model(outputs)
    path = Path(data, x, field, score)
    trainer = package.flow_matching.flow_matching_trainer(path, model)
    return {"calls": [recorded(package, trainer, data, path, model, n) for n in sizes]}


def score_matching(
    package: FlowMatchingPackage,
    z: Tensor,
    x: Tensor,
    field: Tensor,
    score: Tensor,
    outputs: Tensor,
    sizes: list[int],
) -> Losses:
    """Return the student's losses against the conditional score, for batches of these sizes."""
    data, model = Source(z), Model(outputs)
    path = Path(data, x, field, score)
    trainer = package.flow_matching.score_matching_trainer(path, model)
    return {"calls": [recorded(package, trainer, data, path, model, n) for n in sizes]}


def guided(
    package: FlowMatchingPackage,
    z: Tensor,
    labels: Tensor,
    x: Tensor,
    field: Tensor,
    outputs: Tensor,
    eta: float,
    null_label: int,
    sizes: list[int],
) -> GuidedLosses:
    """Return the student's losses with labels, some of them replaced by the null label: the wished one, if free."""
    data, model = Source(z, labels), Model(outputs)
    path = Path(data, x, field, field)
    null = package.flow_matching.null_label(null_label)
    trainer = package.flow_matching.guided_trainer(path, model, eta, null)
    return {"calls": [recorded(package, trainer, data, path, model, n) for n in sizes], "null_label": null}


def dropped(
    package: FlowMatchingPackage,
    z: Tensor,
    labels: list[Tensor],
    x: Tensor,
    field: Tensor,
    eta: float,
    null_label: int,
) -> Labels:
    """Return the labels that the model is given for batches with these labels.

    Z, x and field are those of the largest batch.
    """
    null = package.flow_matching.null_label(null_label)
    data, model = Source(z, labels[0]), Model(torch.zeros_like(x))
    trainer = package.flow_matching.guided_trainer(Path(data, x, field, field), model, eta, null)
    batches = []
    for batch in labels:
        data.forget()
        model.forget()
        data.labels = batch
        package.flow_matching.loss(trainer, len(batch))
        batches.append(model.given[-1]["labels"] if model.given else None)
    whole = not any(each is not None and each.is_floating_point() for each in batches)
    return {"batches": batches, "whole": whole, "null_label": null}


def recorded(package: FlowMatchingPackage, trainer: Any, data: Source, path: Path, model: Model, n: int) -> Loss:
    """Return a trainer's loss of a batch of n, with what data, path and model were asked for it."""
    data.forget()
    path.forget()
    model.forget()
    value = package.flow_matching.loss(trainer, n)
    attached = isinstance(value, Tensor) and value.requires_grad
    gradient = None
    if attached and model.output is not None and model.output.requires_grad:
        (gradient,) = torch.autograd.grad(value.sum(), [model.output], allow_unused=True)
    return {
        "loss": torch.as_tensor(value).detach().float(),
        "attached": attached,
        "gradient": torch.zeros_like(model.outputs[:n]) if gradient is None else gradient.detach(),
        "asked": data.asked,
        "path": path.draws[-1:],
        "target": path.targets[-1:],
        "which": path.which,
        "model": model.given[-1:],
    }


def _seen(points: Any, times: Any, source: Any = None, labels: Any = None) -> Seen:
    return {
        "points": torch.as_tensor(points).detach().clone(),
        "times": _as_given(times),
        "source": _as_given(source),
        "labels": _as_given(labels),
    }


def _as_given(value: Any) -> Tensor | None:
    """Return times or labels in the shape in which they were given."""
    return None if value is None else torch.as_tensor(value).detach().clone()
