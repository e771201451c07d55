"""Importing a student's files, one by one, whatever state they are in.

A part's folder becomes a `Modules`; a layout's contracts ask it for names. Nothing is imported before it is asked for,
so that a file that does not parse spoils only what it holds.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from gengrade.sandbox.guest.errors import Missing


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an assignment: the folder it is handed in as (None: files anywhere), and the files asked for."""

    folder: str | None
    files: tuple[str, ...]


def content(path: Path) -> bytes:
    """What is in a file of a submission; nothing when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


class Modules:
    """The modules of one part of a submission."""

    def __init__(self, folder: Path, part: Part) -> None:
        self.folder = folder
        self.part = part
        self._loaded: dict[str, ModuleType] = {}
        self._provided: dict[str, dict[str, object]] = {}

    def has(self, stem: str) -> bool:
        return (self.folder / f"{stem}.py").is_file()

    def path(self, stem: str) -> str:
        """The file's name as the student knows it."""
        return f"{self.part.folder}/{stem}.py" if self.part.folder else f"{stem}.py"

    def provide(self, stem: str, **names: object) -> None:
        """Globals that the hand-out defines only under `if __name__ == "__main__"` (args, device …)."""
        self._provided.setdefault(stem, {}).update(names)

    def load(self, stem: str) -> ModuleType:
        """The module of that file. Raises Missing, or whatever the student's module raises while it is imported."""
        if stem in self._loaded:
            return self._loaded[stem]
        if not self.has(stem):
            raise Missing(f"{self.path(stem)} was not handed in")
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder(self.folder))
        module = self._import(stem)
        for name, value in self._provided.get(stem, {}).items():
            module.__dict__.setdefault(name, value)
        self._loaded[stem] = module
        return module

    def find(self, name: str, *stems: str) -> Any:
        """The object of that name in the first of those files that has it. Raises Missing."""
        failure: Exception | None = None
        for stem in stems:
            if not self.has(stem):
                continue
            try:
                module = self.load(stem)
            except Exception as error:
                failure = failure or error
                continue
            if name in module.__dict__:
                return module.__dict__[name]
        if failure is not None:
            raise failure
        present = [self.path(stem) for stem in stems if self.has(stem)]
        if present:
            raise Missing(f"{' or '.join(present)} has no {name}")
        raise Missing(f"{' or '.join(self.path(stem) for stem in stems)} was not handed in")

    def _import(self, stem: str) -> ModuleType:
        """Imports by path: a student's `utils` must not be taken for an installed package of that name."""
        if stem in sys.modules and getattr(sys.modules[stem], "__file__", None) == str(self.folder / f"{stem}.py"):
            return sys.modules[stem]
        spec = importlib.util.spec_from_file_location(stem, self.folder / f"{stem}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[stem] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(stem, None)
            raise
        return module


class _Finder:
    """Finds the student's own files first, as running a script beside them does, but never in place of Python's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or name in sys.stdlib_module_names:
            return None
        return PathFinder.find_spec(name, [self._folder])


class Package:
    """What a probe sees of a submission: one contract a part, built when it is first asked for."""

    def __init__(self, tree: Path, parts: Mapping[str, Part], contracts: Mapping[str, str]) -> None:
        self._tree = tree
        self._parts = parts
        self._contracts = contracts

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._parts:
            raise AttributeError(name)
        part = self._parts[name]
        folder = self._tree / name
        if not folder.is_dir():
            raise Missing(f"{part.folder or ' or '.join(part.files)} was not handed in")
        module, _, attribute = self._contracts[name].partition(":")
        contract: Callable[[Modules], Any] = getattr(importlib.import_module(module), attribute)
        instance = contract(Modules(folder, part))
        self.__dict__[name] = instance
        return instance
