"""Seeing what goes through a module while somebody else's code calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(slots=True)
class Calls:
    """Arguments and outputs of each call of a module, in order. Tensors are those of the graph."""

    inputs: list[tuple[Any, ...]] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.outputs)

    def forget(self) -> None:
        self.inputs.clear()
        self.outputs.clear()


def watch(module: nn.Module, change: Callable[[Any], Any] | None = None, name: str = "forward") -> Calls:
    """Records all calls of `module` from here on, and passes on `change(output)` instead of its output.

    Wraps `forward` on the instance, which sees `module(x)` and `module.forward(x)` alike; a hook sees the first only.
    With another `name`, the method of that name.
    The module and the caller are given copies within the graph, so that working in place does not change what was
    recorded.
    """
    calls = Calls()
    original = getattr(module, name)

    def forward(*args: Any, **kwargs: Any) -> Any:
        inputs = _copied(args)
        named = {name: _copied(value) for name, value in kwargs.items()}
        output = original(*inputs, **named)
        if change is not None:
            output = change(output)
        calls.inputs.append((*inputs, *named.values()))
        calls.outputs.append(output)
        return _copied(output)

    setattr(module, name, forward)
    return calls


def with_items(output: Any, items: Iterable[Any]) -> Any:
    """A tuple or list of the type of `output`, be it a named tuple, with other items."""
    return getattr(type(output), "_make", type(output))(items)


def _copied(output: Any) -> Any:
    if isinstance(output, Tensor):
        return output.clone()
    if isinstance(output, tuple | list):
        return with_items(output, map(_copied, output))
    return output
