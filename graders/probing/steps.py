"""Seeing an optimiser's steps when their gradients are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer

Hook = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]] | None]


def with_gradients(note: Callable[[Optimizer], None]) -> Hook:
    """A hook for before a step, which takes the note once the gradients are computed that the step is to use.

    That is at once; or, for `step(closure)`, after the closure's first call, since it is the closure that computes
    them.
    """

    def hook(
        optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        closure = kwargs.get("closure", args[-1] if args else None)
        if not callable(closure):
            note(optimizer)
            return None
        calls = 0

        def noted() -> Any:
            nonlocal calls
            found = closure()
            calls += 1
            if calls == 1:
                note(optimizer)
            return found

        if "closure" in kwargs:
            return args, {**kwargs, "closure": noted}
        return (*args[:-1], noted), kwargs

    return hook
