"""Records what enters and leaves a network if student code calls the network's layers instead of its `forward`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graders.probing.stirring import add_noise

LEVEL = 0.01  # noise on the parameters, so that a network that starts at zero gives outputs that can be told apart

Parts = Callable[[Any], list[Tensor]]  # takes a network's output apart, into tensors [B, …]
Change = Callable[[int, Tensor], Tensor]  # makes the tensor [B, n] that replaces part number i


@dataclass(slots=True)
class Ends:
    """The tensors that passed each layer at either end of a network; a layer comes before those that it consists of."""

    taken: list[list[Tensor]]  # for each layer that may take the network's input, its inputs [B, n]
    given: list[list[list[Tensor]]]  # for each part of the output and each layer that may give it, its outputs [B, n]

    def inputs(self) -> list[Tensor]:
        """Return what the network's input was in each call; empty if no layer was called."""
        return _outermost(self.taken)

    def outputs(self, part: int) -> list[Tensor]:
        """Return what a part of the network's output was in each call; empty if no layer was called."""
        return _outermost(self.given[part])


def watch_layers(network: nn.Module, x: Tensor, parts_of: Parts, change: Change) -> Ends:
    """Record from now on what the layers of a network take and give at its two ends, and replace what they give.

    The layers are found by a call of the network with x [B, …]: those that take x, and those that give a part of the
    output, in all of their columns or in some. This call changes the parameters by a little noise.
    """
    add_noise(network, LEVEL, lambda: False)
    output, passes = _passes_of(network, x)
    taken = [_record_inputs(layer) for layer, given, _ in passes if torch.equal(given, x.flatten(1))]
    given = [
        [
            _replace_columns(layer, slice(start, start + width), functools.partial(change, index))
            for layer, _, whole in passes
            for start in range(0, whole.shape[1] - width + 1, width)
            if torch.allclose(whole[:, start : start + width], part.flatten(1))
        ]
        for index, part in enumerate(parts_of(output))
        if (width := part.flatten(1).shape[1]) > 0
    ]
    return Ends(taken, given)


def _passes_of(network: nn.Module, x: Tensor) -> tuple[Any, list[tuple[nn.Module, Tensor, Tensor]]]:
    """Return the output of a network in eval mode, and the input and output [B, n] of each call of its layers."""
    passes: list[tuple[nn.Module, Tensor, Tensor]] = []

    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        ends = (*inputs[:1], output)
        if len(ends) == 2 and all(isinstance(each, Tensor) and each.shape[:1] == x.shape[:1] for each in ends):
            taken, given = (each.reshape(len(x), -1).clone() for each in ends)
            passes.append((layer, taken, given))

    layers = [layer for layer in network.modules() if layer is not network]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    training = network.training
    with torch.no_grad():
        output = network.eval()(x)
    network.train(training)
    for hook in hooks:
        hook.remove()
    return output, sorted(passes, key=lambda each: layers.index(each[0]))


def _record_inputs(layer: nn.Module) -> list[Tensor]:
    seen: list[Tensor] = []

    def note(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        seen.append(inputs[0].flatten(1).clone())
        return (seen[-1].reshape(inputs[0].shape).clone(), *inputs[1:])

    layer.register_forward_pre_hook(note)
    return seen


def _replace_columns(layer: nn.Module, columns: slice, change: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Replace some columns of a layer's output [B, …] by `change` of them; return the list of what replaced them."""
    seen: list[Tensor] = []

    def replace(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        flat = output.flatten(1)
        seen.append(change(flat[:, columns]))
        return torch.cat([flat[:, : columns.start], seen[-1], flat[:, columns.stop :]], dim=1).reshape(output.shape)

    layer.register_forward_hook(replace)
    return seen


def _outermost(calls: list[list[Tensor]]) -> list[Tensor]:
    return next(filter(None, calls), [])
