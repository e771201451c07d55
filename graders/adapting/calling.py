"""Calling what a student wrote by what the arguments mean, since signatures get renamed, reordered and extended."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import Parameter
from typing import Any

from gengrade.sandbox.guest.errors import Missing

_NAMEABLE = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def call(
    function: Callable[..., Any],
    asked: Mapping[str, Any],
    offered: Mapping[str, Any] | None = None,
    unasked: Collection[str] = (),
) -> Any:
    """Calls `function` with the `asked` arguments, whatever its signature makes of the hand-out's.

    Arguments go by name where the student kept the hand-out's name. Those left over go, in the hand-out's order, to the
    parameters left over: renamed ones. What is `offered` is given only to a parameter of that very name, and nothing to
    those that the hand-out has and that are `unasked` for.
    """
    offered = offered or {}
    parameters = _parameters(function)
    if parameters is None:
        return function(*asked.values())
    nameable = [name for name, parameter in parameters.items() if parameter.kind in _NAMEABLE]
    named = {name: value for name, value in (*asked.items(), *offered.items()) if name in nameable}
    left_over = {name: value for name, value in asked.items() if name not in named}
    free = [name for name in nameable if name not in named and name not in unasked]
    paired = dict(zip(free, left_over, strict=False))
    named |= {name: left_over[original] for name, original in paired.items()}
    if _takes_any(parameters):
        named |= {name: value for name, value in left_over.items() if name not in paired.values()}
    return function(**named)


def answered(value: Any, name: str) -> Any:
    """What a function of the student's returned. Raises Missing for nothing, as a gap of the hand-out gives."""
    if value is None:
        raise Missing(f"{name} returns None: is it still the hand-out's?")
    return value


def received(
    function: Callable[..., Any], names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """What `call` undoes: the arguments of a call of `function` by the hand-out's `names`; renamed ones in order."""
    bound = inspect.signature(function).bind(*args, **kwargs).arguments
    found = {name: value for name, value in bound.items() if name in names}
    missing = [name for name in names if name not in inspect.signature(function).parameters]
    renamed = [value for name, value in bound.items() if name not in names]
    return found | dict(zip(missing, renamed, strict=False))


def accepts(function: Callable[..., Any], name: str) -> bool:
    """Whether an argument of that name may be given."""
    parameters = _parameters(function)
    return parameters is not None and (name in parameters or _takes_any(parameters))


def _parameters(function: Callable[..., Any]) -> Mapping[str, Parameter] | None:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # a builtin, or something else without a signature
        return None


def _takes_any(parameters: Mapping[str, Parameter]) -> bool:
    return any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
