"""Define a part of an assignment: the files that it asks for, and other names that these may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

MODULE: Final = ".py"
NOTEBOOK: Final = ".ipynb"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an assignment.

    folder: the name of the folder in which students hand the part in; None: its files may lie anywhere.
    files: the names of the files that it asks for. A notebook of the same name may replace any program.
    also: for each file, patterns of other names that it may have ("*vae*.py").
    beside: without a folder, whether everything beside the files belongs to the part as well (weights, helpers).
    libraries: whether any library may be used; otherwise teachers are shown imports of libraries that may do what the
        student was asked to write.
    """

    folder: str | None
    files: tuple[str, ...]
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: bool = False
    libraries: bool = False

    def called(self, file: str, names: Iterable[str]) -> list[str]:
        """Return those of `names` that a requested file may have: its own name first, then the patterns in order."""
        present = sorted(set(names))
        free = [name for name in present if name not in self.files]
        found = [name for name in _spellings(file) if name in present]
        for pattern in (each for other in self.also.get(file, ()) for each in _spellings(other)):
            found += [name for name in free if fnmatchcase(name.casefold(), pattern.casefold())]
        return list(dict.fromkeys(found))


def _spellings(file: str) -> tuple[str, ...]:
    """Return a file's name and, for a program, the name of the notebook that may replace it."""
    return (file, f"{file.removesuffix(MODULE)}{NOTEBOOK}") if file.endswith(MODULE) else (file,)
