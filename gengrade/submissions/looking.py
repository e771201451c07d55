"""What a person should look at in a submission's code: the tools of those who would forge evidence.

A package and the probe that runs it share a process, so whoever goes looking for the harness in there can answer in
its place. Answers have to fit what was asked all the same, and no harness can tell who computed a right one; but the
tools for it are hardly ever found in honest work, and reading the syntax tree finds them where nobody hides them.
It costs no points: a person decides.
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
_LARGEST: Final = 512 << 10  # bytes of a program, or of a notebook's code; the largest that people write have 100 kB
_SECONDS: Final = 20.0  # of computing, for all files of a submission
NO_TIME: Final = "there is too much code"


@dataclass(frozen=True, slots=True)
class Look:
    """A file that was looked at: each thing that stands out as (what it is, where it comes first, what it does)."""

    file: str
    flags: tuple[tuple[str, ...], ...] = ()
    unread: str | None = None  # why it could not be looked at


def programs(tree: Path) -> list[Path]:
    """The programs and notebooks of a tree, the smallest first: a large one takes no time from the others."""
    files = (path for path in tree.rglob("*") if path.suffix in _SYNTAX and path.is_file())
    return sorted(files, key=lambda path: (path.stat().st_size, path))


def look(files: Sequence[Path], at: Callable[[int], None]) -> list[Look]:
    """Looks at every file, as far as the time reaches; tells `at` the number of the one that comes next."""
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
        except _Unseen as unseen:
            unread = str(unseen)
        except RecursionError:
            unread = "it is nested too deep"
        except MemoryError:
            unread = "it takes too much memory"
        seen.append(Look(str(path), tuple((what, *where_why) for what, where_why in found.items()), unread))
    return seen


def told(tree: Path, shown: Mapping[str, str], seen: Iterable[Look], *, libraries: bool) -> tuple[str, ...]:
    """The looks in sentences, at most ten; files that could not be looked at come last, as one if many."""
    found: dict[str, None] = {}  # a file may belong to several parts
    unread: dict[str, str] = {}
    for one in sorted(seen, key=lambda one: one.file):
        folder, *rest = Path(one.file).relative_to(tree).parts
        name = printable("/".join([shown.get(folder, folder), *rest]))
        if one.unread is not None:
            unread[name] = one.unread
        flags = [each for each in one.flags if not (libraries and each[2] == _LIBRARY)]
        found |= {f"{name}, {where}: {what} {why}": None for what, where, why in flags}
    sentences = [f"{name} could not be looked at: {why}" for name, why in unread.items()]
    if len(sentences) > _MOST_UNREAD:
        more = len(sentences) - _MOST_UNREAD
        sentences = [*sentences[:_MOST_UNREAD], f"{more} more files could not be looked at"]
    return (*tuple(found)[:_MOST], *sentences)


_MOST_UNREAD: Final = 4


class _Unseen(Exception):
    """A file is not looked at; the reason completes "could not be looked at: …"."""


def _look_into(path: Path, found: dict[str, tuple[str, str]]) -> None:
    """Add each thing that stands out in a file: where it comes first, and what it does.

    What was found before an exception stays in `found`.
    """
    for place, tree in _SYNTAX[path.suffix](path):
        here: dict[str, tuple[int, str]] = {}
        for node in ast.walk(tree):
            for what, why in _odd(node):
                line = getattr(node, "lineno", 0)
                if what not in here or line < here[what][0]:
                    here[what] = (line, why)
        for what, (line, why) in sorted(here.items(), key=lambda item: item[1][0]):
            found.setdefault(what, (f"{place}line {line}", why))


def _program(path: Path) -> Iterator[tuple[str, ast.AST]]:
    if path.stat().st_size > _LARGEST:
        raise _Unseen(_TOO_LARGE)
    with warnings.catch_warnings(action="ignore"), suppress(*_UNREADABLE):
        yield "", ast.parse(path.read_bytes())


def _notebook(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Each code cell that Python can read, counted among code cells, as tracebacks do."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (*_UNREADABLE, RecursionError):
        return
    if sum(map(len, sources)) > _LARGEST:
        raise _Unseen(_TOO_LARGE)
    deep: Exception | None = None
    for number, source in enumerate(sources, start=1):
        try:
            tree = parsed(source, path.name)
        except _UNREADABLE:
            continue
        except (RecursionError, MemoryError) as error:
            deep = error  # the other cells are looked at all the same
        else:
            yield f"cell {number}, ", tree
    if deep is not None:
        raise deep


_SYNTAX: Final = {".py": _program, ".ipynb": _notebook}
_UNREADABLE: Final = (SyntaxError, ValueError, TypeError, LookupError)
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
    """ "a.b.c" of such an attribute, no longer than a module's name here; "" of any other."""
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
