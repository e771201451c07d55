"""Calls a student's functions by the meaning of their arguments, since students rename, reorder and add parameters."""

from __future__ import annotations

import dis
import inspect
import re
from argparse import Namespace
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import Parameter
from typing import Any

import torch
from torch import nn

from gengrade.sandbox.guest.absent import Mute
from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.adapting import sizes
from graders.adapting.own_calls import passed
from graders.adapting.passing import note

_OPEN = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_NAMEABLE = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_VAGUE = {"train", "test", "data", "the", "my", "a", "of", "num", "n", "z", "x", "dim", "dims", "size", "model", "net"}
_SUITABLE: Mapping[frozenset[str], Callable[[], Any]] = {  # for words in a parameter's name, what may be passed
    frozenset({"writer", "logger", "log", "tensorboard", "tb", "board", "history", "meter", "progress", "bar"}): Mute,
    frozenset({"epoch", "epochs", "iteration", "step", "steps", "iter", "round", "done", "index", "idx"}): lambda: 1,
    frozenset({"device"}): lambda: torch.device("cuda" if torch.cuda.is_available() else "cpu"),
    frozenset({"verbose", "plot", "show", "save", "debug", "draw", "print", "visualize", "visualise"}): lambda: False,
    frozenset({"path", "folder", "directory", "dir", "file", "filename", "prefix", "title"}): lambda: "output",
}


def call(
    function: Callable[..., Any],
    asked: Mapping[str, Any],
    offered: Mapping[str, Any] | None = None,
    unasked: Collection[str] = (),
    said: Mapping[str, int] | None = None,
) -> Any:
    """Call `function` with the arguments `asked`, given by the hand-out's names, for any signature it may have.

    An argument is passed by name if the student kept the hand-out's name. The other arguments go, in the hand-out's
    order, to the remaining parameters, which count as renamed: first to those that share a word with the old name.
    Arguments in `offered` are only passed to parameters of the same name. Parameters in `unasked`, which the hand-out
    has but this call does not use, get nothing. What the student added and requires is what the student's own calls
    pass, or else a value that suits its name. Raises Undecided if there is none.

    The sizes of the call, those in `said` and those that its arguments show, also go to the globals in which the
    student's program keeps them: see `graders.adapting.sizes`. Raises Undecided if the function is bound to another.
    """
    known = sizes.of(asked) | dict(said or {})
    makes = isinstance(function, type)
    if makes:
        known.pop("batch", None)
    try:
        networks = [each for each in asked.values() if isinstance(each, nn.Module)]
        with sizes.put([inspect.unwrap(function), *networks], known, keep=makes):
            return _call(function, asked, offered or {}, unasked, known)
    except Exception as error:
        name = sizes.explains(function, error, known)
        if name is None:
            raise
        raise Undecided(
            f"{getattr(function, '__name__', 'a function')} only works for the value of {name} that its program has "
            f"({' '.join(str(error).split())[:200]}): whether it is right otherwise cannot be told here"
        ) from error


def _call(
    function: Callable[..., Any],
    asked: Mapping[str, Any],
    offered: Mapping[str, Any],
    unasked: Collection[str],
    known: Mapping[str, int],
) -> Any:
    parameters = _parameters(function)
    if parameters is None:
        return function(*asked.values())
    named, unpaired, free = _placed(parameters, asked, offered, unasked)
    if unpaired and _has(parameters, Parameter.VAR_KEYWORD):
        note({**named, **unpaired})
        return function(**named, **unpaired)
    if unpaired and _has(parameters, Parameter.VAR_POSITIONAL, Parameter.POSITIONAL_ONLY):
        return function(*asked.values())
    own = {name: known[kind] for name in free if (kind := _size_of(parameters[name])) in known}
    added = _added(function, [name for name in free if name not in own], parameters, offered)
    given = {**named, **own, **added}
    note({name: given[name] for name in parameters if name in given})
    return function(**given)


def reaches(function: Callable[..., Any], asked: Mapping[str, Any], name: str) -> bool:
    """Return whether `call` with the arguments `asked` would pass the one of that name to a parameter."""
    parameters = _parameters(function)
    if parameters is None or _has(parameters, *_OPEN, Parameter.POSITIONAL_ONLY):
        return True
    return name not in _placed(parameters, asked, {}, ())[1]


def _size_of(parameter: Parameter) -> str:
    """Return the kind of size that a parameter with a default says, or ""."""
    return (sizes.kind_of(parameter.name) or "") if type(parameter.default) is int else ""


