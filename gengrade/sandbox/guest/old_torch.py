"""Let PyTorch behave as an older version did, for the programs of a course that was given with that version.

A program that ran on its author's machine has to run here. Some of what an older version computed, a newer one refuses
or computes in another type; nothing else is changed. `gengrade.sandbox.guest.compatibility` restores what can be had in
every version.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import _reduction, functional
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

_undo: list[Callable[[], object]] = []


def behave_like(version: str) -> None:
    """Let torch behave as that version did, such as "1.4", until `behave_as_installed` is called."""
    behave_as_installed()
    for changed_in, restore in _CHANGES:
        if _number(version) < _number(changed_in):
            restore()


def behave_as_installed() -> None:
    """Undo `behave_like`."""
    while _undo:
        _undo.pop()()


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _replace(owner: Any, name: str, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(wrapped(original)))
    _undo.append(functools.partial(setattr, owner, name, original))


def _subtract_masks() -> None:
    """Let comparisons be subtracted, as in `1 - (x > 0)`: they were of type uint8."""

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def subtract(self: Tensor, other: Any) -> Any:
            either = [each.byte() if _is_mask(each) else each for each in (self, other)]
            return original(*either)

        return subtract

    for name in ("__sub__", "__rsub__"):
        _replace(Tensor, name, wrapped)


def _is_mask(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype is torch.bool


def _hide_steps() -> None:
    """Let a graph be used after an optimiser's step has changed its weights.

    A step was invisible to autograd, so that one loss could be differentiated after the step of the other network.
    """
    versions: dict[int, list[int]] = {}

    def before(optimizer: Optimizer, *_: object) -> None:
        versions[id(optimizer)] = [each._version for each in _parameters(optimizer)]

    def after(optimizer: Optimizer, *_: object) -> None:
        parameters, known = _parameters(optimizer), versions.pop(id(optimizer), [])
        if len(parameters) == len(known):
            torch._C._autograd._unsafe_set_version_counter(tuple(parameters), tuple(known))

    for hook in (register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)):
        _undo.append(hook.remove)


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [each for group in optimizer.param_groups for each in group["params"]]


def _reshape_targets() -> None:
    """Let a binary cross-entropy have targets of another shape, if there are as many of them."""

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def binary_cross_entropy(input: Tensor, target: Tensor, *args: Any, **options: Any) -> Any:
            fits = target.size() == input.size() or target.numel() != input.numel()
            return original(input, target if fits else target.reshape(input.size()), *args, **options)

        return binary_cross_entropy

    _replace(functional, "binary_cross_entropy", wrapped)


def _accept_any_targets() -> None:
    """Let a binary cross-entropy have targets outside [0, 1], such as labels with noise."""

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def binary_cross_entropy(
            input: Tensor,
            target: Tensor,
            weight: Tensor | None = None,
            size_average: bool | None = None,
            reduce: bool | None = None,
            reduction: str = "mean",
        ) -> Any:
            if bool(((target >= 0) & (target <= 1)).all()) or target.size() != input.size():
                return original(input, target, weight, size_average, reduce, reduction)
            # It is linear in the target, so that its values for 0 and for 1 say what it is for any other.
            zeros, ones = (
                original(input, torch.full_like(input, label), weight, reduction="none") for label in (0.0, 1.0)
            )
            losses = zeros + target * (ones - zeros)
            if size_average is not None or reduce is not None:
                reduction = _reduction.legacy_get_string(size_average, reduce)
            return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()

        return binary_cross_entropy

    _replace(functional, "binary_cross_entropy", wrapped)


def _make_single_precision() -> None:
    """Let `torch.tensor` make single precision of a list of NumPy's numbers, as of Python's."""

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def tensor(data: Any, *, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
            made: Tensor = original(data, dtype=dtype, **options)
            if dtype is None and made.dtype is torch.float64 and not isinstance(data, np.ndarray | Tensor):
                made = original(data, dtype=torch.get_default_dtype(), **options)
            return made

        return tensor

    _replace(torch, "tensor", wrapped)


def _validate_no_arguments() -> None:
    """Let distributions have any parameters and values, such as the logarithm of a probability of a grey pixel."""
    distribution = torch.distributions.Distribution
    _undo.append(functools.partial(distribution.set_default_validate_args, distribution._validate_args))
    distribution.set_default_validate_args(False)


# What restores an older behaviour, and the version in which PyTorch changed it. The order matters where two of them
# replace the same function: targets get their shape before their values are looked at.
_CHANGES: Final[tuple[tuple[str, Callable[[], None]], ...]] = (
    ("1.2", _subtract_masks),
    ("1.5", _hide_steps),
    ("1.5", _make_single_precision),
    ("1.8", _validate_no_arguments),
    ("2.1", _accept_any_targets),
    ("1.5", _reshape_targets),
)
