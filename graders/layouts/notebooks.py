"""A student's notebook as a module: what its code cells import, define and fix, without what they do.

A notebook is a protocol of work: definitions stand among downloads, training and plots. Kept are imports, functions,
classes, and assignments whose value is put together from literals, names, libraries, and classes that the notebook
defines itself; loops, plots, and calls of the student's own functions are not run. What one statement raises spoils
only the names that it would have given; asking for one of them raises the same.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from gengrade.sandbox.guest.cells import parsed

FAILED: Final = "__failed__"  # of a notebook's module: by name, what was raised instead of its definition

_METHODS: Final = {"to", "cuda", "cpu", "double", "float", "half", "eval", "apply", "parameters", "manual_seed"}
_FORBIDDEN: Final = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)


def load(path: Path, provided: Mapping[str, object] | None = None, until: int | None = None) -> ModuleType:
    """The notebook's module. `provided`: names that hold where the notebook does not define them.

    `until`: only the cells before that one, as things stood when it was reached. Raises ValueError for a file that is
    no notebook.
    """
    module = ModuleType(f"notebook {path.stem}" if until is None else f"notebook {path.stem} until {until}")
    module.__file__ = str(path)
    failed: dict[str, Exception] = {}
    module.__dict__.update({**(provided or {}), FAILED: failed})
    sys.modules[module.__name__] = module  # where dataclasses and pickles look for a class's module
    for position, (name, source) in enumerate(cells(path), start=1):
        if until is not None and position >= until:
            break
        _run(module, name, source, failed)
    return module


def cells(path: Path) -> list[tuple[str, str]]:
    """The code cells: what tracebacks call each ("…/homework.ipynb, cell 3", counted among code cells), its source.

    Raises ValueError for a file that is no notebook.
    """
    import nbformat  # by those editions only that ask for notebooks

    try:
        with warnings.catch_warnings(action="ignore"):
            notebook = nbformat.reads(path.read_text("utf-8", "replace"), as_version=4)
        sources = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    except Exception as error:  # of whatever kind: the file is the student's
        raise ValueError(f"{path.name} is no notebook that Jupyter can read ({type(error).__name__})") from None
    sources = ["".join(source) if isinstance(source, list) else str(source) for source in sources]
    return [(f"{path}, cell {number}", source) for number, source in enumerate(sources, start=1)]


def defining(path: Path, name: str) -> list[int]:
    """The numbers of the cells that define or assign that name at their top level: it may be defined anew."""
    found = []
    for number, (_, source) in enumerate(cells(path), start=1):
        try:
            tree = parsed(source, "")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if any(name in _names(statement) for statement in tree.body):
            found.append(number)
    return found


def _run(module: ModuleType, name: str, source: str, failed: dict[str, Exception]) -> None:
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    try:
        tree = parsed(source, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        failed.update(dict.fromkeys(_names_in(source), error))
        return
    for statement in tree.body:
        if not _is_kept(statement, module):
            continue
        try:
            exec(compile(ast.Module([statement], []), name, "exec", dont_inherit=True), module.__dict__)
        except Exception as error:
            failed.update(dict.fromkeys(_names(statement), error))
        else:
            for defined in _names(statement):
                failed.pop(defined, None)


def _is_kept(statement: ast.stmt, module: ModuleType) -> bool:
    kept = False
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
            kept = True
        case ast.Assign(targets=targets, value=value):
            kept = all(map(_is_name, targets)) and _is_plain(value, module)
        case (
            ast.AnnAssign(target=ast.Name(), value=ast.expr() as value) | ast.AugAssign(target=ast.Name(), value=value)
        ):
            kept = _is_plain(value, module)
        case ast.If(test=test, body=body, orelse=orelse):
            kept = _is_plain(test, module) and all(_is_kept(inner, module) for inner in (*body, *orelse))
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            inside = [*body, *(inner for handler in handlers for inner in handler.body), *orelse, *final]
            kept = all(_is_kept(inner, module) or isinstance(inner, ast.Pass) for inner in inside)
    return kept


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(map(_is_name, target.elts))
    return isinstance(target, ast.Name)


def _is_plain(value: ast.expr, module: ModuleType) -> bool:
    """Whether an expression only puts things together, and does not set the student's own work going."""
    if isinstance(value, ast.Lambda):
        return True  # a definition
    if isinstance(value, _FORBIDDEN):
        return False
    if isinstance(value, ast.Call) and not _makes(value.func, module):
        return False
    return all(_is_plain(inner, module) for inner in _within(value))


def _within(node: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        else:
            yield from _within(child)


def _makes(function: ast.expr, module: ModuleType) -> bool:
    """Whether a call makes something: with a library, a builtin class, or a class of the notebook's own."""
    root = _root(function)
    found = module.__dict__.get(root) if root else None
    if isinstance(function, ast.Attribute) and function.attr in _METHODS and not isinstance(found, ModuleType):
        return True  # of something that was made: `Generator().to(device)`
    if root is None:
        return False
    if root not in module.__dict__:
        return isinstance(function, ast.Name) and isinstance(getattr(builtins, root, None), type)
    if isinstance(found, type):
        return True
    return _is_library(found if isinstance(found, ModuleType) else sys.modules.get(found.__module__), module)


def _is_library(origin: ModuleType | None, module: ModuleType) -> bool:
    """Whether what comes from there is nobody's own work."""
    beside = str(Path(str(module.__file__)).parent)
    return origin is not None and not str(getattr(origin, "__file__", "")).startswith(f"{beside}/")


def _root(expression: ast.expr) -> str | None:
    """The name that a dotted one begins with."""
    while isinstance(expression, ast.Attribute):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else None


def _names(statement: ast.stmt) -> set[str]:
    """The names that a statement gives."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {alias.asname or alias.name.partition(".")[0] for alias in aliases}
        case ast.Assign(targets=targets):
            nodes: Sequence[ast.AST] = targets
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            nodes = [target]
        case ast.If() | ast.Try():
            inner = (each for each in ast.walk(statement) if isinstance(each, ast.stmt) and each is not statement)
            return set().union(*(_names(each) for each in inner if not isinstance(each, ast.If | ast.Try)))
        case _:
            return set()
    return {node.id for target in nodes for node in ast.walk(target) if isinstance(node, ast.Name)}


def _names_in(source: str) -> set[str]:
    """The names that a cell which does not parse seems to define."""
    return set(re.findall(r"^(?:def|class)\s+(\w+)", source, re.MULTILINE)) | set(
        re.findall(r"^(\w+)\s*=(?!=)", source, re.MULTILINE)
    )
