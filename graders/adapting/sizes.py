"""Gives the globals in which students keep sizes the sizes that their functions are called with.

A student's program fixes a size once, such as `z_dim = 16` or `batch_size = 100`, makes its networks and loaders with
it, and may read it again within a function: the two always agree there. Checks call the same function with sizes of
their own. So a global of such a name that the function reads, or a parameter that the student added for it, gets the
size of the call, and tensors and numbers that the program's top level computes from such a global are computed again.

The size of a batch is that of the call only for functions that are given a batch. One that is given a number of images,
and makes as many as the global says instead, ignores what it is asked for; and a loop whose last batch is smaller than
the others finds the global unchanged, as in the student's own program.
"""

from __future__ import annotations

import ast
import dis
import inspect
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gengrade.sandbox.guest.errors import FAILED
from graders.adapting import constants

LATENT: Final = re.compile(r"(n_?)?(z|latent|noise|eps|epsilon|code)s?(_?(dims?|sizes?|n|vars))?|nz", re.I)
KINDS: Final[Mapping[str, re.Pattern[str]]] = {
    "latents": LATENT,
    "hidden": re.compile(r"(n_?|num_?)?(hidden|h)(_?(dims?|sizes?|units|n))", re.I),
    "batch": re.compile(r"((train|training|mini|my)_?)?(batch_?sizes?|batch|bs)", re.I),
    "side": re.compile(r"(image|img|input)_?(sizes?|side)", re.I),
    "channels": re.compile(r"((input|in|image|img|n|num)_?)?(channels?)|nc", re.I),
}
_SAID: Final = {  # arguments of the hand-outs that say a size
    "z_dim": "latents",
    "hidden_dim": "hidden",
    "input_size": "side",
    "in_channels": "channels",
}
_COMPUTED: Final = (Tensor, np.ndarray, int, float, list, tuple)
_LIBRARIES: Final = tuple(f"{Path(str(library.__file__)).parent}{os.sep}" for library in (torch, np))
# Beginnings of the names of instructions that run what may not be written in Python: calls, operators and indexing.
_CALLING: Final = ("CALL", "PRECALL", "BINARY", "INPLACE", "COMPARE", "UNARY", "STORE_SUBSCR", "STORE_SLICE")
_MISMATCH: Final = re.compile(r"size|shape|dimension|batch|match|broadcast", re.I)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one program's globals have to do with the sizes of a function."""

    space: dict[str, Any]
    names: Mapping[str, str]  # the globals that are sizes, with their kinds
    later: list[ast.stmt]  # assignments of what the function reads that follow from them


def of(asked: Mapping[str, Any]) -> dict[str, int]:
    """Return the sizes that the arguments of a call say: latents, hidden units, and the images of a batch."""
    found = {kind: asked[name] for name, kind in _SAID.items() if type(asked.get(name)) is int}
    loaders = {each.batch_size for each in asked.values() if isinstance(each, DataLoader) and each.batch_size}
    lengths = {len(each) for each in asked.values() if isinstance(each, Tensor) and each.dim() > 1}
    for batch in (lengths, loaders):
        if len(batch) == 1:
            found["batch"] = batch.pop()
    return found


@contextmanager
def put(things: Collection[Any], sizes: Mapping[str, int], *, keep: bool = False) -> Iterator[None]:
    """Return a context in which globals from which functions, classes or networks read sizes are these, given by kind.

    `keep`: they stay so afterwards, since the methods of what is made read them later.
    """
    before: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for plan in (plan for thing in things for each in _parts(thing) for plan in _plans(each)):
        changed = {name: sizes[kind] for name, kind in plan.names.items() if kind in sizes}
        if all(plan.space.get(name) == size for name, size in changed.items()):
            continue
        names = {*changed}.union(*map(constants.stored, plan.later)) & plan.space.keys()
        before.append((plan.space, {name: plan.space[name] for name in names}))
        plan.space.update(changed)
        for statement in plan.later:
            with suppress(Exception):  # then the name keeps its value
                constants.run([statement], plan.space, str(plan.space.get("__file__", "")))
    try:
        yield
    finally:
        for space, values in before if not keep else ():
            space.update(values)


