"""Properties of any network that show by running it: which parameters it uses, and the range of its outputs."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.adapting.members import STILL_NONE
from graders.adapting.passing import noted
from graders.probing.gaps import still_none

if TYPE_CHECKING:
    from graders.probing.records import Registration

_BUILT = "that was built with"
DRIVE_STEPS = 100
DRIVE_RATE = 0.02
_DRAWS = 4  # of all parameters, each with the signs that the one before had not
_ROUNDING = 1e-6  # relative
_NOISE = 0.1  # standard deviation for a parameter that is constant
_SMALL = 0.1  # weights whose standard deviation is less than this share of the usual one are enlarged
STRETCH = 3.0  # factor on inputs for which activations bend, but a tanh at the end can still be undone


def are_probabilities(scores: Tensor) -> bool:
    """Return whether all scores lie in [0, 1]."""
    return bool((scores >= 0).all() and (scores <= 1).all())


def stretched_lines(rows: Tensor) -> Tensor:
    """Return points [3·(B − 1), …] on the lines between consecutive rows [B, …]: the starts, the midpoints, the ends.

    All are multiplied by `STRETCH`.
    """
    return STRETCH * torch.cat([rows[:-1], (rows[:-1] + rows[1:]) / 2, rows[1:]])


def built(make: Callable[..., nn.Module], /, *args: Any, **settings: Any) -> nn.Module:
    """Build a student's network by `make(*args, **settings)`, a method of an adapter.

    From then on, errors of its code name the arguments that the student's function or class was really called with,
    wherever the network is called: errors of its constructor, of its forward, and of the networks that it holds.
    Without them, a message about shapes does not say where its numbers come from.
    """
    with noted() as passed:
        try:
            network = make(*args, **settings)
        except Exception as error:
            _explain(error, passed)
            raise
    return _watched(network, passed)


def _watched(network: nn.Module, passed: Mapping[str, str]) -> nn.Module:
    def explain(*_: object) -> None:
        error = sys.exc_info()[1]
        if error is not None:
            _explain(error, passed)

    for module in (network, *network.children()):
        module.register_forward_hook(explain, always_call=True)  # unlike a method, a copied hook fits the copy
    return network


def _explain(error: BaseException, passed: Mapping[str, str]) -> None:
    """Add to an error of a network's code what is still None, and what it was built with, unless that is said."""
    text = _text(error)
    if not text or _BUILT in text or STILL_NONE in text:
        return
    gap = still_none(error)
    if gap:
        error.args = (f"{gap} ({text})",)
    elif passed and not isinstance(error, AttributeError):
        _add(error, "network", passed)


def name_settings(error: BaseException, what: str, **settings: Any) -> None:
    """Add the arguments to an error of an object's code that it was built with; `what` is its kind, as "mixture"."""
    if _text(error) and _BUILT not in _text(error):
        _add(error, what, settings)


def _add(error: BaseException, what: str, given: Mapping[str, Any]) -> None:
    words = ", ".join(f"{name}={value}" for name, value in given.items())
    error.args = (f"{_text(error)} (in a {what} {_BUILT} {words})",)


def _text(error: BaseException) -> str:
    """Return the text of an error that may be about a shape or about None, and "" of any other."""
    shaped = isinstance(error, RuntimeError | ValueError | IndexError | TypeError | AttributeError)
    if not shaped or isinstance(error, NotImplementedError):  # the latter is a gap that was not filled in
        return ""
    return error.args[0] if len(error.args) == 1 and isinstance(error.args[0], str) else ""


def described(returned: Any) -> str:
    """Return what a network returned instead of a tensor, for the student."""
    if isinstance(returned, tuple | list):
        return f"a {type(returned).__name__} of {len(returned)}: {', '.join(type(each).__name__ for each in returned)}"
    return "None, as a function without return does" if returned is None else f"a {type(returned).__name__}"


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's state_dict."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def adam(network: nn.Module, rate: float, betas: tuple[float, float] = (0.9, 0.999)) -> torch.optim.Adam:
    """Return Adam for all parameters of a network, in one pass over each where torch can do that.

    The usual way takes up to ten passes, which is 40 % of the time of a short training of a GAN.
    """
    parameters = list(network.parameters())
    fused = all(each.is_floating_point() for each in parameters)
    return torch.optim.Adam(parameters, lr=rate, betas=betas, fused=fused)


def registration(network: nn.Module, output: Tensor) -> Registration:
    """Compare the parameters that `output` depends on with those that `network.parameters()` gives an optimiser.

    It walks the autograd graph, so it is exact for all values.
    """
    registered = {id(parameter) for parameter in network.parameters()}
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad),
        "unregistered": len(_leaves(output) - registered),
    }


def unreached_parameter(network: nn.Module, output: Tensor) -> str:
    """Return the name of the first parameter that the autograd graph of `output` does not hold; "" if it holds all."""
    used = _leaves(output)
    trained = (name for name, each in network.named_parameters() if each.requires_grad and id(each) not in used)
    return next(trained, "")


