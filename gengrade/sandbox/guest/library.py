"""The code of ours that a run holds beside the walls' own: its probe, and the adapters that this speaks to.

The host cuts it out of our modules (`gengrade.sandbox.closure`) and sends it to the run, which makes it its own before
any of the student's code runs. Nothing of it is in the zygote, nor in a file that a guest can read.
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
    """Imports these modules, so that no run has to. What is not installed is passed over: it spoils what needs it."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"{name} cannot be imported: {error}")


@dataclass(frozen=True, slots=True)
class Library:
    """What the host sent for a run, as modules."""

    modules: Mapping[str, ModuleType]
    probe: Callable[..., object]
    _package: Callable[..., Any]
    _parts: Mapping[str, Part]
    _contracts: Mapping[str, str]

    def package(self, tree: Path) -> Any:
        """The submission in `tree` as the contracts that the probe speaks to."""
        return self._package(tree, self._parts, self._contracts)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Lets imports find these modules, and no others of their packages, for as long as it is entered."""
        with _without(_tops(self.modules)):
            sys.modules.update(self.modules)
            yield


def load(code: bytes) -> Library:
    """What a host's closure holds, imported. The modules stay where imports find them: see `Library.in_place`."""
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
        _parts={key: Part(**fields) for key, fields in document["parts"].items()},
        _contracts=document["contracts"],
    )


def load_apart(code: bytes) -> Library:
    """The same beside modules of these names that are imported already, which stay what they are."""
    with _without(_tops(marshal.loads(code)["modules"])):
        return load(code)


def _tops(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@contextmanager
def _without(tops: set[str]) -> Iterator[None]:
    """Takes modules of these packages away, and puts them back in the end."""
    held = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in tops}
    for name in held:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
            del sys.modules[name]
        sys.modules.update(held)


class _Finder:
    """Finds modules among code that was sent, by their names."""

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
    """Runs a module's code; it keeps none of it."""

    def __init__(self, code: CodeType) -> None:
        self._code: CodeType | None = code

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual one."""

    def exec_module(self, module: ModuleType) -> None:
        code, self._code = self._code, None
        assert code is not None
        exec(code, module.__dict__)
