"""Probes of a normalizing flow on a toy problem: its densities, its map, its loss and its training.

All probes pass copies to the student's code, since the hand-out's coupling layer writes into its input.

Evidence of the map also contains a ledger for the diagnosis of mistakes: which of the model's layers were called, in
which order, and what each added to the log-determinant.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from graders.probing.descent import Descent
from graders.probing.networks import built, name_settings, weights_of
from graders.probing.slopes import as_now, set_mode
from graders.probing.steps import with_gradients
from graders.probing.stirring import add_noise

if TYPE_CHECKING:
    from graders.flow.interface import FlowPackage
    from graders.flow.records import (
        Account,
        BimodalLogProb,
        BimodalSamples,
        Differences,
        Image,
        Ledger,
        Ledgers,
        LogProb,
        Loss,
        Neighbours,
        Nll,
        RoundTrip,
        Samples,
        Slopes,
        StirredDensities,
        Train,
        TrainingLoop,
        WayBack,
    )
    from graders.probing.records import State

    Found = TypeVar("Found")

BITS = math.log2(math.e)
LEVEL = 0.02  # step by which the noise on the parameters is increased
CALLS, FEW = 100, 8  # number and size of the small samples that are drawn after a large one


class Base:
    """A Gaussian of ours, so that a mistake in the student's affects neither their flow nor their mixture."""

    def __init__(self, mu: Tensor, sigma: Tensor, dims: int | None = None) -> None:
        self.mu = self.mus = mu.reshape(-1)
        self.sigma = self.sigmas = sigma.reshape(-1)
        self.dims = self.dim = dims or self.mu.shape[0]

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log-densities [...] of x [..., d] in nats."""
        log_prob: Tensor = torch.distributions.Normal(self.mu, self.sigma, validate_args=False).log_prob(x)
        return log_prob.sum(dim=-1)

    def sample(self, num_samples: int) -> Tensor:
        """Return independent draws [num_samples, d]."""
        return self.mu + self.sigma * torch.randn(num_samples, self.dims, dtype=self.mu.dtype)


# The densities


def gaussian_log_prob(package: FlowPackage, mu: Tensor, sigma: Tensor, x: Tensor) -> LogProb:
    """Ask the student's Gaussian for log_prob at x [..., d]; mu and sigma are [d]."""
    return _log_prob(package.flow.gaussian(mu, sigma, mu.shape[0]), x)


def bimodal_log_prob(package: FlowPackage, mus: Tensor, sigmas: Tensor, x: Tensor, *, ours: bool) -> BimodalLogProb:
    """Ask the student's mixture for log_prob at x [..., d]; mus and sigmas are [2, d].

    `ours` asks for the same of a mixture of our Gaussians.
    """
    own, with_ours = _both_ways(package, mus, sigmas, lambda mixture: _log_prob(mixture, x), ours)
    return {**own, "with_ours": with_ours}


def _log_prob(distribution: Any, x: Tensor) -> LogProb:
    given = x.cpu().clone()
    return {"log_prob": distribution.log_prob(given), "x": given}


def gaussian_sample(package: FlowPackage, mu: Tensor, sigma: Tensor, n: int) -> Samples:
    """Draws n points of the student's Gaussian at once, and then a few in each of many calls."""
    return _draws(package.flow.gaussian(mu, sigma, mu.shape[0]), n, "Gaussian", mu.shape[0])


def bimodal_sample(package: FlowPackage, mus: Tensor, sigmas: Tensor, n: int, *, ours: bool) -> BimodalSamples:
    """Draws n points of the student's mixture at once, and then a few in each of many calls.

    `ours` asks for the same of a mixture of our Gaussians.
    """
    own, with_ours = _both_ways(package, mus, sigmas, lambda mixture: _draws(mixture, n, "mixture", mus.shape[1]), ours)
    return {**own, "with_ours": with_ours}


