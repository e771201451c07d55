"""Hooks on an optimiser's steps that run when the gradients of the step are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer

Hook = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]] | None]


def with_gradients(note: Callable[[Optimizer], None]) -> Hook:
    """Return a pre-step hook that calls `note(optimizer)` when the gradients that the step uses have been computed.

    That is at once, or, for `step(closure)`, after the first call of the closure, which computes the gradients.
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
