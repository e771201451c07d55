"""Probes of losses: the student's trainers with a path and a model of ours, whose answers are known and recorded.

Points have any shape [B, …]. The labels of labelled data are int64 [B], and new for each call, since students write
into them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from graders.flow_matching.interface import FlowMatchingPackage
    from graders.flow_matching.records import Labels, Loss, Seen


class Source:
    """A distribution of data whose draws are known: the rows of `points`, in another order in each call."""

    def __init__(self, points: Tensor, labels: Tensor | None = None) -> None:
        self.points, self.labels = points, labels
        self.dim = points[0].numel()
        self.asked: list[int] = []

    def sample(self, num_samples: int) -> Any:
        calls = len(self.asked)
        self.asked.append(int(num_samples))
        points = self.points.roll(calls, dims=0)[:num_samples].clone()
        if self.labels is None:
            return points
        return points, self.labels.roll(calls, dims=0)[:num_samples].clone()


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


def flow_matching(
    package: FlowMatchingPackage, z: Tensor, x: Tensor, field: Tensor, score: Tensor, outputs: Tensor
) -> Loss:
    """Return the student's loss against the conditional vector field."""
    path, model = Path(Source(z), x, field, score), Model(outputs)
    return recorded(package.flow_matching.flow_matching_loss(path, model, len(z)), path, model)


def score_matching(
    package: FlowMatchingPackage, z: Tensor, x: Tensor, field: Tensor, score: Tensor, outputs: Tensor
) -> Loss:
    """Return the student's loss against the conditional score."""
    path, model = Path(Source(z), x, field, score), Model(outputs)
    return recorded(package.flow_matching.score_matching_loss(path, model, len(z)), path, model)


def guided(
    package: FlowMatchingPackage,
    z: Tensor,
    labels: Tensor,
    x: Tensor,
    field: Tensor,
    outputs: Tensor,
    eta: float,
    null_label: int,
) -> Loss:
    """Return the student's loss with labels, some of them replaced by the null label: the wished one, if free."""
    path, model = Path(Source(z, labels), x, field, field), Model(outputs)
    null = package.flow_matching.null_label(null_label)
    value = package.flow_matching.guided_loss(path, model, eta, null, len(z))
    return {**recorded(value, path, model), "null_label": null}


def dropped(
    package: FlowMatchingPackage, z: Tensor, labels: Tensor, x: Tensor, field: Tensor, eta: float, null_label: int
) -> Labels:
    """Return the labels that the model is given for batches of `labels` [batches, B].

    Z, x and field are those of a batch.
    """
    null = package.flow_matching.null_label(null_label)
    batches = []
    for batch in labels:
        path, model = Path(Source(z, batch), x, field, field), Model(torch.zeros_like(x))
        package.flow_matching.guided_loss(path, model, eta, null, len(z))
        batches.append(model.given[-1]["labels"] if model.given else None)
    whole = not any(each is not None and each.is_floating_point() for each in batches)
    return {"batches": batches, "whole": whole, "null_label": null}


def recorded(value: Any, path: Path, model: Model) -> Loss:
    """Return a loss with what path and model were asked for it."""
    attached = isinstance(value, Tensor) and value.requires_grad
    gradient = None
    if attached and model.output is not None and model.output.requires_grad:
        (gradient,) = torch.autograd.grad(value.sum(), [model.output], allow_unused=True)
    return {
        "loss": torch.as_tensor(value).detach().float(),
        "attached": attached,
        "gradient": torch.zeros_like(model.outputs) if gradient is None else gradient.detach(),
        "asked": path.p_data.asked,
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