def _both_ways(
    package: FlowPackage, mus: Tensor, sigmas: Tensor, ask: Callable[[Any], Found], ours: bool
) -> tuple[Found, Found | None]:
    """Return what `ask` finds in the student's mixture, and in the same made of our Gaussians, or None.

    If only the latter gives an answer, that is returned alone, since the mistake is in the student's Gaussian. Without
    `ours`, nothing is made of our Gaussians, since the student's has no mistake.
    """
    with_ours: Found | None = None
    if ours:
        with contextlib.suppress(Exception):
            with_ours = ask(package.flow.bimodal(list(mus), list(sigmas), mus.shape[1], Base))
    try:
        own = ask(package.flow.bimodal(list(mus), list(sigmas), mus.shape[1]))
    except Exception:
        if with_ours is None:
            raise
        return with_ours, None
    return own, with_ours


def _draws(distribution: Any, n: int, what: str, dims: int) -> Samples:
    """Draw n points, and a few in each of many calls; errors say which `dims` the distribution was built with."""
    try:
        return {"samples": distribution.sample(n), "calls": [distribution.sample(FEW) for _ in range(CALLS)]}
    except Exception as error:
        name_settings(error, what, dims=dims)
        raise


# The map


def _model(package: FlowPackage, mu: Tensor, sigma: Tensor, num_flows: int, num_hidden: int) -> Any:
    base = Base(mu.cpu(), sigma.cpu())
    sizes = {"dim": mu.shape[0], "num_flows": num_flows, "num_hidden": num_hidden}
    return built(package.flow.model, base, **sizes).eval()


def _stirred(package: FlowPackage, mu: Tensor, sigma: Tensor, num_flows: int, stir: float) -> Any:
    """Create a model and add noise to every parameter, since a new flow is the identity.

    The noise is increased until it moves standard normal points by `stir` on average.
    """
    model = _model(package, mu, sigma, num_flows, num_hidden=16)
    points = torch.randn(256, mu.shape[0])
    add_noise(model, LEVEL, lambda: float((model.transform(points.clone())[0] - points).abs().mean()) < stir)
    return model


def _stirred_map(package: FlowPackage, dim: int, num_flows: int, stir: float) -> Any:
    """Create a model as `_stirred` does, for probes to which the base density does not matter."""
    return _stirred(package, torch.zeros(dim), torch.ones(dim), num_flows, stir)


def _layers(model: Any) -> list[nn.Module]:
    """Return the model's layers if it keeps them in `layers`, as the hand-out does; otherwise none."""
    found = getattr(model, "layers", None)
    return [each for each in found if isinstance(each, nn.Module)] if isinstance(found, Iterable) else []


class _Calls:
    """Records the calls of a model's layers, and what each of them adds to log_det."""

    def __init__(self, model: Any) -> None:
        self._layers = _layers(model)
        self._calls: list[tuple[int, bool, Any]] = []
        for index, layer in enumerate(self._layers):
            layer.forward = self._noting(index, layer.forward)

    def _noting(self, index: int, forward: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any, **kwargs: Any) -> Any:
            given = (*args, *kwargs.values())
            before = given[1].clone() if len(given) > 1 and isinstance(given[1], Tensor) else math.nan
            answer = forward(*args, **kwargs)
            after = answer[1].clone() if isinstance(answer, tuple) and isinstance(answer[1], Tensor) else math.nan
            self._calls.append((index, any(each is True for each in given), after - before))
            return answer

        return noting

    def ledger(self, points: int) -> Ledger:
        """Return and forget the recorded calls, for a batch of `points` points."""
        calls, self._calls = self._calls, []
        return {
            "layers": len(self._layers),
            "order": torch.tensor([index for index, _, _ in calls], dtype=torch.int64),
            "inverse": torch.tensor([inverse for _, inverse, _ in calls], dtype=torch.bool),
            "added": torch.stack([_per_point(added, points) for _, _, added in calls])
            if calls
            else torch.zeros(0, points),
        }


def _per_point(added: Any, points: int) -> Tensor:
    """Return what a layer added to log_det as float64 [points]; NaN if it is not one number per point."""
    fits = isinstance(added, Tensor) and added.shape in ((points,), (1,), ())
    return added.detach().double().expand(points) if fits else torch.full((points,), math.nan, dtype=torch.float64)


