"""What a person should look at in a submission's code: the tools of those who would forge evidence.

A package and the probe that runs it share a process, so whoever goes looking for the harness in there can answer in
its place. Answers have to fit what was asked all the same, and no harness can tell who computed a right one; but the
tools for it are hardly ever found in honest work, and reading the syntax tree finds them where nobody hides them.
It costs no points: a person decides.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gengrade.paths import printable

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


def oddities(tree: Path, shown: dict[str, str]) -> tuple[str, ...]:
    """What stands out in the Python files of a clean tree, each kind once for a file, with its line.

    `shown`: what the tree's folders are called in what was handed in. A file that Python cannot read has none: its
    checks say so.
    """
    found: list[str] = []
    for path in sorted(tree.rglob("*.py")):
        folder, *rest = path.relative_to(tree).parts
        name = printable("/".join([shown.get(folder, folder), *rest]))
        found += [f"{name}, line {line}: {what} {why}" for what, (line, why) in _first(path).items()]
    return tuple(found[:_MOST])


def _first(path: Path) -> dict[str, tuple[int, str]]:
    """Each odd thing of a file, where it comes first, and what it does."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, tuple[int, str]] = {}
    for node in ast.walk(tree):
        for what, why in _odd(node):
            line = getattr(node, "lineno", 0)
            if what not in found or line < found[what][0]:
                found[what] = (line, why)
    return dict(sorted(found.items(), key=lambda item: item[1][0]))


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