def kind_of(name: str) -> str | None:
    """Return the kind of size that a name says, or None."""
    return next((kind for kind, pattern in KINDS.items() if pattern.fullmatch(name)), None)


def explains(thing: Any, error: Exception, sizes: Mapping[str, int]) -> str | None:
    """Return the global that fixes a function's size, if an error shows that it differs from the size of the call.

    Only a value that was bound when the function was defined counts, such as a default: any other has been replaced.
    Only an error of torch or numpy counts: a program may raise one of its own with any words, and so leave open what
    is wrong.
    """
    if not isinstance(error, RuntimeError | ValueError | IndexError) or not _is_a_librarys(error):
        return None
    if not _MISMATCH.search(str(error)):
        return None
    said = {int(number) for number in re.findall(r"\d+", str(error))}
    for function in constants.reached(thing):
        for name in _bound(function):
            own, kind = function.__globals__.get(name), kind_of(name)
            if (
                kind is not None
                and kind in sizes
                and type(own) is int
                and own != sizes[kind]
                and {own, sizes[kind]} <= said
            ):
                return name
    return None


def _is_a_librarys(error: BaseException) -> bool:
    """Return whether a line of torch or numpy raised it, or what a line calls that is not written in Python."""
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    if code.co_filename.startswith(_LIBRARIES):
        return True
    return dis.opname[code.co_code[trace.tb_lasti]].startswith(_CALLING)


def _parts(thing: Any) -> list[Any]:
    """Return the functions and classes of a thing: of a method, itself and its class.

    Of a network, the classes in it.
    """
    if isinstance(thing, nn.Module):
        kinds = dict.fromkeys(type(each) for each in thing.modules())
        return [kind for kind in kinds if not kind.__module__.startswith("torch.")]
    if inspect.ismethod(thing):
        return [thing.__func__, *(_parts(thing.__self__) if isinstance(thing.__self__, nn.Module) else ())]
    return [thing] if isinstance(thing, FunctionType | type) else []


@cache
def _plans(thing: Any) -> list[_Plan]:
    functions = constants.reached(thing)
    read = {name for function in functions for name in constants.read_by(function)}
    return [each for space in _spaces(functions) if (each := _plan(space, read)) is not None]


def _spaces(functions: Collection[FunctionType]) -> Iterator[dict[str, Any]]:
    yield from {id(each.__globals__): each.__globals__ for each in functions}.values()


def _plan(space: dict[str, Any], read: Collection[str]) -> _Plan | None:
    if FAILED not in space:
        return None  # a library, or code of ours
    sizes = {name: kind for name, value in space.items() if type(value) is int and (kind := kind_of(name)) is not None}
    if not sizes:
        return None
    statements = constants.tree_of(Path(str(space.get("__file__", "")))).body
    follow = constants.following_from(sizes, statements)
    needed = constants.needed_for(follow & {*read}, statements, sizes)
    later = [each for each in needed if _is_computed(each, space) and constants.stored(each) & follow]
    used = {name for name in sizes if name in read or any(name in constants.loaded(each) for each in later)}
    if not used:
        return None
    return _Plan(space, {name: sizes[name] for name in used}, later)


def _is_computed(statement: ast.stmt, space: Mapping[str, Any]) -> bool:
    """Return whether a statement assigns tensors or numbers, and neither networks nor anything with a state."""
    assigns = isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign)
    return assigns and all(isinstance(space.get(name), _COMPUTED) for name in constants.stored(statement))


def _bound(function: FunctionType) -> set[str]:
    """Return the names that the defaults of a function's parameters name."""
    tree = constants.tree_of(Path(str(function.__globals__.get("__file__", ""))))
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == function.__name__:
            defaults = [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]
            found |= {each.id for value in defaults for each in ast.walk(value) if isinstance(each, ast.Name)}
    return found