@torch.no_grad()
def round_trip(package: FlowPackage, x: Tensor, *, num_flows: int, stir: float) -> RoundTrip:
    """Map x [B, d] forward and back, and by the inverse and back.

    The ways back within this process are for the diagnosis only, since a model can remember what it mapped:
    `way_back` asks for those that count.
    """
    model = _stirred_map(package, x.shape[1], num_flows, stir)
    calls = _Calls(model)
    forward = model.transform(x.cpu().clone())[0].clone()
    of_forward = calls.ledger(len(x))
    backward = model.transform(x.cpu().clone(), inverse=True)[0].clone()
    ledgers: Ledgers = {"forward": of_forward, "backward": calls.ledger(len(x))}
    return {
        "forward": forward,
        "forward_and_back": model.transform(forward.clone(), inverse=True)[0],
        "backward": backward,
        "backward_and_forth": model.transform(backward.clone())[0],
        "ledgers": ledgers,
    }


@torch.no_grad()
def way_back(package: FlowPackage, forward: Tensor, backward: Tensor, *, num_flows: int, stir: float) -> WayBack:
    """Apply the inverse to points `forward` that a model of the same random state computed in another process."""
    model = _stirred_map(package, forward.shape[1], num_flows, stir)
    return {
        "of_forward": model.transform(forward.cpu().clone(), inverse=True)[0].clone(),
        "of_backward": model.transform(backward.cpu().clone())[0],
    }


@torch.no_grad()
def neighbours(
    package: FlowPackage, x: Tensor, *, num_flows: int, stir: float, inverse: bool, step: float, coarse_step: float
) -> Neighbours:
    """Return the map's log_det at x [B, d], and the map at neighbours of x, from which its Jacobian follows.

    The neighbours lie at a distance `step` on either side along each axis. The model runs in double precision if it
    can, otherwise in single precision with `coarse_step`. Then it is asked as a training and its user ask it.
    """
    model = _stirred_map(package, x.shape[1], num_flows, stir)
    own = next((each.dtype for each in model.parameters()), torch.float32)
    double = True
    try:
        found = _differences(model.double(), x.cpu().double(), inverse, step)
    except RuntimeError:  # Some tensor in the student's code is explicitly float32.
        double = False
        found = _differences(model.float(), x.cpu().float(), inverse, coarse_step)
    model.to(own)
    in_use = [_in_use(model, x.cpu(), inverse, training) for training in (False, True)]
    return {**found, "double": double, "in_use": in_use}


def _in_use(model: Any, x: Tensor, inverse: bool, training: bool) -> Image:
    """Return what the map makes of x [B, d] in its own precision and one of the modes; gradients as in a training."""
    set_mode(model, training)
    with torch.set_grad_enabled(training):
        z, log_det = model.transform(x.clone(), inverse=inverse)
    return {"z": z, "log_det": log_det}


def _differences(model: Any, x: Tensor, inverse: bool, step: float) -> Differences:
    calls = _Calls(model)
    z, log_det = (each.clone() for each in model.transform(x.clone(), inverse=inverse))
    ledger = calls.ledger(len(x))
    offsets = step * torch.eye(x.shape[1], dtype=x.dtype)
    return {
        "log_det": log_det,
        "at_x": z,
        "back": model.transform(z.clone(), inverse=not inverse)[1],
        "ledger": ledger,
        "after": torch.stack([model.transform(x + offset, inverse=inverse)[0] for offset in offsets]),
        "before": torch.stack([model.transform(x - offset, inverse=inverse)[0] for offset in offsets]),
    }


def nll(
    package: FlowPackage,
    x: Tensor,
    *,
    mu: Tensor,
    sigma: Tensor,
    num_flows: int,
    stir: float,
    directions: int,
    step: float,
) -> Nll:
    """Return the loss at x [B, d], its parts z and log_det, and properties of its gradient."""
    try:
        model = _stirred(package, mu, sigma, num_flows, stir)
    except Exception:  # where `forward` is not written, this says so, and not what is wrong with `transform`
        _model(package, mu, sigma, num_flows, num_hidden=16)(x.clone())
        raise
    account = _account(model, x)
    base = Base(mu.cpu(), sigma.cpu())
    of_parts = torch.stack([_gradient(part, model) for part in _parts(base, account["z"], account["log_det"])])
    right = of_parts.sum(dim=0)
    gradient = _gradient(account["nll"], model)
    idle = [_idle(layer) for layer in _layers(model) if list(layer.parameters())]
    return {
        **account,
        "trainable": not _idle(model),
        "idle": torch.tensor(idle, dtype=torch.bool),
        "off": float((gradient - right).norm() / right.norm()),
        "weights": _weights_of(of_parts, gradient),
        "attached": account["log_det"].requires_grad,
        **_slopes(model, base, x, of_parts, directions, step),
        "in_training": _in_training(model, x),
    }


