"""Finding what a student's model is made of, by name or by what it is called after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from gengrade.sandbox.guest.errors import Missing


def method(model: nn.Module, name: str, owner: str) -> Callable[..., Any]:
    """The model's method of that name. Raises Missing; `owner` is the class as the hand-out calls it."""
    found: Callable[..., Any] | None = getattr(model, name, None)
    if found is None:
        raise Missing(f"the class {owner} has no method {name}")
    return found


def part(model: nn.Module, role: str, owner: str) -> nn.Module:
    """The child of that name, or else the one whose name or class says so. Raises Missing."""
    children = dict(model.named_children())
    if role in children:
        return children[role]
    for name, child in children.items():
        if role in name.lower() or role in type(child).__name__.lower():
            return child
    raise Missing(f"the class {owner} has no attribute {role}")
