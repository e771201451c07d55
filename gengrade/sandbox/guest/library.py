"""Load the code that the host sends to a run: its probe, and the adapters that this uses.

The host extracts it from our modules (`gengrade.sandbox.closure`), and the run loads it before any student code runs.
None of it is in the zygote or in a file that a guest can read.
"""

from __future__ import annotations

import importlib
import importlib.util
import marshal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from gengrade.parts import Part


def preload(names: Iterable[str]) -> None:
    """Import these modules, so that no run has to; those that cannot be imported are skipped with a message."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"{name} cannot be imported: {error}")


@dataclass(frozen=True, slots=True)
class Library:
    """The modules that the host sent for a run, and the parts of the course by key."""

    modules: Mapping[str, ModuleType]
    probe: Callable[..., object]
    _package: Callable[..., Any]
    parts: Mapping[str, Part]
    _contracts: Mapping[str, str]

    def package(self, tree: Path) -> Any:
        """Return the submission in `tree` as the object that the probe gets, with the adapters as attributes."""
        return self._package(tree, self.parts, self._contracts)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within this context, imports find these modules and no others of their packages."""
        with _without(_tops(self.modules)):
            sys.modules.update(self.modules)
            yield


def load(code: bytes) -> Library:
    """Import the code that `gengrade.sandbox.closure` made. The modules stay importable, in `sys.modules`."""
    document = marshal.loads(code)
    finder = _Finder(document["modules"])
    sys.meta_path.insert(0, finder)
    try:
        modules = {name: importlib.import_module(name) for name in document["modules"]}
    finally:
        sys.meta_path.remove(finder)
    for module in modules.values():
        if hasattr(module, "__path__"):
            module.__path__ = []
    name, function = document["probe"]
    package, class_ = document["package"]
    return Library(
        modules=modules,
        probe=getattr(modules[name], function),
        _package=getattr(modules[package], class_),
        parts={key: Part(**fields) for key, fields in document["parts"].items()},
        _contracts=document["contracts"],
    )


def load_apart(code: bytes) -> Library:
    """Import the code as `load` does, but restore modules of the same names that were imported before."""
    with _without(_tops(marshal.loads(code)["modules"])):
        return load(code)


def _tops(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@contextmanager
def _without(tops: set[str]) -> Iterator[None]:
    """Within this context, modules of these packages are removed from `sys.modules`; then they are restored."""
    held = _of(tops)
    for name in held:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in _of(tops):
            del sys.modules[name]
        sys.modules.update(held)


def _of(tops: set[str]) -> dict[str, ModuleType]:
    """Return the imported modules of these packages."""
    beginnings = tuple(f"{top}." for top in tops)
    return {name: module for name, module in sys.modules.items() if name in tops or name.startswith(beginnings)}


class _Finder:
    """Finds modules in the code that was sent."""

    def __init__(self, modules: Mapping[str, tuple[bool, CodeType]]) -> None:
        self._modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._modules:
            return None
        is_package, code = self._modules[name]
        return importlib.util.spec_from_loader(name, _Loader(code), is_package=is_package)


class _Loader(Loader):
    """Runs a module's code, without keeping a reference to it that student code could find."""

    def __init__(self, code: CodeType) -> None:
        self._code: CodeType | None = code

    def create_module(self, spec: ModuleSpec) -> None:
        """Return None, so that Python creates an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        code, self._code = self._code, None
        assert code is not None
        exec(code, module.__dict__)