def _in_training(model: Any, x: Tensor) -> Loss:
    """Return the loss at x [B, d] in training mode, without dropout, and the map that it belongs to."""
    set_mode(model, training=True)
    bring_back = as_now(model)
    loss = model(x.cpu().clone())
    bring_back()
    z, log_det = model.transform(x.cpu().clone())
    return {"nll": loss, "z": z, "log_det": log_det}


def _parts(base: Base, z: Tensor, log_det: Tensor) -> tuple[Tensor, Tensor]:
    return -base.log_prob(z), -log_det


@torch.no_grad()
def _slopes(model: Any, base: Base, x: Tensor, gradients: Tensor, directions: int, step: float) -> Slopes:
    """Return the slopes of both parts of the mean loss at x [B, d] in random directions of the parameters.

    Central differences show how a part depends on what the student's code has detached, too. `gradients` [2, N] are the
    parts', from which other slopes follow.
    """
    parameters = list(model.parameters())
    slopes, predicted = [], []
    for _ in range(directions):
        direction = [torch.randn_like(parameter) for parameter in parameters]
        means = []
        for distance in (step, -2 * step, step):  # to either side, and back
            for parameter, along in zip(parameters, direction, strict=True):
                parameter.add_(distance * along)
            parts = _parts(base, *model.transform(x.cpu().clone()))
            means.append(torch.stack([part.double().mean() for part in parts]))
        slopes.append((means[0] - means[1]) / (2 * step))
        predicted.append(gradients @ torch.cat([along.double().reshape(-1) for along in direction]))
    return {"slopes": torch.stack(slopes), "predicted_slopes": torch.stack(predicted)}


def _weights_of(parts: Tensor, whole: Tensor) -> Tensor:
    """Return the least-squares weights [2] of the vectors `parts` [2, N] in `whole` [N]; NaN if some number is."""
    if not (parts.isfinite().all() and whole.isfinite().all()):
        return torch.full((2,), math.nan)
    weights: Tensor = torch.linalg.pinv(parts.T) @ whole
    return weights


def _gradient(loss: Tensor, model: nn.Module) -> Tensor:
    """Return the gradient of the mean of `loss` as one vector, and leaves it in the model; zero if there is none."""
    model.zero_grad()
    if not loss.requires_grad:
        return torch.zeros(sum(each.numel() for each in model.parameters()), dtype=torch.float64)
    loss.mean().backward(retain_graph=True)
    gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in model.parameters()]
    return torch.cat([each.detach().double().reshape(-1) for each in gradients])


def _idle(layer: nn.Module) -> bool:
    """Return whether a layer (or a model) has parameters, but none of them has a non-zero gradient."""
    gradients = [parameter.grad for parameter in layer.parameters()]
    return bool(gradients) and not any(gradient is not None and bool(gradient.any()) for gradient in gradients)


def _account(model: Any, x: Tensor) -> Account:
    """Return the loss at x [B, d] with the ledger of its layers, and z and log_det of the same model."""
    calls = _Calls(model)
    loss = model(x.cpu().clone())
    ledger = calls.ledger(len(x))
    z, log_det = model.transform(x.cpu().clone())
    return {"nll": loss, "z": z, "log_det": log_det, "ledger": ledger}


@torch.no_grad()
def stirred_densities(
    package: FlowPackage,
    points: Tensor,
    *,
    mu: Tensor,
    sigma: Tensor,
    num_flows: int,
    stir: float,
    models: int,
    few: int,
) -> StirredDensities:
    """Return the log-densities of untrained models at points [N, d], and an account of the last at the first `few`."""
    stirred = [_stirred(package, mu, sigma, num_flows, stir) for _ in range(models)]
    log_densities = torch.stack([-_losses(model, points) for model in stirred])
    return {"log_densities": log_densities, "account": _account(stirred[-1], points[:few])}


