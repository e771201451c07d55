"""Reads programs that marimo wrote, whose cells are functions, as one reads a notebook's cells.

In such a program, `app = marimo.App()` is followed by cells: `@app.cell` above a function whose body is the cell, whose
parameters are the names that it uses of other cells, and whose `return` names those that it gives them. Definitions
may also stand on their own (`@app.function`, `@app.class_definition`), and imports in `with app.setup:`. See "File
format" in marimo's documentation, https://docs.marimo.io.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

_MARIMO: Final = "marimo"
_CELL: Final = frozenset({"cell"})
_DEFINITION: Final = frozenset({"function", "class_definition"})
_SETUP: Final = frozenset({"setup"})


def is_marimo(source: str) -> bool:
    """Return whether a program makes an app of marimo, so that its cells are functions; one with magics does not."""
    try:
        return _MARIMO in source and bool(_apps(ast.parse(source).body))
    except SyntaxError:
        return False


def lifted(tree: ast.Module) -> ast.Module:
    """Return a program with the statements of its marimo cells at the top level; any other program as it is."""
    apps = _apps(tree.body)
    if not apps:
        return tree
    body: list[ast.stmt] = []
    for statement in tree.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if _says(statement.decorator_list, apps, _CELL):
                body += [inner for inner in statement.body if not isinstance(inner, ast.Return)]
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                others = [each for each in statement.decorator_list if not _says([each], apps, _DEFINITION)]
                statement.decorator_list = others
                body.append(statement)
            case ast.With(items=items, body=inside) if _says([each.context_expr for each in items], apps, _SETUP):
                body += inside
            case _:
                body.append(statement)
    return ast.Module(body, tree.type_ignores)


def _apps(statements: Sequence[ast.stmt]) -> set[str]:
    """Return the names of the apps that are made at a program's top level."""
    imports = [each for each in statements if isinstance(each, ast.Import)]
    known = {each.asname or each.name for line in imports for each in line.names if each.name == _MARIMO}
    found = set()
    for statement in statements if known else ():
        match statement:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr="App"))
            ) if module in known:
                found.add(name)
    return found


def _says(expressions: Sequence[ast.expr], apps: set[str], words: frozenset[str]) -> bool:
    """Return whether one of some decorators is an app's, such as `@app.cell` or `@app.cell(hide_code=True)`."""
    for expression in expressions:
        called = expression.func if isinstance(expression, ast.Call) else expression
        match called:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in apps and attribute in words:
                return True
    return False
