"""Finds the methods and networks of a student's model by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from gengrade.sandbox.guest.errors import Missing


class EncoderAndDecoder:
    """What adapters of VAEs share whose two networks are the model's own attributes."""

    def encoder_of(self, model: nn.Module) -> nn.Module:
        """Return the model's encoder."""
        return part(model, "encoder", type(model).__name__)

    def decoder_of(self, model: nn.Module) -> nn.Module:
        """Return the model's decoder."""
        return part(model, "decoder", type(model).__name__)


def method(model: nn.Module, name: str, owner: str) -> Callable[..., Any]:
    """Return the model's method of that name.

    Raises Missing if there is none; `owner` is the hand-out's name of the class.
    """
    found: Callable[..., Any] | None = getattr(model, name, None)
    if found is None:
        raise Missing(f"the class {owner} has no method {name}")
    return found


def part(model: nn.Module, role: str, owner: str) -> nn.Module:
    """Return the model's attribute `role`, or else the child whose name or class contains that word. Raises Missing."""
    called = getattr(model, role, None)  # a child, or a property that gives one
    if isinstance(called, nn.Module):
        return called
    children = dict(model.named_children())
    for name, child in children.items():
        if role in name.lower() or role in type(child).__name__.lower():
            return child
    raise Missing(f"the class {owner} has no attribute {role}")
