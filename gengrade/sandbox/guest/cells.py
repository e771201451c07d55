"""Turn a notebook's code cell into a syntax tree, without running it; IPython reads its magics and shell lines.

What IPython does beside Python is left out of the tree, with three exceptions: the statement of `%time` stays, `%run`
of a file becomes an import of all its names, and `%%writefile` stays as a call that `written` recognises.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import PurePath
from tokenize import TokenError
from typing import Final

from gengrade.sandbox.guest.marimo import lifted

# Magics of cells that hold ordinary Python; the cells of all other magics hold another language.
_TRANSPARENT: Final = {"%%time", "%%timeit", "%%capture", "%%prun"}
UNREADABLE: Final = (SyntaxError, ValueError, RecursionError, MemoryError)  # what `ast.parse` raises
_WRITING: Final = {"writefile", "file"}
# IPython lets these magics be written without "%" where the line is no Python.
_AUTOMAGIC: Final = re.compile(
    r"(\s*)(pip|conda|mamba|cd|ls|ll|cp|mv|rm|mkdir|rmdir|cat|pwd|env|matplotlib|load_ext|time|run)(?=\s)"
)
_MOST_AUTOMAGIC: Final = 50
_OPENING: Final = re.compile(r"(?![\s#)\]}]|(?:else|elif|except|finally|case)\b)")


def parsed(source: str, name: str) -> ast.Module:
    """Return the syntax tree of a cell without magics and shell lines, with unchanged line numbers.

    The cells of a program that marimo wrote stand at its top level.

    source: the text of the cell, or of a program.
    name: the file's name, for tracebacks.

    Raises the exceptions of `ast.parse`.
    """
    with warnings.catch_warnings(action="ignore"):
        try:
            tree = ast.parse(source, name)
        except SyntaxError:  # a line of a string may begin with "%", so that only other cells are transformed
            tree = ast.parse(_transformed(source), name)
        return lifted(_without_commands(tree))


def readable(source: str, name: str) -> tuple[ast.Module, list[tuple[str, Exception]]]:
    """Return the syntax tree of all that can be parsed in a cell, and the rest in pieces, each with its error.

    A cell that cannot be parsed as a whole is parsed piece by piece. A piece begins at the cell's left margin.
    """
    try:
        return parsed(source, name), []
    except UNREADABLE:
        found, broken = ast.Module([], []), list[tuple[str, Exception]]()
        for piece in _pieces(source):
            try:
                found.body += parsed(piece, name).body
            except UNREADABLE as error:
                broken.append((piece, error))
        return found, broken


def _pieces(source: str) -> Iterator[str]:
    """Yield the pieces of a cell, each below as many empty lines as stood above it, for its line numbers."""
    lines = source.splitlines(keepends=True)
    starts = [index for index, line in enumerate(lines) if _OPENING.match(line)]
    # A decorator belongs to the definition below it.
    starts = [index for last, index in zip([-1, *starts], starts, strict=False) if last < 0 or lines[last][0] != "@"]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield "\n" * start + "".join(lines[start:end])


def written(statement: ast.stmt) -> tuple[str, str] | None:
    """Return the name and the text of the file that `%%writefile` writes; None for every other statement."""
    match _magic(statement):
        case ("run_cell_magic", name, line, body) if name in _WRITING and line.split():
            return line.split()[-1], body
    return None


def _transformed(source: str) -> str:
    """Return a cell's text as IPython turns it into Python, with unchanged line numbers."""
    from IPython.core.inputtransformer2 import TransformerManager  # it takes a quarter of a second

    first = source.lstrip().split(None, 1)[:1]
    if first and first[0] in _TRANSPARENT:
        source = source.replace(source.lstrip().split("\n", 1)[0], "", 1)
    for _ in range(_MOST_AUTOMAGIC):
        try:
            python = _aligned(source, TransformerManager().transform_cell(source))
        except (RuntimeError, TokenError, TypeError, LookupError) as error:
            raise SyntaxError(f"IPython cannot read this cell ({error})") from None
        try:
            ast.parse(python)
        except SyntaxError as error:
            lines = source.split("\n")
            index = (error.lineno or 0) - 1
            if not 0 <= index < len(lines) or not _AUTOMAGIC.match(lines[index]):
                break
            lines[index] = _AUTOMAGIC.sub(r"\1%\2", lines[index], count=1)
            source = "\n".join(lines)
        else:
            break
    return python


def _aligned(source: str, python: str) -> str:
    """Return transformed text with empty lines in the places of those that IPython removed or joined to a command."""
    before = source.splitlines()
    lines = [""] * next((index for index, line in enumerate(before) if line.strip()), 0)
    for line in python.splitlines():
        place = len(lines)
        lines.append(line)
        if place < len(before) and not before[place].endswith(line.strip()):  # a command, which goes on after "\\"
            while len(lines) < len(before) and before[len(lines) - 1].rstrip().endswith("\\"):
                lines.append("")
    return "\n".join(lines)


def _without_commands(tree: ast.Module) -> ast.Module:
    python: ast.Module = ast.fix_missing_locations(_Commands().visit(tree))
    return python


class _Commands(ast.NodeTransformer):
    """Replaces what IPython would do beside Python."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        match _magic(node):
            case ("run_line_magic", "time", line):
                return _statements(line, node) or _nothing(node)
            case ("run_line_magic", "run", line) if files := re.findall(r"""[^\s"']+\.(?:py|ipynb)\b""", line):
                imported = ast.ImportFrom(PurePath(files[0]).stem, [ast.alias("*")], 0)
                return ast.copy_location(imported, node)
            case ("run_cell_magic", name, *_) if name in _WRITING:
                return node
            case None:
                return node
        return _nothing(node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        return _nothing(node) if _magic(node) is not None else node


def _magic(statement: ast.stmt) -> tuple[str, ...] | None:
    """Return the method of `get_ipython()` that a statement calls, with its texts; None for ordinary statements."""
    match statement:
        case (
            ast.Expr(value=ast.Call(func=ast.Attribute(value=called, attr=method), args=args))
            | ast.Assign(value=ast.Call(func=ast.Attribute(value=called, attr=method), args=args))
        ) if isinstance(called, ast.Call) and isinstance(called.func, ast.Name) and called.func.id == "get_ipython":
            texts = [each.value for each in args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            return (method, *texts)
    return None


def _statements(line: str, place: ast.stmt) -> list[ast.stmt]:
    """Return the statements of a line, at the place of another; none if it cannot be parsed."""
    try:
        statements = ast.parse(line).body
    except SyntaxError:
        return []
    for statement in statements:
        ast.increment_lineno(statement, place.lineno - 1)
    return statements


def _nothing(place: ast.stmt) -> ast.Pass:
    return ast.copy_location(ast.Pass(), place)
