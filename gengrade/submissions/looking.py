"""Find code in a submission that a person should read: uses of what is needed to forge evidence.

A student's package and the probe that runs it share a process, so code that searches this process for the harness can
answer in its place. Forged answers must still be right to earn points, and no harness can tell who computed a right
answer. But honest work hardly ever uses what such a search needs, and the syntax tree shows these uses where nobody
hides them. They cost no points: a person decides.
"""

from __future__ import annotations

import ast
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gengrade.paths import printable
from gengrade.sandbox.guest.cells import readable, written
from gengrade.submissions.locating import path_below

_FRAMES: Final = "looks at its callers' variables"
_MEMORY: Final = "searches the process for objects that it was not given"
_RUN_TIME: Final = "makes code while it runs"
_PROCESS: Final = "ends, starts or stops processes"
_TRACING: Final = "traces every line or call of the process"
_LIBRARY: Final = "may leave the requested work to a library"

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
    **dict.fromkeys(("gengrade", "graders"), "refers to the grader itself"),
    **dict.fromkeys(("socket",), "opens channels to other processes"),
    **dict.fromkeys(("torch.distributions.kl", "torch.distributions.kl_divergence", "diffusers"), _LIBRARY),
}
_BUILTINS: Final = dict.fromkeys(("exec", "eval", "compile", "__import__"), _RUN_TIME)
_PLACES: Final = {"/proc/": "looks at processes", "/dev/shm": "writes where other processes may read"}
_MOST: Final = 10  # flags shown for a submission; a teacher reads the code anyway when there are more
_LARGEST: Final = 512 << 10  # bytes of a program, or of a notebook's code; the largest that people write have 100 kB
_SECONDS: Final = 20.0  # of CPU time, for all files of a submission
NO_TIME: Final = "there is too much code"


@dataclass(frozen=True, slots=True)
class Look:
    """The flags of one file, each as (the name that is used, the place of its first use, what that does)."""

    file: str
    flags: tuple[tuple[str, ...], ...] = ()
    unread: str | None = None  # why the file could not be inspected


def programs(tree: Path) -> list[Path]:
    """Return the programs and notebooks of a tree, the smallest first, so that a large one is inspected last."""
    files = (path for path in tree.rglob("*") if path.suffix in _SYNTAX and path.is_file())
    return sorted(files, key=lambda path: (path.stat().st_size, path))


def look(files: Sequence[Path], at: Callable[[int], None]) -> list[Look]:
    """Inspect the files until the time is used up, and return a Look for each.

    files: the programs and notebooks to inspect.
    at: is called with the number of each file before it is inspected.
    """
    until = time.process_time() + _SECONDS
    seen: list[Look] = []
    for number, path in enumerate(files):
        at(number)
        if time.process_time() > until:
            seen.append(Look(str(path), unread=NO_TIME))
            continue
        found: dict[str, tuple[str, str]] = {}
        unread = None
        try:
            _look_into(path, found)
        except Unseen as unseen:
            unread = str(unseen)
        except RecursionError:
            unread = "it is nested too deeply"
        except MemoryError:
            unread = "it takes too much memory"
        seen.append(Look(str(path), tuple((what, *where_why) for what, where_why in found.items()), unread))
    return seen


def flag_sentences(tree: Path, shown: Mapping[str, str], seen: Iterable[Look], *, libraries: bool) -> tuple[str, ...]:
    """Return at most ten flags as sentences, then sentences on the files that could not be inspected.

    tree: the clean tree that holds the files.
    shown: for each folder of the tree, its name in the submission.
    seen: the inspected files.
    libraries: whether any library may be used, so that no use of one is flagged.
    """
    found: dict[str, None] = {}  # a file may belong to several parts
    unread: dict[str, str] = {}
    for one in sorted(seen, key=lambda one: one.file):
        folder, *rest = Path(one.file).relative_to(tree).parts
        name = printable(path_below(shown.get(folder, folder), *rest))
        if one.unread is not None:
            unread[name] = one.unread
        flags = [each for each in one.flags if not (libraries and each[2] == _LIBRARY)]
        found |= {f"{name}, {where}: {what} {why}": None for what, where, why in flags}
    sentences = [f"{name} could not be inspected: {why}" for name, why in unread.items()]
    if len(sentences) > _MOST_UNREAD:
        more = len(sentences) - _MOST_UNREAD
        sentences = [*sentences[:_MOST_UNREAD], f"{more} more files could not be inspected"]
    return (*tuple(found)[:_MOST], *sentences)


