"""Finds the labs among a submission's programs and notebooks, whatever their authors called files and folders.

A lab is one file, such as `lab_one.ipynb` or `lab_1 (3).py`, or a folder of modules, such as `lab3/common.py`. Files
whose path names no lab may belong to any. The labs of one submission share names: lab two brings right answers to what
lab one asks for. So a name is looked for in the files of its own lab, and then in those of no lab, but nowhere else.
For lab one, the latter are those that its own files import, or all of them if its answers stand there.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from gengrade.parts import MODULE, NOTEBOOK, Part
from gengrade.sandbox.guest.errors import Missing, Undefined
from graders.adapting.loading import Modules, content

NUMBERS: Final = {"one": "1", "two": "2", "three": "3"}
_LAB: Final = re.compile(r"lab[\W_]*(one|two|three|0?[123](?!\d))", re.I)
_ONLY_IN_LAB_ONE: Final = re.compile(rb"class (BrownianMotion|OUProcess)\b")  # later labs bring its other answers
_IMPORT: Final = re.compile(
    rb"\b(?:from|import)[ \t]+(?:[^\n\\\"(]|\([^)\"]*\))+"
)  # in programs, and in a notebook's lines
_WORD: Final = re.compile(rb"\w+")
_MOST_LISTED: Final = 6  # files in a message
_MOST_FILES: Final = 200  # programs and notebooks that are looked at


class Labs:
    """The labs of a submission. A lab is named by its number in words: "one", "two" or "three"."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._opened: dict[Path, Modules] = {}

    def find(self, lab: str, name: str) -> Any:
        """Return the object of that name in a lab. Raises Missing, or what a file raised while it was imported."""
        failure: Exception | None = None
        paths = self.files(lab)
        for path in paths:
            try:
                return self._open(path).find(name, path.stem)
            except Missing as error:
                failure = error if failure is None or type(failure) is Undefined else failure
            except Exception as error:  # a file that does not run may have been meant to define it
                failure = error if failure is None or isinstance(failure, Missing) else failure
        if type(failure) is Undefined and len(paths) > 1:
            raise Undefined(f"none of your {len(paths)} files for lab {lab} defines {name}: {self._listed(paths)}")
        raise failure or Missing(f"lab {lab} was not handed in: there is no notebook or program of it")

    def _listed(self, paths: Sequence[Path]) -> str:
        """Return the paths of files for a message, the first of them if there are many."""
        names = [path.relative_to(self._modules.folder).as_posix() for path in paths]
        return ", ".join(names[:_MOST_LISTED]) + (" …" if len(names) > _MOST_LISTED else "")

    def files(self, lab: str) -> list[Path]:
        """Return the programs and notebooks of a lab, then those whose path names no lab; short names come first.

        Of the latter, lab one has only those that its own files import, unless one of them is an answer to lab one:
        other labs bring the integrators with them.
        """
        top = self._modules.folder
        paths = sorted(
            (path for path in top.rglob("*") if path.suffix.lower() in (MODULE, NOTEBOOK) and path.is_file()),
            key=lambda path: (len(path.relative_to(top).parts), len(path.name), path.as_posix()),
        )[:_MOST_FILES]
        named = {path: labs_of(path.relative_to(top)) for path in paths}
        own, others = [path for path in paths if lab in named[path]], [path for path in paths if not named[path]]
        if lab == "one" and not any(_ONLY_IN_LAB_ONE.search(content(path)) for path in others):
            return own + _imported(own, others)
        return own + others

    def _open(self, path: Path) -> Modules:
        """Return the modules of a file's folder, which becomes the working folder, as for the file's author."""
        if path not in self._opened:
            top = self._modules.folder
            others = Part(None, tuple(each.name for each in path.parent.glob("*") if each != path) or ("-",))
            self._opened[path] = Modules(path.parent, Part(None, (f"{path.stem}{MODULE}",)), foreign=[others])
            for folder in (path.parent, *path.parent.parents):
                if folder.is_relative_to(top) and str(folder) not in sys.path:
                    sys.path.append(str(folder))  # modules of a lab import each other by their paths in it
            os.chdir(path.parent)
        return self._opened[path]


def _imported(own: Sequence[Path], others: Sequence[Path]) -> list[Path]:
    """Return those of the other files that a file of a lab's own imports, or that a file which it imports does."""
    found: list[Path] = []
    waiting = list(own)
    while waiting:
        said = {word.decode() for line in _IMPORT.findall(content(waiting.pop())) for word in _WORD.findall(line)}
        new = [path for path in others if _module_name(path) in said and path not in found]
        found += new
        waiting += new
    return [path for path in others if path in found]


def _module_name(path: Path) -> str:
    """Return the name by which a file is imported: that of its folder, if it stands for a package."""
    return path.parent.name if path.stem == "__init__" else path.stem


def labs_of(path: Path) -> frozenset[str]:
    """Return the labs that a path names, by the innermost folder or file that names any; none if there is none."""
    for component in reversed(path.parts):
        said = {found.lower().lstrip("0") for found in _LAB.findall(component)}
        if said:
            return frozenset(word for word, digit in NUMBERS.items() if said & {word, digit})
    return frozenset()