def _placed(
    parameters: Mapping[str, Parameter],
    asked: Mapping[str, Any],
    offered: Mapping[str, Any],
    unasked: Collection[str],
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return the arguments by parameters, those that no parameter takes, and the parameters that get nothing."""
    nameable = [name for name, parameter in parameters.items() if parameter.kind in _NAMEABLE]
    named = {name: value for name, value in (*asked.items(), *offered.items()) if name in nameable}
    left_over = {name: value for name, value in asked.items() if name not in named}
    free = [name for name in nameable if name not in named and name not in unasked]
    paired = _paired(left_over, free, parameters)
    named |= {name: left_over[original] for name, original in paired.items()}
    unpaired = {name: value for name, value in left_over.items() if name not in paired.values()}
    return named, unpaired, [name for name in free if name not in named]


def _paired(left_over: Mapping[str, Any], free: Sequence[str], parameters: Mapping[str, Parameter]) -> dict[str, str]:
    """For renamed parameters, the names in the hand-out, in its order.

    If the student's function requires more than there is, a parameter with a name like "epoch" only gets what is left.
    A parameter whose default is a flag or a word is one that the student added.
    """
    paired: dict[str, str] = {}
    for original in left_over:
        alike = [name for name in free if name not in paired and _words(name) & _words(original)]
        if len(alike) == 1:
            paired[alike[0]] = original
    rest = [original for original in left_over if original not in paired.values()]
    open_ = [name for name in free if name not in paired and not isinstance(parameters[name].default, bool | str)]
    required = [name for name in open_ if parameters[name].default is Parameter.empty]
    first = required if len(required) <= len(rest) else [name for name in required if not suits(name)]
    for name, original in zip([*first, *(each for each in open_ if each not in first)], rest, strict=False):
        paired[name] = original
    return paired


def _words(name: str) -> set[str]:
    """Return the words of a name that say what it is: {"loader"} for "train_loader", "data_loader" and "dataloader"."""
    return {*words_in(name.replace("dataloader", "data_loader"))} - _VAGUE


def words_in(name: str) -> list[str]:
    """Return all words and numbers of a name: those of "logVariance_layer2" are "log", "variance", "layer" and "2"."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def _added(
    function: Callable[..., Any], names: Sequence[str], parameters: Mapping[str, Parameter], offered: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments for parameters that a student added and requires.

    Raises Undecided for one without any value.
    """
    required = [name for name in names if parameters[name].default is Parameter.empty]
    own = passed(function, required) if required else {}
    options = next((vars(each) for each in offered.values() if isinstance(each, Namespace)), {})
    given = {}
    for name in required:
        if name in own:
            given[name] = own[name]
        elif name in options:
            given[name] = options[name]
        elif suits(name):
            given[name] = suitable(name)
        else:
            called = getattr(function, "__name__", "a function")
            raise Undecided(f"{called} requires {name}, which the assignment does not have: nothing says what to pass")
    return given


def suits(name: str) -> bool:
    """Return whether a parameter's name tells by itself what may be passed."""
    return any(_words(name) & words for words in _SUITABLE)


def suitable(name: str) -> Any:
    """Return what may be passed to a parameter whose name `suits`."""
    return next(value() for words, value in _SUITABLE.items() if _words(name) & words)


def answered(value: Any, name: str, function: Callable[..., Any] | None = None) -> Any:
    """Return the value that a student's function returned.

    Raises Missing for None, which unfinished functions return, and those that `function` shows to lack a return.
    """
    if value is None and function is not None and _computes(function) and not _returns(function):
        raise Missing(f"{name} returns None, as a function without return does")
    if value is None:
        raise Missing(f"{name} returns None: has it been filled in?")
    return value


def _computes(function: Callable[..., Any]) -> bool:
    """Return whether a function written in Python stores anything, as one that was filled in does."""
    return any(each.opname.startswith("STORE_") for each in _instructions(function))


def _returns(function: Callable[..., Any]) -> bool:
    """Return whether a function written in Python has a return of anything else than None."""
    none = False
    for each in _instructions(function):
        if (each.opname == "RETURN_VALUE" and not none) or (each.opname == "RETURN_CONST" and each.argval is not None):
            return True
        none = each.opname == "LOAD_CONST" and each.argval is None
    return False


def _instructions(function: Callable[..., Any]) -> list[dis.Instruction]:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return [] if code is None else list(dis.get_instructions(code))


def received(
    function: Callable[..., Any], names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a call of `function`, by the hand-out's `names`; renamed parameters are matched in order.

    This is the inverse of `call`.
    """
    bound = inspect.signature(function).bind(*args, **kwargs).arguments
    found = {name: value for name, value in bound.items() if name in names}
    missing = [name for name in names if name not in inspect.signature(function).parameters]
    renamed = [value for name, value in bound.items() if name not in names]
    return found | dict(zip(missing, renamed, strict=False))


def accepts(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function takes an argument of that name."""
    parameters = _parameters(function)
    return parameters is not None and (name in parameters or _has(parameters, Parameter.VAR_KEYWORD))


def _parameters(function: Callable[..., Any]) -> Mapping[str, Parameter] | None:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # builtins, for example, have no signature
        return None


def _has(parameters: Mapping[str, Parameter], *kinds: object) -> bool:
    return any(parameter.kind in kinds for parameter in parameters.values())
