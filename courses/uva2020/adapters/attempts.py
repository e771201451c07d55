"""Finds which of the hand-out's two training templates a student filled in, since only one is asked for."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache

from graders.adapting.loading import Modules, content

Function = ast.FunctionDef | ast.AsyncFunctionDef


def most_complete(modules: Modules, stems: Iterable[str], asked: Iterable[str]) -> str:
    """Return the file among `stems` in which the fewest of the `asked` functions are unfinished.

    The first among equals.

    A function is unfinished if it is absent or still raises the hand-out's NotImplementedError. In a file that is
    absent, empty or cannot be parsed, all functions are. Only the syntax tree is read, so neither file is imported.
    """
    names = frozenset(asked)
    return min(stems, key=lambda stem: _gaps(content(modules.folder / f"{stem}.py"), names))


@cache
def _gaps(source: bytes, names: frozenset[str]) -> int:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        tree = ast.Module([], [])
    if not tree.body:
        return len(names) + 1
    written = {node.name for node in ast.walk(tree) if isinstance(node, Function) and not _is_gap(node)}
    return len(names - written)


def _is_gap(function: Function) -> bool:
    return any(isinstance(node, ast.Raise) and _names_gap(node.exc) for node in ast.walk(function))


def _names_gap(raised: ast.expr | None) -> bool:
    if isinstance(raised, ast.Call):
        raised = raised.func
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