_MOST_UNREAD: Final = 4


class Unseen(Exception):
    """A file is not inspected; the reason completes the sentence "could not be inspected: …"."""


def _look_into(path: Path, found: dict[str, tuple[str, str]]) -> None:
    """Add each flag of a file to `found`: the place of its first use, and what it does.

    Flags that were found before an exception stay in `found`.
    """
    for place, tree in syntax_trees(path):
        here: dict[str, tuple[int, str]] = {}
        for node in ast.walk(tree):
            for what, why in _odd(node):
                line = getattr(node, "lineno", 0)
                if what not in here or line < here[what][0]:
                    here[what] = (line, why)
        for what, (line, why) in sorted(here.items(), key=lambda item: item[1][0]):
            found.setdefault(what, (f"{place}line {line}", why))


def syntax_trees(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Yield the syntax trees of a program or notebook, as far as Python can parse it, each with its place in the file.

    Raises Unseen for a file that is too large, and RecursionError or MemoryError for one that is nested too deeply.
    """
    yield from _SYNTAX[path.suffix](path)


def _program(path: Path) -> Iterator[tuple[str, ast.AST]]:
    if path.stat().st_size > _LARGEST:
        raise Unseen(_TOO_LARGE)
    with warnings.catch_warnings(action="ignore"), suppress(*_UNREADABLE):
        yield "", ast.parse(path.read_bytes())


def _notebook(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Yield the syntax trees of what Python can parse in each code cell, with its number among the code cells."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (*_UNREADABLE, RecursionError):
        return
    if sum(map(len, sources)) > _LARGEST:
        raise Unseen(_TOO_LARGE)
    deep: Exception | None = None
    for number, source in enumerate(sources, start=1):
        tree, broken = readable(source, path.name)
        for statement in tree.body:
            file = written(statement)
            if file is not None:  # it may be imported later; the magic stands above its first line
                written_tree, broken_there = readable("\n" + file[1], path.name)
                broken += broken_there
                yield f"cell {number}, ", written_tree
        yield f"cell {number}, ", tree
        deep = next((error for _, error in broken if isinstance(error, _TOO_DEEP)), deep)
    if deep is not None:
        raise deep  # only after the other cells were inspected


_SYNTAX: Final = {".py": _program, ".ipynb": _notebook}
_UNREADABLE: Final = (SyntaxError, ValueError, TypeError, LookupError)
_TOO_DEEP: Final = (RecursionError, MemoryError)
_TOO_LARGE: Final = f"it holds more than {_LARGEST >> 10} kB of code"


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
            dotted = _dotted(node)
            if dotted in _MODULES:
                yield dotted, _MODULES[dotted]
        case ast.Call(func=ast.Name(id=name)) if name in _BUILTINS:
            yield f"{name}()", _BUILTINS[name]
        case ast.Constant(value=str(text)):
            yield from ((place, why) for place, why in _PLACES.items() if place in text)


def _dotted(node: ast.expr) -> str:
    """Return "a.b.c" for such an attribute, with no more dots than the modules listed here have; otherwise ""."""
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < _DEEPEST:
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


_DEEPEST: Final = max(name.count(".") for name in _MODULES)


def _imported(module: str, *, exactly: bool = False) -> Iterator[tuple[str, str]]:
    for name, why in _MODULES.items():
        if module == name or (not exactly and module.startswith(f"{name}.")):
            yield f"import {name}", why
