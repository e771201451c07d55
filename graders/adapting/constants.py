"""Finds the globals of a student's program that its functions read, and computes them again from other values.

Students keep sizes, schedules and options in constants at the top of a program, and read them inside functions that the
hand-out gives no parameter for them.
"""

from __future__ import annotations

import ast
import dis
import inspect
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

from gengrade.sandbox.guest.cells import UNREADABLE, readable
from graders.adapting import notebooks

_READ: Final = {"LOAD_GLOBAL", "LOAD_NAME"}
_WORK: Final = notebooks.TRAINING | {"step"}  # attributes that occur in training
_DEFINITION: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORT: Final = (ast.Import, ast.ImportFrom)
_THROUGH: Final = (ast.Attribute, ast.Call, ast.Subscript)


def reached(thing: Any) -> list[FunctionType]:
    """Return the student's functions that run with a function or class: itself, and all that they name."""
    found: dict[int, FunctionType] = {}
    waiting = [*_functions(thing)]
    files = {_file(function) for function in waiting}
    while waiting:
        function = waiting.pop()
        if id(function) in found:
            continue
        found[id(function)] = function
        for name in _globals_in(function.__code__):
            named = function.__globals__.get(name)
            waiting += [each for each in _functions(named) if _file(each) in files or _beside(each, function)]
    return list(found.values())


def read_by(thing: Any) -> set[str]:
    """Return the names of the globals that a function or class reads when it runs, itself or by what it calls."""
    return {name for function in reached(thing) for name in _globals_in(function.__code__)}


def _functions(thing: Any) -> Iterator[FunctionType]:
    """Yield the functions that a thing is made of: a function itself, and all methods of a class."""
    thing = inspect.unwrap(getattr(thing, "__func__", thing)) if callable(thing) else thing
    if isinstance(thing, FunctionType):
        yield thing
    elif isinstance(thing, type):
        for member in vars(thing).values():
            inner = getattr(member, "__func__", getattr(member, "fget", member))
            # What a decorator wraps may be a method of a library that is not written in Python.
            whole = inspect.unwrap(inner) if isinstance(inner, FunctionType) else None
            if isinstance(whole, FunctionType):
                yield whole


def _globals_in(code: CodeType) -> set[str]:
    names = {str(each.argval) for each in dis.get_instructions(code) if each.opname in _READ}
    return names.union(*(_globals_in(each) for each in code.co_consts if isinstance(each, CodeType)))


def _file(function: FunctionType) -> str:
    return str(function.__globals__.get("__file__", ""))


def _beside(function: FunctionType, other: FunctionType) -> bool:
    return Path(_file(function)).parent == Path(_file(other)).parent


def tree_of(path: Path) -> ast.Module:
    """Return the statements of a program, or of all cells of a notebook; none if the file cannot be read."""
    try:
        if path.suffix.lower() != ".ipynb":
            return readable(path.read_text("utf-8-sig", "replace"), str(path))[0]
        trees = [readable(cell, name)[0] for name, cell in notebooks.cells(path)]
        return ast.Module([statement for tree in trees for statement in tree.body], [])
    except (OSError, *UNREADABLE):
        return ast.Module([], [])


def needed_for(names: Collection[str], statements: Collection[ast.stmt], given: Collection[str] = ()) -> list[ast.stmt]:
    """Return the statements at a program's top level from which the values of `names` follow, in their order.

    Those that only say what the names in `given` are, are left out, and so is what trains.
    """
    wanted, chosen = set(names), []
    imported = set().union(*(notebooks.names_of(each) for each in statements if isinstance(each, _IMPORT)))
    for statement in reversed(list(statements)):
        defined = (stored(statement) | _told(statement) - imported) - {*given}
        if defined & wanted and not _works(statement):
            chosen.append(statement)
            wanted |= loaded(statement) - {*given}
    return chosen[::-1]


def following_from(names: Collection[str], statements: Collection[ast.stmt]) -> set[str]:
    """Return the names whose values a program's top level computes from these ones, without these themselves."""
    changed = set(names)
    for statement in statements:
        if not isinstance(statement, _DEFINITION) and loaded(statement) & changed:
            changed |= stored(statement)
    return changed - {*names}


def run(statements: Collection[ast.stmt], space: dict[str, Any], name: str) -> None:
    """Run statements in a namespace; `name` is that of the program in tracebacks. Raises whatever they raise."""
    for statement in statements:
        exec(compile(ast.Module([statement], []), name, "exec", dont_inherit=True), space)


def with_literals(statement: ast.stmt, replaced: Callable[[str, Any], Any]) -> ast.stmt:
    """Return a copy of a statement with other literals.

    `replaced` is given the name to which a literal is assigned or that it is the default of, or "", and its value.
    """
    changed: ast.stmt = _Literals(replaced).visit(ast.parse(ast.unparse(statement)).body[0])
    return ast.fix_missing_locations(changed)


class _Literals(ast.NodeTransformer):
    def __init__(self, replaced: Callable[[str, Any], Any]) -> None:
        self._replaced = replaced

    def _put(self, name: str, value: ast.expr) -> ast.expr:
        if isinstance(value, ast.Constant):
            return ast.Constant(self._replaced(name, value.value))
        return self.generic_visit(value)  # type: ignore[return-value]

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return self._put("", node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        node.value = self._put(names[0] if names else "", node.value)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        given = [*node.posonlyargs, *node.args][-len(node.defaults) :] if node.defaults else []
        node.defaults = [self._put(each.arg, value) for each, value in zip(given, node.defaults, strict=True)]
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.keyword:
        node.value = self._put(node.arg or "", node.value)
        return node


def stored(statement: ast.stmt) -> set[str]:
    """Return the names that a statement defines or whose values it changes in place."""
    if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
        return set()
    if isinstance(statement, (*_DEFINITION, *_IMPORT)):
        return notebooks.names_of(statement)
    items = (
        notebooks.root_of(node, _THROUGH)
        for node in ast.walk(statement)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
    )
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {name for name in items if name is not None}


def _told(statement: ast.stmt) -> set[str]:
    """Return the name of the object whose method a statement calls, which may change it: `betas.clamp_(max=0.999)`."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return set()
    root = (
        notebooks.root_of(statement.value.func, _THROUGH) if isinstance(statement.value.func, ast.Attribute) else None
    )
    return {root} if root else set()


def loaded(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _works(statement: ast.stmt) -> bool:
    return notebooks.trains(statement, _WORK) and not isinstance(statement, _DEFINITION)
