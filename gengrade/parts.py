"""Define a part of an assignment: the files that it asks for, and other names that these may have."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Final

MODULE: Final = ".py"
NOTEBOOK: Final = ".ipynb"
# What browsers, desktops and Jupyter add to the name of a copy: "a (1)", "a-Copy1", "a - Copy (2)", "Copy of a".
_COPY: Final = re.compile(r"^(?:copy of|kopie van|kopie von) |(?:[-_ ]+(?:copy|kopie) ?\d*)? ?(?:\(\d+\))?$", re.I)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an assignment.

    folder: the name of the folder in which students hand the part in; None: its files may lie anywhere.
    files: the names of the files that it asks for. A notebook of the same name may replace any program.
    also: for each file, patterns of other names that it may have ("*vae*.py").
    beside: without a folder, whether everything beside the files belongs to the part as well (weights, helpers).
    whole: without a folder, whether all files of the submission belong to the part, in their own folders, as where each
        lab of an assignment has a folder of its own, under any name. Any program or notebook counts as handed in.
    never: without a folder, patterns of names of files and folders that are left out: the course's own solutions, which
        lie beside students' work.
    libraries: whether any library may be used; otherwise teachers are shown imports of libraries that may do what the
        student was asked to write.
    """

    folder: str | None
    files: tuple[str, ...]
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: bool = False
    libraries: bool = False
    whole: bool = False
    never: tuple[str, ...] = ()

    def called(self, file: str, names: Collection[str]) -> list[str]:
        """Return those of `names` that a requested file may have.

        Its own name comes first, then that in other letters or of a copy, then the patterns in order. A copy counts
        only where the file that it is a copy of is absent.
        """
        present = sorted(set(names) - copies(names))
        free = [name for name in present if name not in self.files]
        found = [name for name in _spellings(file) if name in present]
        found += [name for each in _spellings(file) for name in free if uncopied(name).casefold() == each.casefold()]
        for pattern in (each for other in self.also.get(file, ()) for each in _spellings(other)):
            found += [name for name in free if fnmatchcase(name.casefold(), pattern.casefold())]
        return list(dict.fromkeys(found))

    def leaves_out(self, path: PurePosixPath) -> bool:
        """Return whether a path, or a folder in it, has a name that is left out."""
        return any(fnmatchcase(name.casefold(), each.casefold()) for name in path.parts for each in self.never)


def _spellings(file: str) -> tuple[str, ...]:
    """Return a file's name and, for a program, the name of the notebook that may replace it."""
    return (file, f"{file.removesuffix(MODULE)}{NOTEBOOK}") if file.endswith(MODULE) else (file,)


def uncopied(name: str) -> str:
    """Return the name of the file that a file is a copy of, by its name; the name itself if it is no copy."""
    stem, dot, suffix = name.rpartition(".")
    while dot and (shorter := _COPY.sub("", stem)) and shorter != stem:
        stem = shorter
    return f"{stem}{dot}{suffix}"


def copies(names: Collection[str]) -> set[str]:
    """Return those of some names in one folder that are copies of others among them."""
    folded = {name.casefold() for name in names}
    return {name for name in names if uncopied(name) != name and uncopied(name).casefold() in folded}


def part_of(check: str, parts: Mapping[str, Part]) -> str | None:
    """Return the part of a course that a check is about: its family's name begins with the part's. None: there is none.

    A part that has exactly the family's name goes before others.
    """
    family = check.partition(".")[0]
    return family if family in parts else next((part for part in parts if family.startswith(part)), None)
