"""Declare checks: the decorator `@check("vae.kld")` says which of the rubric's checks a test function decides."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Final, TypeVar

from gengrade.choices import CheckKind
from gengrade.home import HOME

Test = TypeVar("Test", bound=Callable[..., None])
Record = Callable[[str, float], None]  # the type of the fixture `record`, called with a measure's name and value
Passed = Callable[[str], bool]  # the type of the fixture `passed`, which tells whether a check in `leaves_to` passed
_ATTRIBUTE = "gengrade_check"
IN_THE_GUEST: Final = ("adapting", "probing")  # packages that adapters and probes share, and that run in guests
INTERFACE: Final = "interface"  # a family's file that only type checkers read: what its probes ask adapters for
RECORDS: Final = "records"  # another one: the evidence that its probes return


@dataclass(frozen=True, slots=True)
class Declaration:
    """The arguments of `@check` for a test function."""

    ids: tuple[str, ...]
    kind: CheckKind
    needs: tuple[str, ...]  # checks that must have passed before this one is run
    leaves_to: tuple[str, ...]  # checks that judge mistakes which are not charged here once more


@dataclass(frozen=True, slots=True)
class Known:
    """A check that a grader decides."""

    id: str
    module: str  # the grader's module, such as "graders.vae.checks"
    kind: CheckKind
    needs: tuple[str, ...]
    leaves_to: tuple[str, ...] = ()


def check(
    *ids: str, kind: CheckKind = CheckKind.UNIT, needs: tuple[str, ...] = (), leaves_to: tuple[str, ...] = ()
) -> Callable[[Test], Test]:
    """Return a decorator that makes a test function decide these checks.

    ids: the checks, as the rubric names them. A check with several test functions passes when all of them do.
    kind: `CheckKind.TRAIN` for a check that trains models and runs in the smoke profile only.
    needs: checks that must have passed; otherwise this one is blocked.
    leaves_to: checks that judge mistakes which this test does not charge once more. They are run before it, also where
        the rubric does not ask for them, so that it can ask by the fixture `passed` whether they found one.

    Raises ValueError without an id.
    """
    if not ids:
        raise ValueError("a check needs an id")

    def mark(function: Test) -> Test:
        setattr(function, _ATTRIBUTE, Declaration(ids, kind, needs, leaves_to))
        return function

    return mark


def declaration(function: object) -> Declaration | None:
    """Return the declaration of a test function, or None if it is not decorated with `@check`."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Declaration) else None


def title(function: object) -> str:
    """Return the first line of a test's docstring, which students read as the name of the test."""
    words = inspect.getdoc(function) or getattr(function, "__name__", "")
    return words.splitlines()[0].rstrip(".") if words else ""


def modules() -> list[str]:
    """Return the names of all modules of graders that run in the host, which are all but those of probes."""
    families = (info.name for info in pkgutil.iter_modules([str(HOME / "graders")]) if info.ispkg)
    return [
        f"graders.{family}.{info.name}"
        for family in families
        if family not in IN_THE_GUEST
        for info in pkgutil.iter_modules([str(HOME / "graders" / family)])
        if not info.name.endswith("probes") and info.name not in (INTERFACE, RECORDS)
    ]


@cache
def known() -> Mapping[str, Known]:
    """Return all checks of all graders, by id, in the order of the graders' files."""
    found: dict[str, Known] = {}
    for name in modules():
        module = importlib.import_module(name)
        for function in vars(module).values():
            declared = declaration(function) if isinstance(function, FunctionType) else None
            for id_ in declared.ids if declared else ():
                assert declared is not None
                earlier = found.get(id_)
                needs = tuple(dict.fromkeys((*(earlier.needs if earlier else ()), *declared.needs)))
                leaves = tuple(dict.fromkeys((*(earlier.leaves_to if earlier else ()), *declared.leaves_to)))
                found[id_] = Known(id_, name, declared.kind, needs, leaves)
    return found


def tests_of(check: str) -> Iterator[Callable[..., None]]:
    """Yield the test functions that decide a known check, in the order of its grader's file."""
    for function in vars(importlib.import_module(known()[check].module)).values():
        declared = declaration(function) if isinstance(function, FunctionType) else None
        if declared is not None and check in declared.ids:
            yield function


def with_needs(ids: set[str]) -> set[str]:
    """Return these checks and all checks that they need or leave mistakes to, directly or indirectly.

    Those that are not there, as hidden checks in a kit for students, are left out.
    """
    wanted, pending = set(ids), list(ids)
    while pending:
        check = known()[pending.pop()]
        for need in (*check.needs, *check.leaves_to):
            if need not in wanted and need in known():
                wanted.add(need)
                pending.append(need)
    return wanted
