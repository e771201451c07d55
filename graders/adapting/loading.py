"""Importing a student's files, one by one, whatever state they are in.

A part's folder becomes a `Modules`; a course's adapters ask it for names. Nothing is imported before it is asked for,
so that a file that does not parse spoils only what it holds. Where a file is asked for, a notebook of that name, or
either under another name that the part allows, is one too.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from gengrade.parts import MODULE, NOTEBOOK, Part
from gengrade.sandbox.guest.errors import Missing
from gengrade.sandbox.guest.settings import ENTRY

WISHES = "grading.yaml"  # in a submission: what its author calls things
_MOST_WISHED = 1 << 16  # bytes of such a file


def content(path: Path) -> bytes:
    """What is in a file of a submission; nothing when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


class Modules:
    """The modules of one part of a submission. `entry`: what the rubric says that things are called, by their role."""

    def __init__(self, folder: Path, part: Part, entry: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.part = part
        self._entry = dict(entry or {})
        self._loaded: dict[Path, ModuleType] = {}
        self._provided: dict[str, dict[str, object]] = {}

    def has(self, stem: str) -> bool:
        return bool(self.files(stem))

    def files(self, stem: str) -> list[Path]:
        """The programs and notebooks that are that file, the hand-out's own name first."""
        try:
            names = [name for name in os.listdir(self.folder) if name.endswith((MODULE, NOTEBOOK))]
        except OSError:
            return []
        found = self.part.called(f"{stem}{MODULE}", names)
        return [self.folder / name for name in found if (self.folder / name).is_file()]

    def path(self, stem: str) -> str:
        """The file's name as the student knows it."""
        return self._shown(next(iter(self.files(stem)), self.folder / f"{stem}{MODULE}"))

    def _shown(self, path: Path) -> str:
        return f"{self.part.folder}/{path.name}" if self.part.folder else path.name

    @cached_property
    def entry(self) -> dict[str, str]:
        """What things are called here, by their role: the student's own word first, then the rubric's.

        Raises ValueError for a grading.yaml that says it in another form.
        """
        return {**self._entry, **self.wishes("entry")}

    def wishes(self, section: str) -> dict[str, str]:
        """A section of the student's grading.yaml: names by role. Raises ValueError where it is anything else."""
        section_of = self._wishes.get(section)
        if section_of is None:
            return {}
        if not isinstance(section_of, dict) or not all(
            isinstance(text, str) for pair in section_of.items() for text in pair
        ):
            raise ValueError(f'{WISHES}: "{section}" should be a mapping of names, such as generator: MyGenerator')
        return section_of

    @cached_property
    def _wishes(self) -> dict[str, object]:
        import yaml  # by those courses only that ask for it

        text = content(self.folder / WISHES)[:_MOST_WISHED].decode("utf-8", "replace")
        try:
            wishes = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ValueError(f"{WISHES} cannot be read: {' '.join(str(error).split())[:300]}") from None
        if wishes is None:
            return {}
        if not isinstance(wishes, dict):
            raise ValueError(f'{WISHES} should hold "entry:" and below it names, such as generator: MyGenerator')
        return wishes

    def provide(self, stem: str, **names: object) -> None:
        """Globals that the hand-out defines only under `if __name__ == "__main__"` (args, device …)."""
        self._provided.setdefault(stem, {}).update(names)

    def load(self, stem: str) -> ModuleType:
        """The module of that file. Raises Missing, or whatever the student's module raises while it is imported.

        Of a notebook, the imports, definitions and constants of its cells: see `graders.adapting.notebooks`.
        """
        for path in self.files(stem):
            return self._load(stem, path)
        raise Missing(f"{self.path(stem)} was not handed in")

    def each(self, stem: str) -> list[ModuleType]:
        """The modules of all files that may be that one. Raises Missing, or what the first raised if none loads."""
        loaded, failure = [], None
        for path in self.files(stem):
            try:
                loaded.append(self._load(stem, path))
            except Exception as error:
                failure = failure or error
        if not loaded:
            raise failure or Missing(f"{self.path(stem)} was not handed in")
        return loaded

    def _load(self, stem: str, path: Path) -> ModuleType:
        if path in self._loaded:
            return self._loaded[path]
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder(self.folder))
        module = self._import(stem, path)
        for name, value in self._provided.get(stem, {}).items():
            module.__dict__.setdefault(name, value)
        self._loaded[path] = module
        return module

    def find(self, name: str, *stems: str) -> Any:
        """The object of that name in the first of those files that has it. Raises Missing."""
        failure: Exception | None = None
        for stem, path in self._all(stems):
            try:
                module = self._load(stem, path)
            except Exception as error:
                failure = failure or error
                continue
            if name in module.__dict__:
                return module.__dict__[name]
            failure = failure or _why_absent(module, name)
        if failure is not None:
            raise failure
        present = [self._shown(path) for _, path in self._all(stems)]
        if present:
            raise Missing(f"{' or '.join(present)} has no {name}")
        raise Missing(f"{' or '.join(self.path(stem) for stem in stems)} was not handed in")

    def _all(self, stems: Sequence[str]) -> Iterator[tuple[str, Path]]:
        return ((stem, path) for stem in stems for path in self.files(stem))

    def _import(self, stem: str, path: Path) -> ModuleType:
        """Imports by path: a student's `utils` must not be taken for an installed package of that name."""
        if path.suffix == NOTEBOOK:
            from graders.adapting import notebooks

            return notebooks.load(path, self._provided.get(stem, {}))
        # Under its own name, so that other files find it; unless that is a library's, or another file's.
        own = stem if path.stem in sys.modules else path.stem
        for name in (path.stem, stem):
            if getattr(sys.modules.get(name), "__file__", None) == str(path):
                return sys.modules[name]
        spec = importlib.util.spec_from_file_location(own, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        module.__dict__.update(self._provided.get(stem, {}))  # some are needed by what the file does at its top
        sys.modules[own] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(own, None)
            raise
        return module


def _why_absent(module: ModuleType, name: str) -> Exception | None:
    """What went wrong where a notebook defines that name."""
    if "__failed__" not in module.__dict__:
        return None
    from graders.adapting import notebooks

    return notebooks.why(module, name)


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
        instance = contract(Modules(folder, part, self._entry()))
        self.__dict__[name] = instance
        return instance

    def _entry(self) -> dict[str, str]:
        """The rubric's `entry`, which the host wrote beside the parts."""
        written = content(self._tree / ENTRY)
        entry: dict[str, str] = json.loads(written) if written else {}
        return entry
