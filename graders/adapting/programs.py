"""Runs a student's program as its author did, and continues where a part of it fails.

Three properties are deliberate:

1. The program sees what `python file.py` would show it: `sys.argv` holds its own name only, so that a parser at its top
   level gives its defaults.
2. A statement at the top level that fails costs only the names that it would have defined. Asking for one of them
   raises the same error. A package that is not installed raises its error where it is used, not where it is imported.
3. What trains at the top level does not run, for a program that has no `if __name__ == "__main__"`.

A program that marimo wrote is a notebook, and only what would run of one runs: see `graders.adapting.notebooks`.
"""

from __future__ import annotations

import ast
import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

from gengrade.sandbox.guest.cells import UNREADABLE, parsed
from gengrade.sandbox.guest.errors import FAILED, STAR
from gengrade.sandbox.guest.marimo import is_marimo
from graders.adapting import notebooks
from graders.adapting.notebooks import SKIPPED, Step

ENDED: Final = "__ended__"  # attribute of a program's module: the error by which it ended itself
_STORED: Final = {"store_true": False, "store_false": True}


def run(module: ModuleType, path: Path) -> None:
    """Fill a module with what a program defines. Raises SyntaxError or ValueError if it cannot be parsed."""
    sys.argv[:] = [str(path)]
    source = path.read_bytes().decode("utf-8-sig", "replace")
    tree = _Absolute().visit(parsed(source, str(path)))
    module.__dict__.update({FAILED: {}, SKIPPED: {}})
    if is_marimo(source):
        notebooks.run(module, [Step(statement, str(path)) for statement in tree.body])
        return
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    late = []
    for statement in tree.body:
        step = Step(statement, str(path))
        if _leads_to_training(statement, functions):
            step.skip(module)
            continue
        error = step.run(module)
        if isinstance(error, notebooks.ProgramEnded):
            module.__dict__[ENDED] = error
        if isinstance(error, ImportError) and isinstance(statement, ast.Import | ast.ImportFrom):
            _stand_in(module, error)
        elif isinstance(error, NameError):
            late.append(step)
    notebooks.run_again(module, late, lambda step: step.run(module))


class _Absolute(ast.NodeTransformer):
    """Turns imports from the package that a file lay in into those of the files beside it."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        if node.level == 0:
            return node
        if node.module is None:  # from . import utils
            return ast.copy_location(ast.Import(node.names), node)
        return ast.copy_location(ast.ImportFrom(node.module, node.names, 0), node)


def options(source: bytes) -> Namespace:
    """Return the options of the command line that a program defines by `add_argument`, with their defaults.

    A default that is no literal is None.
    """
    found = Namespace()
    with suppress(*UNREADABLE):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
                settings = {keyword.arg: _literal(keyword.value) for keyword in node.keywords}
                flags = [flag for flag in map(_literal, node.args) if isinstance(flag, str)]
                name = settings.get("dest") or next(
                    (flag for flag in flags if flag.startswith("--")), *flags[:1] or [""]
                )
                default = settings.get("default", _STORED.get(str(settings.get("action"))))
                setattr(found, str(name).lstrip("-").replace("-", "_"), default)
    return found


def _literal(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, *UNREADABLE):
        return None


def _leads_to_training(statement: ast.stmt, functions: Mapping[str, ast.FunctionDef]) -> bool:
    """Return whether a statement at a program's top level trains, itself or by functions of its that it calls."""
    defines = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    guards = isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)
    seen: set[str] = set()
    waiting: list[ast.AST] = [] if defines or guards else [statement]
    while waiting:
        code = waiting.pop()
        if notebooks.trains(code):
            return True
        called = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)} & functions.keys() - seen
        seen |= called
        waiting += [functions[name] for name in called]
    return False


def _stand_in(module: ModuleType, error: ImportError) -> None:
    """Put an object that raises the error when it is used in the place of everything that could not be imported."""
    for name in [name for name, reason in vars(module)[FAILED].items() if reason is error]:
        if not name.startswith(STAR):
            module.__dict__.setdefault(name, _Absent(error))


class _Absent:
    """Stands for something that could not be imported: every use raises the error of the import."""

    def __init__(self, error: ImportError) -> None:
        self.__dict__["_error"] = error

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # whoever looks at a program asks for such, without using the thing
            raise AttributeError(name)
        raise self.__dict__["_error"].with_traceback(None)

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise self.__dict__["_error"].with_traceback(None)

    def __mro_entries__(self, bases: tuple[object, ...]) -> NoReturn:
        raise self.__dict__["_error"].with_traceback(None)
