"""Probes of the flow on a toy problem.

All probes hand copies to the student's code, since the hand-out's coupling layer writes into its input: whether a
caller's tensor survives is asked by `side_effects` alone.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

State = dict[str, Tensor]
BITS = math.log2(math.e)
LEVEL = 0.02  # by how much the noise on a parameter grows at a time


class Base:
    """A Gaussian base density of ours, so that a mistake in the student's own counts there and not here."""

    def __init__(self, mu: Tensor, sigma: Tensor) -> None:
        self.mu = self.mus = mu
        self.sigma = self.sigmas = sigma
        self.dims = self.dim = mu.shape[0]

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-densities [...] of x [..., d]."""
        log_prob: Tensor = torch.distributions.Normal(self.mu, self.sigma, validate_args=False).log_prob(x)
        return log_prob.sum(dim=-1)

    def sample(self, num_samples: int) -> Tensor:
        """Draws [num_samples, d]."""
        return self.mu + self.sigma * torch.randn(num_samples, self.dims, dtype=self.mu.dtype)


# The densities


def gaussian_log_prob(package: Any, mu: Tensor, sigma: Tensor, x: Tensor) -> dict[str, Tensor]:
    """The student's Gaussian at x [..., d], and what became of x."""
    return _log_prob(package.flow.gaussian(mu, sigma, mu.shape[0]), x)


def bimodal_log_prob(package: Any, mus: Tensor, sigmas: Tensor, x: Tensor) -> dict[str, Tensor]:
    """The student's mixture at x [..., d], and what became of x; mus and sigmas are [2, d]."""
    return _log_prob(package.flow.bimodal(list(mus), list(sigmas), mus.shape[1]), x)


def _log_prob(distribution: Any, x: Tensor) -> dict[str, Tensor]:
    given = x.cpu().clone()
    return {"log_prob": distribution.log_prob(given), "x": given}


def gaussian_sample(package: Any, mu: Tensor, sigma: Tensor, n: int) -> Any:
    """n draws from the student's Gaussian."""
    return package.flow.gaussian(mu, sigma, mu.shape[0]).sample(n)


def bimodal_sample(package: Any, mus: Tensor, sigmas: Tensor, n: int) -> Any:
    """n draws from the student's mixture; mus and sigmas are [2, d]."""
    return package.flow.bimodal(list(mus), list(sigmas), mus.shape[1]).sample(n)


# The map


def _model(package: Any, mu: Tensor, sigma: Tensor, num_flows: int, num_hidden: int) -> Any:
    base = Base(mu.cpu(), sigma.cpu())
    return package.flow.model(base, dim=mu.shape[0], num_flows=num_flows, num_hidden=num_hidden).eval()


@torch.no_grad()
def _stirred(package: Any, mu: Tensor, sigma: Tensor, num_flows: int, stir: float) -> Any:
    """A model with noise on every parameter, since a new flow is the identity.

    As much noise as moves standard normal points by `stir` on average, whatever the architecture makes of it.
    """
    model = _model(package, mu, sigma, num_flows, num_hidden=16)
    points = torch.randn(256, mu.shape[0])
    parameters = list(model.parameters())
    directions = [torch.randn_like(parameter) for parameter in parameters]
    level = 0.0
    while level < 1.0:
        for parameter, direction in zip(parameters, directions, strict=True):
            parameter.add_(LEVEL * direction)
        level += LEVEL
        if not float((model.transform(points.clone())[0] - points).abs().mean()) < stir:
            break
    return model


def _stirred_map(package: Any, dim: int, num_flows: int, stir: float) -> Any:
    """Likewise, where the base density does not matter."""
    return _stirred(package, torch.zeros(dim), torch.ones(dim), num_flows, stir)


@torch.no_grad()
def round_trip(package: Any, x: Tensor, *, num_flows: int, stir: float) -> State:
    """x [B, d] through the map and back, and through the inverse and back."""
    model = _stirred_map(package, x.shape[1], num_flows, stir)
    forward = model.transform(x.cpu().clone())[0].clone()
    backward = model.transform(x.cpu().clone(), inverse=True)[0].clone()
    return {
        "forward": forward,
        "forward_and_back": model.transform(forward.clone(), inverse=True)[0],
        "backward": backward,
        "backward_and_forth": model.transform(backward.clone())[0],
    }


@torch.no_grad()
def neighbours(
    package: Any, x: Tensor, *, num_flows: int, stir: float, inverse: bool, step: float, coarse_step: float
) -> dict[str, Any]:
    """The map's log_det at x [B, d], and the map a small step to either side along each axis, [d, B, d].

    In double precision where the model can; one that insists on single precision takes `coarse_step` for `step`.
    """
    model = _stirred_map(package, x.shape[1], num_flows, stir)
    try:
        return _differences(model.double(), x.cpu().double(), inverse, step) | {"double": True}
    except RuntimeError:  # some tensor of the student's is a float32 by name
        return _differences(model.float(), x.cpu().float(), inverse, coarse_step) | {"double": False}


def _differences(model: Any, x: Tensor, inverse: bool, step: float) -> dict[str, Any]:
    log_det = model.transform(x.clone(), inverse=inverse)[1].clone()
    offsets = step * torch.eye(x.shape[1], dtype=x.dtype)
    return {
        "log_det": log_det,
        "after": torch.stack([model.transform(x + offset, inverse=inverse)[0] for offset in offsets]),
        "before": torch.stack([model.transform(x - offset, inverse=inverse)[0] for offset in offsets]),
    }


