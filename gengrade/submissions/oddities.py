"""What a person should look at in a submission's code: the tools of those who would forge evidence.

A package and the probe that runs it share a process, so whoever goes looking for the harness in there can answer in
its place. Answers have to fit what was asked all the same, and no harness can tell who computed a right one; but the
tools for it are hardly ever found in honest work, and reading the syntax tree finds them where nobody hides them.
It costs no points: a person decides.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from gengrade.paths import printable
from gengrade.sandbox.guest.cells import parsed

_FRAMES: Final = "looks at its callers' variables"
_MEMORY: Final = "looks for objects of the process that it was not given"
_RUN_TIME: Final = "makes code while it runs"
_PROCESS: Final = "ends, starts or stops processes"
_TRACING: Final = "is called on every line, or call, of the process"
_LIBRARY: Final = "leaves to a library what may have been asked for"

_ATTRIBUTES: Final = {
    **dict.fromkeys(("_getframe", "_current_frames", "currentframe", "f_back", "f_locals"), _FRAMES),
    **dict.fromkeys(("tb_frame", "gi_frame", "cr_frame", "ag_frame", "getouterframes", "getinnerframes"), _FRAMES),
    **dict.fromkeys(("get_objects", "get_referrers", "get_referents", "__subclasses__", "__closure__"), _MEMORY),
    **dict.fromkeys(("_exit", "fork", "forkpty", "posix_spawn", "execv", "execve", "kill", "killpg"), _PROCESS),
    **dict.fromkeys(("settrace", "setprofile", "addaudithook"), _TRACING),
}
_MODULES: Final = {
    **dict.fromkeys(("ctypes", "cffi"), _MEMORY),
    **dict.fromkeys(("subprocess", "pty"), _PROCESS),
    **dict.fromkeys(("gengrade", "graders"), "knows the grader by name"),
    **dict.fromkeys(("socket",), "opens channels to other processes"),
    **dict.fromkeys(("torch.distributions", "diffusers"), _LIBRARY),
}
_BUILTINS: Final = dict.fromkeys(("exec", "eval", "compile", "__import__"), _RUN_TIME)
_PLACES: Final = {"/proc/": "looks at processes", "/dev/shm": "writes where other processes may read"}
_MOST: Final = 10  # of a submission; who has more of them will be read anyway


def oddities(tree: Path, shown: dict[str, str], *, libraries: bool = False) -> tuple[str, ...]:
    """What stands out in the programs and notebooks of a clean tree, each kind once for a file, with its place.

    `shown`: what the tree's folders are called in what was handed in. `libraries`: whether these may be used freely. A
    file that Python cannot read has none: its checks say so.
    """
    found: dict[str, None] = {}  # a file may belong to several parts
    for path in sorted(path for path in tree.rglob("*") if path.suffix in _SYNTAX and path.is_file()):
        folder, *rest = path.relative_to(tree).parts
        name = printable("/".join([shown.get(folder, folder), *rest]))
        odd = {what: pair for what, pair in _first(path).items() if not (libraries and pair[1] == _LIBRARY)}
        found |= {f"{name}, {where}: {what} {why}": None for what, (where, why) in odd.items()}
    return tuple(found)[:_MOST]


def _first(path: Path) -> dict[str, tuple[str, str]]:
    """Each odd thing of a file: where it comes first, and what it does."""
    found: dict[str, tuple[str, str]] = {}
    try:
        parts = list(_SYNTAX[path.suffix](path))
    except _UNREADABLE:
        return {}
    for place, tree in parts:
        here: dict[str, tuple[int, str]] = {}
        for node in ast.walk(tree):
            for what, why in _odd(node):
                line = getattr(node, "lineno", 0)
                if what not in here or line < here[what][0]:
                    here[what] = (line, why)
        for what, (line, why) in sorted(here.items(), key=lambda item: item[1][0]):
            found.setdefault(what, (f"{place}line {line}", why))
    return found


def _program(path: Path) -> Iterator[tuple[str, ast.AST]]:
    with warnings.catch_warnings(action="ignore"):
        yield "", ast.parse(path.read_bytes())


def _notebook(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Each code cell that Python can read, counted among code cells, as tracebacks do."""
    cells = json.loads(path.read_bytes())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    for number, source in enumerate(sources, start=1):
        with suppress(*_UNREADABLE):
            yield f"cell {number}, ", parsed(source, path.name)


_SYNTAX: Final = {".py": _program, ".ipynb": _notebook}
_UNREADABLE: Final = (SyntaxError, ValueError, TypeError, LookupError, RecursionError, MemoryError)


def _odd(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Import(names=names):
            yield from (pair for alias in names for pair in _imported(alias.name))
        case ast.ImportFrom(module=str(module), names=names, level=0):
            yield from _imported(module)
            for alias in names:
                yield from _imported(f"{module}.{alias.name}", exactly=True)
                if alias.name in _ATTRIBUTES:
                    yield f"{module}.{alias.name}", _ATTRIBUTES[alias.name]
        case ast.Attribute(attr=name) if name in _ATTRIBUTES:
            yield name, _ATTRIBUTES[name]
        case ast.Attribute():
            dotted = ast.unparse(node)
            if dotted in _MODULES:
                yield dotted, _MODULES[dotted]
        case ast.Call(func=ast.Name(id=name)) if name in _BUILTINS:
            yield f"{name}()", _BUILTINS[name]
        case ast.Constant(value=str(text)):
            yield from ((place, why) for place, why in _PLACES.items() if place in text)


def _imported(module: str, *, exactly: bool = False) -> Iterator[tuple[str, str]]:
    for name, why in _MODULES.items():
        if module == name or (not exactly and module.startswith(f"{name}.")):
            yield f"import {name}", why
