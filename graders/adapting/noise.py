"""Lets a student's function that draws its noise itself draw known noise, if it has no parameter for it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gengrade.sandbox.guest.errors import Undecided

_STANDARD: Final = {"randn", "randn_like"}
_SCALED: Final = {"normal", "normal_", "normal_functional"}  # they take a mean and a standard deviation


def drawing(noises: Sequence[Tensor], function: Callable[[], Any], name: str) -> Any:
    """Return the result of a function whose normal draws are these noises, one after the other, each of a noise's size.

    Draws beyond the last noise, and those of other sizes, are random. Raises Undecided if the function draws random
    numbers of other kinds only, since these cannot be replaced; `name` is what it is called in that message.
    """
    known, before = _Known(noises), _states()
    with known:
        result = function()
    if not known.drawn and _states() != before:
        raise Undecided(
            f"{name} has no parameter for noise, and draws it neither by torch.randn nor by a normal distribution of "
            "torch: which noise it adds cannot be known here"
        )
    return result


class _Known(TorchDispatchMode):
    """Replaces the results of PyTorch's normal draws, by whatever function, method or distribution they are made."""

    def __init__(self, noises: Sequence[Tensor]) -> None:
        super().__init__()
        self._left = list(noises)
        self.drawn = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = str(func.overloadpacket).rpartition(".")[2]
        if name not in _STANDARD | _SCALED:
            return result
        self.drawn += 1
        if self._left and result.numel() == self._left[0].numel():
            noise = self._left.pop(0).reshape(result.shape).to(result)
            mean, std = _law(func, args, kwargs) if name in _SCALED else (0.0, 1.0)
            result.copy_(noise * std + mean)
        return result


def _law(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the mean and standard deviation of a draw, by the names of the operator's arguments."""
    named = {each.name: value for each, value in zip(func._schema.arguments, args, strict=False)} | dict(kwargs)
    defaults = {each.name: each.default_value for each in func._schema.arguments if each.has_default_value()}
    return tuple(named.get(each, defaults.get(each)) for each in ("mean", "std"))  # type: ignore[return-value]


def _states() -> tuple[bytes, ...]:
    """Return the states of all generators of random numbers."""
    cuda = [state.numpy().tobytes() for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_initialized() else []
    return (torch.get_rng_state().numpy().tobytes(), repr((np.random.get_state(), random.getstate())).encode(), *cuda)