@torch.no_grad()
def side_effects(package: Any, x: Tensor, *, num_flows: int, stir: float) -> State:
    """What becomes of the caller's x [B, d] in each of the three calls."""
    model = _stirred_map(package, x.shape[1], num_flows, stir)
    given = {name: x.cpu().clone() for name in ("forward", "transform", "inverse")}
    model(given["forward"])
    model.transform(given["transform"])
    model.transform(given["inverse"], inverse=True)
    return given


def nll(package: Any, x: Tensor, *, mu: Tensor, sigma: Tensor, num_flows: int, stir: float) -> dict[str, Any]:
    """The loss at x [B, d] with its parts; whether it has a gradient, and how many layers that does not reach."""
    model = _stirred(package, mu, sigma, num_flows, stir)
    loss = model(x.cpu().clone())
    if loss.requires_grad:
        loss.mean().backward()
    with torch.no_grad():
        z, log_det = model.transform(x.cpu().clone())
    idle = sum(map(_idle, getattr(model, "layers", ())))
    return {"nll": loss, "z": z, "log_det": log_det, "trainable": not _idle(model), "idle": idle}


def _idle(layer: nn.Module) -> bool:
    """Whether a layer (or a model) has parameters, and none of them a gradient."""
    gradients = [parameter.grad for parameter in layer.parameters()]
    return bool(gradients) and not any(gradient is not None and bool(gradient.any()) for gradient in gradients)


@torch.no_grad()
def stirred_density(package: Any, points: Tensor, *, mu: Tensor, sigma: Tensor, num_flows: int, stir: float) -> Tensor:
    """Log-densities at points [N, d] of an untrained model."""
    return -_losses(_stirred(package, mu, sigma, num_flows, stir), points)


def _losses(model: Any, points: Tensor) -> Tensor:
    losses: Tensor = model(points.cpu().clone())
    return losses


# Training


def train(
    package: Any,
    points: Tensor,
    validation: Tensor,
    *,
    mu: Tensor,
    sigma: Tensor,
    num_flows: int,
    num_hidden: int,
    epochs: int,
    batch: int,
    rate: float,
) -> dict[str, Any]:
    """A short training with Adam and a one-cycle schedule: the weights of the best epoch, and both curves in bits.

    It ends at the first loss that is not finite; the curves end there too.
    """
    model = _model(package, mu, sigma, num_flows, num_hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * (len(points) // batch) + 1)
    best, weights = math.inf, _weights(model)
    train_curve: list[float] = []
    validation_curve: list[float] = []
    for _ in range(epochs):
        average = _train_epoch(model.train(), points.cpu(), batch, optimizer, schedule)
        if not math.isfinite(average):
            break
        train_curve.append(average)
        validation_curve.append(_validate(model.eval(), validation))
        if validation_curve[-1] < best:
            best, weights = validation_curve[-1], _weights(model)
    return {"weights": weights, "train": torch.tensor(train_curve), "validation": torch.tensor(validation_curve)}


def _train_epoch(
    model: Any,
    points: Tensor,
    batch: int,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    losses = []
    for rows in torch.randperm(len(points))[: len(points) // batch * batch].reshape(-1, batch):
        optimizer.zero_grad()
        loss = model(points[rows]).mean()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            return math.inf
        loss.backward()
        optimizer.step()
        schedule.step()
    return sum(losses) / len(losses) * BITS / points.shape[1]


@torch.no_grad()
def _validate(model: Any, points: Tensor) -> float:
    losses = _losses(model, points)
    finite = losses[losses.isfinite()]
    return float(finite.mean()) * BITS / points.shape[1] if len(finite) else math.inf


def _weights(model: nn.Module) -> State:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


@torch.no_grad()
def density(
    package: Any, points: Tensor, *, weights: State, mu: Tensor, sigma: Tensor, num_flows: int, num_hidden: int
) -> Tensor:
    """Log-densities at points [N, d] of a model with the given weights."""
    model = _model(package, mu, sigma, num_flows, num_hidden)
    model.load_state_dict(weights)
    return -_losses(model, points)


# The student's own loop


class Location(nn.Module):
    """A density with one parameter, N(location, I): whatever a training loop does to it, a hand can follow.

    It has what a loop may ask of a flow: the loss, the map, the base density, the dimension.
    """

    def __init__(self, location: Tensor) -> None:
        super().__init__()
        self.location = nn.Parameter(location.cpu().clone())
        self.dim = location.shape[0]
        self.base_density = Base(torch.zeros(self.dim), torch.ones(self.dim))

    def transform(self, z: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """z [B, d] less the location, or plus it; and a log-determinant of zero, [B]."""
        return (z + self.location if inverse else z - self.location), torch.zeros(len(z))

    def forward(self, x: Tensor) -> Tensor:
        """The negative log-likelihood [B] of x [B, d]."""
        z, log_det = self.transform(x)
        return -(self.base_density.log_prob(z) + log_det)


def training_loop(package: Any, points: Tensor, *, location: Tensor, batch: int, rate: float) -> dict[str, Any]:
    """One epoch of the student's loop over points [N, d], in order, with plain gradient descent.

    What it returns, the gradient that each step of the optimiser found [steps, d], and the parameter afterwards.
    """
    model = Location(location)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    gradients: list[Tensor] = []

    def note(*_: object) -> None:
        gradient = model.location.grad
        gradients.append(torch.zeros(model.dim) if gradient is None else gradient.clone())

    optimizer.register_step_pre_hook(note)
    average = package.flow.train_epoch(model, DataLoader(TensorDataset(points.cpu()), batch_size=batch), optimizer)
    return {
        "average": average,
        "gradients": torch.stack(gradients) if gradients else torch.zeros(0, model.dim),
        "location": model.location,
    }
