"""Paths that strangers chose, made safe to create and to print; and the error that all bad input shares."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath

from gengrade.visible import visible

# Bytes of a relative path: with a folder of ours in front, and in a run's own, a system takes it (Linux up to 4,095).
LONGEST_PATH = 1_024


class InputError(ValueError):
    """Something that the operator handed to the harness cannot be used; `reason` says why and what to do."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        name = self.path.name or str(self.path) if isinstance(self.path, Path) else self.path
        return f"{printable(name)}: {self.reason}"


def from_here(path: Path) -> Path:
    """A path as a person in this folder would write it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


class Refused(ValueError):
    """A path that has no safe place; `reason` completes the sentence "left out, since it …"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def printable(text: str) -> str:
    """`text` with "_" for every character that cannot be seen, and for combining marks beyond a few on a letter."""
    return visible(text, "_")


def safe_name(name: str) -> str:
    """One path component in Unicode's composed form (NFC), without characters that hide or steer what is shown."""
    return printable(unicodedata.normalize("NFC", name))


def fold(name: str) -> str:
    """What a file system that ignores case and Unicode forms sees of a name: equal folds collide there."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def split(path: str) -> tuple[str, ...]:
    """The components of a relative path as an archive may write it ("a\\b" and "./a//b" are ("a", "b")).

    Raises Refused for one that is absolute, names a drive, or climbs by "..".
    """
    path = path.replace("\\", "/")
    if path.startswith("/") or path[1:2] == ":":
        raise Refused("has an absolute path")
    components = tuple(component for component in path.split("/") if component not in {"", "."})
    if ".." in components:
        raise Refused("climbs out of its folder with '..'")
    if not components:
        raise Refused("has no name")
    return components


class SafePaths:
    """Gives every foreign path a safe one of its own, the first spelling winning where two collide.

    Folders that differ only in case or Unicode form become one folder; files that do are refused, as is a second
    file of the same name and a file in the place of a folder.
    """

    def __init__(self, depth: int, name_bytes: int, path_bytes: int = LONGEST_PATH) -> None:
        self._depth = depth
        self._name_bytes = name_bytes
        self._path_bytes = path_bytes
        self._folders: dict[tuple[str, ...], PurePosixPath] = {(): PurePosixPath()}
        self._files: dict[tuple[str, ...], PurePosixPath] = {}

    def place(self, components: tuple[str, ...]) -> PurePosixPath:
        """The safe relative path for a file at `components`. Raises Refused."""
        names = tuple(safe_name(component) for component in components)
        if len(names) > self._depth:
            raise Refused(f"lies more than {self._depth} folders deep")
        if any(len(name.encode()) > self._name_bytes for name in names):
            raise Refused(f"has a name of more than {self._name_bytes} bytes")
        if len("/".join(names).encode()) > self._path_bytes:
            raise Refused(f"has a path of more than {self._path_bytes:,} bytes")
        keys = tuple(fold(name) for name in names)
        if keys in self._files or keys in self._folders:
            raise Refused("has the same name as another one, or differs only in case or Unicode form")
        path = self._folder(names[:-1], keys[:-1]) / names[-1]
        self._files[keys] = path
        return path

    def _folder(self, names: tuple[str, ...], keys: tuple[str, ...]) -> PurePosixPath:
        if keys in self._files:
            raise Refused("lies in a folder that has the name of a file")
        if keys not in self._folders:
            self._folders[keys] = self._folder(names[:-1], keys[:-1]) / names[-1]
        return self._folders[keys]
