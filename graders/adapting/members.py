"""Finds the methods and networks of a student's model by their names."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from torch import nn

from gengrade.sandbox.guest.errors import Missing
from graders.adapting.calling import words_in

STILL_NONE: Final = "is still None: has it been filled in?"  # of an attribute that hand-outs set to None


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


def part(model: nn.Module, role: str, owner: str, words: Collection[str] = ()) -> nn.Module:
    """Return the model's attribute `role`, or else the child whose name or class contains that word.

    If there is none, it is the only child whose name has one of the `words`: "log_variance_layer" has "variance".
    Raises Missing; `owner` is the hand-out's name of the class.
    """
    called = getattr(model, role, None)  # a child, or a property that gives one
    if isinstance(called, nn.Module):
        return called
    children = dict(model.named_children())
    for name, child in children.items():
        if role in name.lower() or role in type(child).__name__.lower():
            return child
    alike = [child for name, child in children.items() if not {*words}.isdisjoint(words_in(name))]
    if len(alike) == 1:
        return alike[0]
    if called is None and hasattr(model, role):
        raise Missing(f"{owner}.{role} {STILL_NONE}")
    if called is not None:
        raise Missing(f"{owner}.{role} is a {type(called).__name__}, and no module of torch")
    raise Missing(f"the class {owner} has no attribute {role}")
