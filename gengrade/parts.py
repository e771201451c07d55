"""A part of an assignment: which files are asked for, and under which other names they may come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

MODULE: Final = ".py"
NOTEBOOK: Final = ".ipynb"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an assignment: the folder it is handed in as (None: files anywhere), and the files asked for.

    `also`: by file, patterns of other names that it may have ("*vae*.py"). A notebook may stand for any program.
    `libraries`: whether any may be used; else teachers are shown those that do what may have been asked for.
    `beside`: where files may lie anywhere, what lies beside them belongs to the part as well (weights, helpers).
    """

    folder: str | None
    files: tuple[str, ...]
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: bool = False
    libraries: bool = False

    def called(self, file: str, names: Iterable[str]) -> list[str]:
        """Those `names` that a file asked for may have, its own first, then in the order of the patterns."""
        present = sorted(set(names))
        free = [name for name in present if name not in self.files]
        found = [name for name in _spellings(file) if name in present]
        for pattern in (each for other in self.also.get(file, ()) for each in _spellings(other)):
            found += [name for name in free if fnmatchcase(name.casefold(), pattern.casefold())]
        return list(dict.fromkeys(found))


def _spellings(file: str) -> tuple[str, ...]:
    """A program, and the notebook that may stand for it."""
    return (file, f"{file.removesuffix(MODULE)}{NOTEBOOK}") if file.endswith(MODULE) else (file,)
