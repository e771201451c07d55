"""Declaring checks: `@check("vae.kld")` over a test function says which of the rubric's ids it decides."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Final, TypeVar

from gengrade.home import HOME

Test = TypeVar("Test", bound=Callable[..., None])
Record = Callable[[str, float], None]  # what the fixture `record` gives: a measure's name, and its value
_ATTRIBUTE = "gengrade_check"
IN_THE_GUEST: Final = ("adapting", "probing")  # what adapters and probes share
INTERFACE: Final = "interface"  # a family's file that only type checkers read


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `@check` says of a test function."""

    ids: tuple[str, ...]
    kind: str  # whose limits apply: "unit", or "train" (in the smoke profile only)
    needs: tuple[str, ...]  # checks without which it makes no sense to run this one


@dataclass(frozen=True, slots=True)
class Known:
    """A check that some grader decides."""

    id: str
    module: str  # the grader's, as "graders.vae.checks"
    kind: str
    needs: tuple[str, ...]


def check(*ids: str, kind: str = "unit", needs: tuple[str, ...] = ()) -> Callable[[Test], Test]:
    """Marks a test function as (part of) these checks. A check passes when all of its tests do."""
    if not ids or kind not in ("unit", "train"):
        raise ValueError("a check needs an id, and a kind of unit or train")

    def mark(function: Test) -> Test:
        setattr(function, _ATTRIBUTE, Declaration(ids, kind, needs))
        return function

    return mark


def declaration(function: object) -> Declaration | None:
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Declaration) else None


def title(function: object) -> str:
    """The first line of a test's docstring: what students read as the thing that was tested."""
    words = inspect.getdoc(function) or getattr(function, "__name__", "")
    return words.splitlines()[0].rstrip(".") if words else ""


def modules() -> list[str]:
    """The modules of all families of graders that run in the host: checks, symptoms, and what they share."""
    families = (info.name for info in pkgutil.iter_modules([str(HOME / "graders")]) if info.ispkg)
    return [
        f"graders.{family}.{info.name}"
        for family in families
        if family not in IN_THE_GUEST
        for info in pkgutil.iter_modules([str(HOME / "graders" / family)])
        if not info.name.endswith("probes") and info.name != INTERFACE
    ]


@cache
def known() -> Mapping[str, Known]:
    """All checks of all graders, by id, in the order in which they stand."""
    found: dict[str, Known] = {}
    for name in modules():
        module = importlib.import_module(name)
        for function in vars(module).values():
            declared = declaration(function) if isinstance(function, FunctionType) else None
            for id_ in declared.ids if declared else ():
                assert declared is not None
                earlier = found.get(id_)
                needs = tuple(dict.fromkeys((*(earlier.needs if earlier else ()), *declared.needs)))
                found[id_] = Known(id_, name, declared.kind, needs)
    return found


def with_needs(ids: set[str]) -> set[str]:
    """Those checks and all that they need, directly or not."""
    wanted, pending = set(ids), list(ids)
    while pending:
        for need in known()[pending.pop()].needs:
            if need not in wanted:
                wanted.add(need)
                pending.append(need)
    return wanted
