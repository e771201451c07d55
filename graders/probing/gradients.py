"""Gradients of losses with respect to networks, as one row each, and how an optimiser's gradients combine them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.probing.sizes import WAYS
from graders.probing.slopes import as_now, directions, predicted, set_mode, to_either_side, trained

if TYPE_CHECKING:
    from graders.probing.records import Learnable, OutputSlopes

STEP = 2e-3  # step in a random direction, relative to what is moved
EPSILON = 6e-8  # relative rounding error of a number in single precision


def cosine(first: Tensor, second: Tensor) -> float:
    """Return the cosine of the angle between two vectors [n], whatever their lengths; 0 if one of them is zero.

    `torch.nn.functional.cosine_similarity` takes vectors shorter than 1e-8 for longer ones, but the gradients of
    networks with small initial weights are that short.
    """
    lengths = [float(each.abs().max()) if each.numel() else 0.0 for each in (first, second)]
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        return 0.0 if all(map(math.isfinite, lengths)) else math.nan
    one, other = (each.double() / length for each, length in zip((first, second), lengths, strict=True))
    return float((one @ other) / (one.norm() * other.norm()))


def by_each(loss: Tensor, tensors: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradients of a scalar loss with respect to each tensor; None for those that it does not depend on."""
    # Tensors of a network that the loop has frozen do not require gradients.
    wanted = [tensor for tensor in tensors if tensor.requires_grad]
    found = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True) if wanted else ()
    by_tensor = dict(zip(map(id, wanted), found, strict=True))
    return [by_tensor.get(id(tensor)) for tensor in tensors]


@contextmanager
def differentiated(note: Callable[[Tensor], None]) -> Iterator[None]:
    """Call `note(loss)` for each loss before it is differentiated, be it by `backward` or by `torch.autograd.grad`.

    It wraps the function to which all of these lead, so that student code may have imported them before. A tensor of
    several numbers that `backward(weights)` is called on counts as the sum of the weighted numbers.
    """
    name = "_engine_run_backward"
    original = getattr(torch.autograd, name)
    within: list[bool] = []  # not empty while `note` or autograd itself runs, which may differentiate, too

    def run(outputs: Any, weights: Any, *args: Any, **kwargs: Any) -> Any:
        if within:
            return original(outputs, weights, *args, **kwargs)
        within.append(True)
        try:
            for output, weight in zip(outputs, weights, strict=True):
                loss = _loss_in(output, weight if kwargs.get("accumulate_grad") else None)
                if loss is not None:
                    note(loss)
            return original(outputs, weights, *args, **kwargs)
        finally:
            within.clear()

    setattr(torch.autograd, name, run)
    try:
        yield
    finally:
        setattr(torch.autograd, name, original)


def _loss_in(output: Any, weight: Any) -> Tensor | None:
    """Return the scalar loss that is differentiated with `output`.

    None if there is none, or its weights are not given.
    """
    if not isinstance(output, Tensor) or not output.requires_grad:
        return None
    if output.numel() == 1:
        return output
    return (output * weight).sum() if isinstance(weight, Tensor) else None


def learnable(network: nn.Module, forward: Callable[[], Tensor], given: Tensor | None = None) -> Learnable:
    """Return whether gradients flow from the output of `forward()` to the network's parameters and to `given`."""
    called: set[nn.Module] = set()
    hooks = [child.register_forward_hook(lambda child, *_: called.add(child)) for child in network.modules()]
    output = forward()
    for hook in hooks:
        hook.remove()
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    tensors = parameters if given is None else [*parameters, given]
    found: list[Tensor | None] = [None] * len(tensors)
    if output.requires_grad:
        found = by_each((output * torch.rand_like(output)).sum(), tensors)
    gradients = {id(tensor): gradient for tensor, gradient in zip(tensors, found, strict=True) if gradient is not None}
    own = {
        f"{name}.{inner}": parameter
        for name, child in network.named_modules()
        if child in called and child is not network
        for inner, parameter in child.named_parameters(recurse=False)
        if parameter.requires_grad
    }
    return {
        "by_parameters": any(bool(gradients[id(each)].any()) for each in parameters if id(each) in gradients),
        "by_given": given is not None and id(given) in gradients and bool(gradients[id(given)].any()),
        "idle": next((name for name, parameter in own.items() if id(parameter) not in gradients), ""),
    }


def output_slopes(
    network: nn.Module, forward: Callable[[], Tensor], tensors: Sequence[Tensor] | None = None
) -> OutputSlopes:
    """Return how a weighted sum of the outputs of `forward()` changes with a network's parameters, or `tensors`.

    It is asked in eval and in training mode, without dropout; afterwards the network is in training mode.
    """
    moving = trained(network) if tensors is None else tensors
    along = directions(moving, WAYS)
    slopes, guesses, roundings = [], [], []
    for training in (False, True):
        set_mode(network, training)
        bring_back = as_now(network)
        output = forward()
        weights = torch.rand_like(output)
        guesses.append(predicted((output * weights).sum(), moving, along))

        def value(weights: Tensor = weights, bring_back: Callable[[], None] = bring_back) -> Tensor:
            bring_back()
            return (forward() * weights).double().sum()

        ends = to_either_side(moving, along, STEP, value)
        slopes.append((ends[:, 0] - ends[:, 1]) / (2 * STEP))
        roundings.append((output * weights).detach().double().norm() * EPSILON / STEP)
    return {
        "slopes": torch.stack(slopes),
        "predicted_slopes": torch.stack(guesses),
        "rounding": torch.stack(roundings),
    }


def accumulated(network: nn.Module) -> Tensor:
    """Return the gradients that an optimiser of this network would use now, as one row."""
    return in_a_row([parameter.grad for parameter in network.parameters()], network)


def in_a_row(gradients: Sequence[Tensor | None], network: nn.Module) -> Tensor:
    """Return the gradients of a network's parameters as one row in double precision, and zeros where one has none."""
    pairs = zip(network.parameters(), gradients, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).detach().flatten().double().cpu() for p, g in pairs])


def values(network: nn.Module) -> Tensor:
    """Return a copy of a network's parameters, as one row."""
    return torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])


def holders(optimizer: torch.optim.Optimizer, networks: dict[str, nn.Module]) -> list[str]:
    """Return the names of the networks of which an optimiser holds parameters."""
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return [name for name, network in networks.items() if held & {id(p) for p in network.parameters()}]


def moved(networks: dict[str, nn.Module], before: dict[str, Tensor]) -> dict[str, float]:
    """Return, for each network, the largest absolute change of a parameter since the copy of them in `before`."""
    return {name: float((values(network) - before[name]).abs().max()) for name, network in networks.items()}


def shares(used: Tensor, gradients: list[Tensor]) -> tuple[Tensor, float]:
    """Explain the gradient that an optimiser uses as a combination of the losses' gradients, by least squares.

    Takes rows [P] of P parameters. Returns the weight of each gradient, 0 for a gradient of zero, and the norm of the
    unexplained rest relative to that of `used`.
    """
    found = torch.zeros(len(gradients), dtype=torch.float64)
    known = [index for index, gradient in enumerate(gradients) if bool(gradient.any())]
    rest = used
    if known:
        columns = torch.stack([gradients[index] for index in known], dim=1)
        norms = columns.norm(dim=0)
        solution = torch.linalg.pinv(columns / norms, rtol=1e-6) @ used
        rest = used - columns / norms @ solution
        found[known] = solution / norms
    size = float(used.norm())
    return found, float(rest.norm()) / size if size else 0.0
