"""Imports a student's files one by one, even if some of them are broken.

A `Modules` stands for the folder of one part; a course's adapters ask it for names. A file is imported when it is first
asked for, so that a file that does not parse only affects the names that it defines. A notebook may stand in for a
file, and both may have other names that the part allows.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from gengrade.parts import MODULE, NOTEBOOK, Part, uncopied
from gengrade.sandbox.guest.errors import FAILED, Missing, Undefined, behind
from gengrade.sandbox.guest.marimo import lifted
from gengrade.sandbox.guest.settings import ENTRY
from graders.adapting import notebooks, programs
from graders.adapting.devices import replace_devices

WISHES = "grading.yaml"  # a file in a submission by which its author says what things are called
_MOST_SEARCHED = 100  # programs of a part in which a name is looked for
_MOST_LISTED = 6  # programs in a message
_MOST_WISHED = 1 << 16  # most bytes of such a file that are read


def content(path: Path) -> bytes:
    """Return the content of a file of a submission; empty if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


class Modules:
    """The modules of one part of a submission.

    `entry` holds the names of things by their role, from the rubric; `others` the folders of the other parts, by the
    names that the hand-out gives them; `foreign` the other parts themselves.
    """

    def __init__(
        self,
        folder: Path,
        part: Part,
        entry: Mapping[str, str] | None = None,
        others: Mapping[str, Path] | None = None,
        foreign: Sequence[Part] = (),
    ) -> None:
        self.folder = folder
        self.part = part
        self._others = dict(others or {})
        self._foreign = foreign
        self._entry = dict(entry or {})
        self._loaded: dict[Path, ModuleType] = {}
        self._provided: dict[str, dict[str, object]] = {}

    def has(self, stem: str) -> bool:
        """Return whether that file was handed in."""
        return bool(self.files(stem))

    def files(self, stem: str) -> list[Path]:
        """Return the programs and notebooks that stand for that file, the one with the hand-out's name first."""
        found = self.part.called(f"{stem}{MODULE}", self._programs())
        return [self.folder / name for name in found if (self.folder / name).is_file()]

    def _programs(self) -> list[str]:
        """Return the names of all programs and notebooks directly in the part's folder."""
        with suppress(OSError):
            return sorted(name for name in os.listdir(self.folder) if name.lower().endswith((MODULE, NOTEBOOK)))
        return []

    def path(self, stem: str) -> str:
        """Return the file's name as the student knows it."""
        return self._shown(next(iter(self.files(stem)), self.folder / f"{stem}{MODULE}"))

    def _shown(self, path: Path) -> str:
        return f"{self.part.folder}/{path.name}" if self.part.folder else path.name

    @cached_property
    def entry(self) -> dict[str, str]:
        """The names of things by their role, from the student's grading.yaml or else from the rubric.

        Raises ValueError if grading.yaml has another form.
        """
        return {**self._entry, **self.wishes("entry")}

    def wishes(self, section: str) -> dict[str, str]:
        """Return a section of the student's grading.yaml, which holds names by role.

        Raises ValueError for any other form.
        """
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
        import yaml  # only some courses need it

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
        """Add globals to a file that the hand-out only defines under `if __name__ == "__main__"`, such as args."""
        self._provided.setdefault(stem, {}).update(names)

    def load(self, stem: str) -> ModuleType:
        """Return the module of that file. Raises Missing, or whatever the student's module raises while it is imported.

        For a notebook, it has the imports, definitions and constants of the cells: see `graders.adapting.notebooks`.
        """
        for path in self.files(stem):
            return self._load(stem, path)
        raise self._not_handed_in([stem])

    def each(self, stem: str) -> list[ModuleType]:
        """Return the modules of all files that may stand for that one.

        Raises Missing, or the first error if none loads.
        """
        loaded, failure = [], None
        for path in self.files(stem):
            try:
                loaded.append(self._load(stem, path))
            except Exception as error:
                failure = failure or error
        if not loaded:
            raise failure or self._not_handed_in([stem])
        return loaded

    def offer(self) -> None:
        """Let imports find the part's files before installed packages."""
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            packages = {self.part.folder: self.folder} if self.part.folder else {}
            sys.meta_path.insert(0, _Finder(self.folder, {**self._others, **packages}))
            sys.meta_path.append(_Elsewhere(list(self._others.values()), self.part.files))

    def _load(self, stem: str, path: Path) -> ModuleType:
        if path in self._loaded:
            return self._loaded[path]
        self.offer()
        module = self._import(stem, path)
        for name, value in self._provided.get(stem, {}).items():
            if _is_placeholder(module.__dict__.get(name)):
                module.__dict__[name] = value
        self._loaded[path] = module
        return module

    def find(self, name: str, *stems: str) -> Any:
        """Return the object of that name in the first of those files that has it.

        Raises Missing if there is none, or what a file raised while it was imported.
        """
        failure: Exception | None = None
        for stem, path in self._all(stems):
            try:
                module = self._load(stem, path)
            except Exception as error:
                failure = failure or error
                continue
            if name in module.__dict__ or _is_made(module, name):
                return module.__dict__[name]
            failure = failure or _why_absent(module, name)
        elsewhere = self._defining(name) if failure is None else None
        if elsewhere is not None:
            return vars(self._load(elsewhere.stem, elsewhere))[name]
        raise failure or self._not_defined(name, stems)

    def find_exchanged(self, name: str, stem: str, other: str) -> Any:
        """Return the object of that name in a file, or else in another part's, since students exchange two files.

        For names that only one of the two parts has. Raises what `find` raises for the first file.
        """
        try:
            return self.find(name, stem)
        except Missing as missing:
            try:
                return self.find(name, other)
            except Exception:
                raise missing from None

    def _defining(self, name: str) -> Path | None:
        """Return the only program of a part, under any name, that defines this function or class at top level."""
        programs = sorted(path for path in self.folder.rglob(f"*{MODULE}") if path not in self._loaded)
        found = [path for path in programs[:_MOST_SEARCHED] if defines(content(path), name)]
        own = [path for path in found if not any(_asks_for(part, path.name) for part in self._foreign)]
        return own[0] if len(own) == 1 else None

    def _not_defined(self, name: str, stems: Sequence[str]) -> Exception:
        """Return the error for a name that no file has: it names the file that should have it if that is absent."""
        present = dict.fromkeys(self._shown(path) for _, path in self._all(stems))
        if not present:
            return self._not_handed_in(stems)
        said = f"{' or '.join(present)} has no {name}"
        if f"{stems[0]}{MODULE}" in self.part.files and not self.has(stems[0]):
            return Missing(f"{self.path(stems[0])} was not handed in, and {said}")
        failed = [vars(self._loaded[path]).get(FAILED, {}) for _, path in self._all(stems) if path in self._loaded]
        return next(filter(None, (behind(each, name) for each in failed)), None) or Undefined(said)

    def _not_handed_in(self, stems: Sequence[str]) -> Missing:
        """Return the error for files that are absent, with the programs that lie there instead."""
        names = self._programs()
        listed = ", ".join(names[:_MOST_LISTED]) + (" …" if len(names) > _MOST_LISTED else "")
        instead = f"; {self.part.folder or 'the submission'} holds {listed}" if names else ""
        return Missing(f"{' or '.join(dict.fromkeys(map(self.path, stems)))} was not handed in{instead}")

    def _all(self, stems: Sequence[str]) -> Iterator[tuple[str, Path]]:
        return ((stem, path) for stem in stems for path in self.files(stem))

    def _import(self, stem: str, path: Path) -> ModuleType:
        """Import a file by its path, since a student's `utils` must not be mistaken for an installed package."""
        if path.suffix.lower() == NOTEBOOK:
            return notebooks.load(path, self._provided.get(stem, {}))
        # The module gets the file's own name, so that other files find it, unless another module has that name.
        own = stem if path.stem in sys.modules or _is_alike(path.name, stem) else path.stem
        for name in (path.stem, stem):
            if getattr(sys.modules.get(name), "__file__", None) == str(path):
                return sys.modules[name]
        spec = _spec(own, path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        provided = self._provided.get(stem, {})
        lines = {id(value): value for value in provided.values() if isinstance(value, Namespace)}
        own_options = vars(programs.options(content(path))) if lines else {}
        for line in lines.values():  # the options of the command line, of which the student may have more
            vars(line).update({**own_options, **vars(line)})
        module.__dict__.update(provided)  # the file's top level may need some of them
        sys.modules[own] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(own, None)
            raise
        return module


def _asks_for(part: Part, name: str) -> bool:
    return any(part.called(file, [name]) for file in part.files)


@cache
def defines(source: bytes, name: str) -> bool:
    """Return whether a program defines a function or a class of that name at its top level, or in a marimo cell."""
    if name.encode() not in source:
        return False
    try:
        body = lifted(ast.parse(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name for node in body)


def _is_placeholder(value: object) -> bool:
    """Return whether a program that fills a global in its main block may have set it to this before: `ARGS = None`."""
    return value is None or (isinstance(value, dict | list | tuple | Namespace) and value in ({}, [], (), Namespace()))


def _is_made(module: ModuleType, name: str) -> bool:
    """Return whether a function of the student's makes that name, which has then been done."""
    return FAILED in module.__dict__ and notebooks.make(module, name)


def _why_absent(module: ModuleType, name: str) -> Exception | None:
    """Return the error that kept a file from defining that name; None if it does not define it."""
    if FAILED not in module.__dict__:
        return None
    return notebooks.why(module, name) or module.__dict__.get(programs.ENDED)


class _Finder(MetaPathFinder):
    """Finds the student's files before installed packages, as for a script, but after the standard library.

    If no program has exactly that name, the name may be in other letters or be that of a copy ("utils (1).py"). A
    notebook can be imported, too: `%run` of one becomes an import.
    """

    def __init__(self, folder: Path, packages: Mapping[str, Path]) -> None:
        self._folder = folder
        self._packages = packages  # the folders of all parts, by their names in the hand-out

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or fullname in sys.stdlib_module_names:
            return None
        if fullname in self._packages:
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(self._packages[fullname])]
            return spec
        found = PathFinder.find_spec(fullname, [str(self._folder)])
        if found is not None and found.origin is not None and found.submodule_search_locations is None:
            return _spec(fullname, Path(found.origin)) if found.origin.endswith(MODULE) else found
        if found is not None and found.loader is not None:
            return found  # a package
        alike = (name for name in sorted(os.listdir(self._folder)) if _is_alike(name, fullname))
        return next((_spec(fullname, self._folder / name) for name in alike), found)


class _Elsewhere(MetaPathFinder):
    """Finds programs in the folders of other parts, after everything else: their authors may have one copy of them.

    A file that the part itself asks for is not one of them: another part's file of that name holds something else.
    """

    def __init__(self, folders: Sequence[Path], asked: Collection[str]) -> None:
        self._folders = folders
        self._asked = asked

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or f"{fullname}{MODULE}" in self._asked:
            return None
        files = (folder / f"{fullname}{MODULE}" for folder in self._folders)
        return next((_spec(fullname, file) for file in files if file.is_file()), None)


def _is_alike(file: str, module: str) -> bool:
    """Return whether a file's name is that of a module but for the case of letters, or that of a copy of its file."""
    stem, _, suffix = uncopied(file).rpartition(".")
    return stem.casefold() == module.casefold() and f".{suffix.lower()}" in {MODULE, NOTEBOOK}


def _spec(module: str, path: Path) -> ModuleSpec | None:
    loader: Loader = _ProgramLoader(module, str(path)) if path.suffix.lower() == MODULE else _NotebookLoader(path)
    return spec_from_file_location(module, path, loader=loader)


class _ProgramLoader(SourceFileLoader):
    """Runs a program, and continues where a part of it fails."""

    def exec_module(self, module: ModuleType) -> None:
        programs.run(module, Path(self.path))


class _NotebookLoader(Loader):
    """Fills a module with what a notebook defines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exec_module(self, module: ModuleType) -> None:
        names = vars(notebooks.load(self._path))
        module.__dict__.update({name: value for name, value in names.items() if not name.startswith("__")})


class Package:
    """The submission as a probe sees it: one adapter for each part, created when it is first asked for."""

    def __init__(self, tree: Path, parts: Mapping[str, Part], contracts: Mapping[str, str]) -> None:
        self._tree = tree
        self._parts = parts
        self._contracts = contracts

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._parts:
            raise AttributeError(name)
        modules = modules_of(self, name)
        module, _, attribute = self._contracts[name].partition(":")
        contract: Callable[[Modules], Any] = getattr(importlib.import_module(module), attribute)
        instance = contract(modules)
        self.__dict__[name] = instance
        return instance

    def _entry(self) -> dict[str, str]:
        """Return the rubric's `entry`, which the host wrote beside the parts."""
        written = content(self._tree / ENTRY)
        entry: dict[str, str] = json.loads(written) if written else {}
        return entry


def modules_of(package: Package, name: str) -> Modules:
    """Return the modules of one part, in whose folder this process works from now on. Raises Missing."""
    part = package._parts[name]
    folder = package._tree / name
    if not folder.is_dir():
        raise Missing(f"{part.folder or ' or '.join(part.files)} was not handed in")
    os.chdir(folder)  # programs find what lies beside them, as for their author
    if part.files:  # documents, which are only read, ask for none
        replace_devices(folder)
    foreign = {key: other for key, other in package._parts.items() if key != name}
    named = {other.folder: package._tree / key for key, other in foreign.items() if other.folder}
    others = {each: place for each, place in named.items() if place.is_dir()}
    return Modules(folder, part, package._entry(), others, list(foreign.values()))
