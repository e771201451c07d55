"""Calls a student's functions by the meaning of their arguments, since students rename, reorder and add parameters."""

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
    """Calls `function` with the arguments `asked`, given by the hand-out's names, for any signature it may have.

    An argument is passed by name if the student kept the hand-out's name. The other arguments go, in the hand-out's
    order, to the remaining parameters, which count as renamed. Arguments in `offered` are only passed to parameters of
    the same name. Parameters in `unasked`, which the hand-out has but this call does not use, get nothing.
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
    """The value that a student's function returned. Raises Missing for None, which unfinished functions return."""
    if value is None:
        raise Missing(f"{name} returns None: has it been filled in?")
    return value


def received(
    function: Callable[..., Any], names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a call of `function`, by the hand-out's `names`; renamed parameters are matched in order.

    This is the inverse of `call`.
    """
    bound = inspect.signature(function).bind(*args, **kwargs).arguments
    found = {name: value for name, value in bound.items() if name in names}
    missing = [name for name in names if name not in inspect.signature(function).parameters]
    renamed = [value for name, value in bound.items() if name not in names]
    return found | dict(zip(missing, renamed, strict=False))


def accepts(function: Callable[..., Any], name: str) -> bool:
    """Whether a function takes an argument of that name."""
    parameters = _parameters(function)
    return parameters is not None and (name in parameters or _takes_any(parameters))


def _parameters(function: Callable[..., Any]) -> Mapping[str, Parameter] | None:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # builtins, for example, have no signature
        return None


def _takes_any(parameters: Mapping[str, Parameter]) -> bool:
    return any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
