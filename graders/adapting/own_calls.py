"""Finds what a student's own program passes to a function, for parameters that the hand-out does not have.

A student who writes `train(loader, D, G, adversarial_loss)` or `Generator(cfg)` says in the main block what the added
parameter is. That expression is evaluated here, with the assignments before it that it needs; nothing else of the main
block runs.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from gengrade.sandbox.guest.blank_data import blank_data
from graders.adapting import notebooks
from graders.adapting.constants import tree_of

_MOST_FILES: Final = 40  # of a folder that are searched
_CALLS: Final = (ast.Attribute, ast.Call)
_SELF: Final = "self"
_DEEPEST: Final = 4  # functions that call each other: the parameters of `main` come from the call of `main`


@dataclass(frozen=True, slots=True)
class _Call:
    """A call in a student's program, with the functions and blocks around it, the outermost first."""

    node: ast.Call
    around: tuple[ast.AST, ...]
    module: ModuleType | None  # the program, if it has been imported


def passed(function: Callable[..., Any], names: Collection[str], depth: int = 0) -> dict[str, Any]:
    """Return the values that the student's own calls of a function, a method or a class pass for these parameters.

    A parameter is left out if no call passes it, or if its expression cannot be evaluated.
    """
    found: dict[str, Any] = {}
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return found
    for call in _calls(function):
        with suppress(TypeError):  # a call of another function of that name
            given = signature.bind(
                *(each for each in call.node.args if not isinstance(each, ast.Starred)),
                **{keyword.arg: keyword.value for keyword in call.node.keywords if keyword.arg},
            ).arguments
            for name in names:
                if name not in found and isinstance(given.get(name), ast.expr):
                    with suppress(Exception, SystemExit), blank_data():  # the student's code may raise anything
                        found[name] = _evaluated(given[name], call, function, depth)
    return found


def _calls(function: Callable[..., Any]) -> Iterator[_Call]:
    """Yield all calls of a function by its name in its own program, then in the programs beside it."""
    name = getattr(function, "__name__", "")
    imported = {getattr(module, "__file__", None): module for module in list(sys.modules.values())}
    for path in _programs(function):
        yield from _within(tree_of(path), name, (), imported.get(str(path)))


def _programs(function: Callable[..., Any]) -> list[Path]:
    own = inspect.unwrap(getattr(function, "__func__", function))
    module = sys.modules.get(getattr(own, "__module__", "") or "")
    file = getattr(module, "__file__", None) or getattr(own, "__globals__", {}).get("__file__")
    if not file:
        return []
    beside = sorted(path for path in Path(file).parent.iterdir() if path.suffix.lower() in (".py", ".ipynb"))
    return [Path(file), *(path for path in beside if path != Path(file))][:_MOST_FILES]


def _within(node: ast.AST, name: str, around: tuple[ast.AST, ...], module: ModuleType | None) -> Iterator[_Call]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and _named(child.func) == name:
            yield _Call(child, (*around, node), module)
        yield from _within(child, name, (*around, node), module)


def _named(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


def _evaluated(value: ast.expr, call: _Call, function: Callable[..., Any], depth: int) -> Any:
    """Return the value of an expression where a call stands. Raises whatever the expression raises."""
    space = dict(vars(call.module) if call.module else getattr(inspect.unwrap(function), "__globals__", {}))
    needed = _needed(value, call)
    scope = next((node for node in reversed(call.around) if isinstance(node, ast.FunctionDef)), None)
    space[_SELF] = SimpleNamespace()  # takes what a constructor assigns to it
    if scope is not None and depth < _DEEPEST:
        _bind_parameters(_function_of(scope, call, space), needed, space, depth)
    for statement in needed:
        if not isinstance(statement, ast.arg):
            exec(compile(ast.Module([statement], []), "<main>", "exec"), space)
    return eval(compile(ast.Expression(value), "<main>", "eval"), space)


def _function_of(scope: ast.FunctionDef, call: _Call, space: Mapping[str, Any]) -> Any:
    """Return the function that is defined around a call; for a constructor, its class, whose calls call it."""
    around = call.around[call.around.index(scope) - 1]
    if not isinstance(around, ast.ClassDef):
        return space.get(scope.name)
    owner = space.get(around.name)
    return owner if scope.name == "__init__" else getattr(owner, scope.name, None)


def _bind_parameters(outer: Any, needed: Sequence[ast.AST], space: dict[str, Any], depth: int) -> None:
    """Give the parameters of the function `outer` around a call their values: defaults, or what its own calls pass."""
    wanted = [each.arg for each in needed if isinstance(each, ast.arg)]
    if callable(outer) and wanted:
        for name, parameter in inspect.signature(outer).parameters.items():
            if name in wanted and parameter.default is not parameter.empty:
                space[name] = parameter.default
        space.update(passed(outer, wanted, depth + 1))


def _needed(value: ast.expr, call: _Call) -> list[Any]:
    """Return the statements before a call that its expression needs, in their order, after the parameters around it.

    Statements are assignments, imports, and calls of methods on what they assign, such as `parser.add_argument`.
    """
    wanted, statements = _names_in(value), list(_before(call))
    chosen: list[ast.stmt] = []
    for statement in reversed(statements):
        told = isinstance(statement, ast.Expr) and notebooks.root_of(statement.value, _CALLS) in wanted
        if (told or _assigned(statement) & wanted) and not notebooks.trains(statement):
            chosen.append(statement)
            wanted |= _names_in(statement)
    scope = next((node for node in reversed(call.around) if isinstance(node, ast.FunctionDef)), None)
    assigned = set[str]().union(*(_assigned(statement) for statement in chosen))
    parameters = [each for each in scope.args.args if each.arg in wanted - assigned] if scope else []
    return [*parameters, *reversed(chosen)]


def _before(call: _Call) -> Iterator[ast.stmt]:
    """Yield the statements before a call in blocks around it, but not those of the module itself, which have run."""
    for node, inner in pairwise((*call.around, call.node)):
        if isinstance(node, ast.Module | ast.ClassDef):
            continue
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and inner in block:
                yield from block[: block.index(inner)]


def _names_in(node: ast.AST) -> set[str]:
    """Return the names of variables in a piece of code, and the attributes of `self` as "self.name"."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - {_SELF}
    return {name for name in names if not hasattr(builtins, name)} | _own_attributes(node)


def _assigned(statement: ast.stmt) -> set[str]:
    """Return the names that a statement defines, and the attributes that it gives to `self`."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    own = (_own_attributes(target) for target in targets if target is not None)
    return notebooks.names_of(statement).difference({_SELF}).union(*own)


def _own_attributes(node: ast.AST) -> set[str]:
    return {
        f"{_SELF}.{each.attr}"
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == _SELF
    }