def _losses(model: Any, points: Tensor) -> Tensor:
    losses: Tensor = model(points.cpu().clone())
    return losses


# Training


def train(
    package: FlowPackage,
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
) -> Train:
    """Train the student's flow for a short time with Adam and a one-cycle schedule.

    The training, and both curves, end at the first loss that is not finite.

    Args:
        points, validation: [N, d] each.
        mu, sigma: [d], the base density.
        num_flows, num_hidden: the model's sizes.
        batch: points per batch. rate: the highest learning rate.
    """
    model = _model(package, mu, sigma, num_flows, num_hidden)
    descent = Descent(model, peak=rate, steps=epochs * (len(points) // batch) + 1)
    best, weights = math.inf, weights_of(model)
    train_curve: list[float] = []
    validation_curve: list[float] = []
    for _ in range(epochs):
        average = _train_epoch(model.train(), points.cpu(), batch, descent)
        if not math.isfinite(average):
            break
        train_curve.append(average)
        validation_curve.append(_validate(model.eval(), validation))
        if validation_curve[-1] < best:
            best, weights = validation_curve[-1], weights_of(model)
    return {"weights": weights, "train": torch.tensor(train_curve), "validation": torch.tensor(validation_curve)}


def _train_epoch(model: Any, points: Tensor, batch: int, descent: Descent) -> float:
    losses = []
    for rows in torch.randperm(len(points))[: len(points) // batch * batch].reshape(-1, batch):
        loss = model(points[rows]).mean()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            return math.inf
        descent.step(loss)
    return sum(losses) / len(losses) * BITS / points.shape[1]


@torch.no_grad()
def _validate(model: Any, points: Tensor) -> float:
    losses = _losses(model, points)
    finite = losses[losses.isfinite()]
    return float(finite.mean()) * BITS / points.shape[1] if len(finite) else math.inf


@torch.no_grad()
def density(
    package: FlowPackage, points: Tensor, *, weights: State, mu: Tensor, sigma: Tensor, num_flows: int, num_hidden: int
) -> Tensor:
    """Return the log-densities [N], in nats, that a model with the given weights assigns to points [N, d]."""
    model = _model(package, mu, sigma, num_flows, num_hidden)
    model.load_state_dict(weights)
    return -_losses(model, points)


# The student's own loop


class Location(nn.Module):
    """The density N(location, I), a flow with one parameter, for which every step of a training loop is known.

    It has the attributes of a flow that a loop may use: the loss, the map, the base density and the dimension.
    """

    def __init__(self, location: Tensor) -> None:
        super().__init__()
        self.location = nn.Parameter(location.cpu().clone())
        self.dim = location.shape[0]
        self.base_density = Base(torch.zeros(self.dim), torch.ones(self.dim))

    def transform(self, z: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """Return z [B, d] minus the location (plus, for the inverse), and a log-determinant of zero, [B]."""
        return (z + self.location if inverse else z - self.location), torch.zeros(len(z))

    def forward(self, x: Tensor) -> Tensor:
        """Return the negative log-likelihood [B] of x [B, d] in nats. A translation changes no volume."""
        return -self.base_density.log_prob(x - self.location)


def training_loop(package: FlowPackage, points: Tensor, *, location: Tensor, batch: int, rate: float) -> TrainingLoop:
    """Run one epoch of the student's loop over points [N, d], in order, with gradient descent on a `Location`."""
    model = Location(location)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    gradients: list[Tensor] = []
    computed: list[Tensor] = []
    model.location.register_hook(computed.append)

    def note(_: torch.optim.Optimizer) -> None:
        gradient = model.location.grad
        gradients.append(torch.zeros(model.dim) if gradient is None else gradient.clone())

    optimizer.register_step_pre_hook(with_gradients(note))
    average = package.flow.train_epoch(model, DataLoader(TensorDataset(points.cpu()), batch_size=batch), optimizer)
    return {
        "average": average,
        "gradients": torch.stack(gradients) if gradients else torch.zeros(0, model.dim),
        "location": model.location,
        "left": torch.zeros(model.dim) if model.location.grad is None else model.location.grad,
        "computed": len(computed),
    }