def used_parameters(network: nn.Module, forward: Callable[[], Tensor]) -> dict[str, nn.Parameter]:
    """Return the trainable parameters, by name, that the autograd graph of `forward()` holds.

    A layer that forward never calls does no harm, and is no part of what the network computes.
    """
    with torch.enable_grad():
        used = _leaves(forward())
    return {name: each for name, each in network.named_parameters() if each.requires_grad and id(each) in used}


@torch.no_grad()
def idle_parameter(network: nn.Module, forward: Callable[[], Tensor]) -> str:
    """Return the name of the first used parameter on which the output of `forward()` does not depend; "" without any.

    The graph of an output also holds what is multiplied by zero, or added and taken away again. Parameters outside of
    it are left out, since a layer that forward never calls does no harm. All others are changed first, and stay so:
    where a new network multiplies a branch by a parameter that is zero, others would seem idle. This is done several
    times, with the other signs each time: activations such as ReLU may be flat at some values of the parameters, and
    only what is idle at all of them counts. Beside biases, the effect of small initial weights would be lost in
    rounding, so these are enlarged.
    """
    enlarged(network)
    parameters = used_parameters(network, forward)
    idle = list(parameters)
    for _ in range(_DRAWS):
        for each in parameters.values():
            _disturb(each.neg_())
        before = forward()
        idle = [name for name in idle if not _matters(parameters[name], forward, before)]
        if not idle:
            return ""
    return idle[0]


@torch.no_grad()
def enlarged(network: nn.Module) -> nn.Module:
    """Return the network after giving it weights of a usual size, 1/√fan-in, where they are much smaller, or zero.

    Students may choose how large the initial weights are, as by `normal_(std=0.0001)`, and a property of the
    architecture should not depend on it: between such weights, every activation is nearly linear, and the output is
    nearly constant.
    """
    for each in network.parameters():
        if each.dim() < 2 or not each.is_floating_point():
            continue
        usual = (each.numel() / len(each)) ** -0.5
        if each.std(correction=0) < _SMALL * usual:
            each.add_(usual * torch.randn_like(each))
    return network


def _matters(parameter: Tensor, forward: Callable[[], Tensor], before: Tensor) -> bool:
    """Return whether another value of a parameter, which keeps its own, changes the output from `before`."""
    kept = parameter.clone()
    _disturb(parameter)
    difference = (forward() - before).abs().max()
    parameter.copy_(kept)
    return bool(difference > _ROUNDING * before.abs().max())


def _disturb(parameter: Tensor) -> None:
    """Add noise that is as large as the parameter's own values."""
    size = parameter.std().item() if parameter.numel() > 1 else 0.0
    parameter.add_((size or _NOISE) * torch.randn_like(parameter))


def drive(
    network: nn.Module,
    forward: Callable[[], Tensor],
    target: Tensor,
    enough: Callable[[Tensor], bool] = lambda output: False,
) -> Tensor:
    """Train the network to bring the output of `forward()` to `target`, and returns the nearest output of all steps.

    A target outside the range of the outputs shows that range, for any architecture. The best step counts, not the
    last, since a step of this size may move the output away again. `target` has as many elements as the output. A
    training stops early if `enough(output)` is true.

    Returns:
        [2, *target.shape]: the nearest output in training mode, where spectral norms are updated; and that of a second
        training, which goes on from there in eval mode, where outputs are computed without gradients as in use. A
        network may have another range in each.
    """
    return torch.stack([_driven(network.train(mode), forward, target, enough) for mode in (True, False)])


def _driven(
    network: nn.Module, forward: Callable[[], Tensor], target: Tensor, enough: Callable[[Tensor], bool]
) -> Tensor:
    """Train the network in the mode that it is in, and leaves it as it was at the nearest output, which it returns."""
    optimizer = torch.optim.Adam(network.parameters(), lr=DRIVE_RATE)
    kept = [*network.parameters(), *network.buffers()]
    nearest, least, best = None, math.inf, [each.detach().clone() for each in kept]
    for _ in range(DRIVE_STEPS):
        optimizer.zero_grad()
        before = [each.detach().clone() for each in kept]
        output = forward()
        shown = output.detach().clone() if network.training else _in_use(forward)
        error = (output.reshape(target.shape) - target).square().mean()
        away = (shown.reshape(target.shape) - target).square().mean().item()
        if away < least:
            nearest, least, best = shown, away, before
        if enough(shown):
            break
        error.backward()
        optimizer.step()
    found = forward().detach() if nearest is None else nearest
    with torch.no_grad():
        for each, value in zip(kept, best, strict=True):
            each.copy_(value)
    return found.reshape(target.shape)


@torch.no_grad()
def _in_use(forward: Callable[[], Tensor]) -> Tensor:
    return forward().clone()


def _leaves(output: Tensor) -> set[int]:
    """Return the ids of the leaf tensors of the graph, in which gradients are accumulated."""
    found: set[int] = set()
    seen: set[object] = set()
    stack = [output.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            found.add(id(variable))
        stack.extend(parent for parent, _ in node.next_functions)
    return found
