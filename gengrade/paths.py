"""Make untrusted paths safe to create and to print, and define the error for all unusable input."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath

from gengrade.visible import visible

# The longest relative path, in bytes. Linux allows 4,095, which leaves room for the folders that it is copied into.
LONGEST_PATH = 1_024


class InputError(ValueError):
    """A file or folder that was given to the harness cannot be used; `reason` says why and what to do."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        name = self.path.name or str(self.path) if isinstance(self.path, Path) else self.path
        return f"{printable(name)}: {self.reason}"


def from_here(path: Path) -> Path:
    """Return a path relative to the working folder if it lies inside that folder, otherwise unchanged."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


class Refused(ValueError):
    """An untrusted path cannot be made safe; `reason` completes the sentence "left out, since it …"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def printable(text: str) -> str:
    """Return the text with "_" for every invisible character, and for combining marks beyond four on a letter."""
    return visible(text, "_")


def safe_name(name: str) -> str:
    """Return one path component in Unicode's composed form (NFC), with "_" for invisible characters."""
    return printable(unicodedata.normalize("NFC", name))


def fold(name: str) -> str:
    """Return a key of a name: names with equal keys collide on a file system that ignores case and Unicode form."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def split(path: str) -> tuple[str, ...]:
    """Return the components of a relative path from an archive: ("a", "b") for "a\\b" and for "./a//b".

    Raises Refused for a path that is empty or absolute, names a drive, or contains "..".
    """
    path = path.replace("\\", "/")
    if path.startswith("/") or path[1:2] == ":":
        raise Refused("has an absolute path")
    components = tuple(component for component in path.split("/") if component not in {"", "."})
    if ".." in components:
        raise Refused("has '..' in its path")
    if not components:
        raise Refused("has no name")
    return components


class SafePaths:
    """Maps untrusted paths to safe ones, each to a different one.

    Folders that differ only in case or Unicode form become one folder, named as the first of them. A file is refused
    when its path equals an earlier one, differs from it only in case or Unicode form, or is that of a folder.
    """

    def __init__(self, depth: int, name_bytes: int, path_bytes: int = LONGEST_PATH) -> None:
        self._depth = depth
        self._name_bytes = name_bytes
        self._path_bytes = path_bytes
        self._folders: dict[tuple[str, ...], PurePosixPath] = {(): PurePosixPath()}
        self._files: dict[tuple[str, ...], PurePosixPath] = {}

    @property
    def folders(self) -> int:
        """The number of folders that the files so far lie in, without the one that holds everything."""
        return len(self._folders) - 1

    def place(self, components: tuple[str, ...]) -> PurePosixPath:
        """Return the safe relative path for a file with these path components. Raises Refused."""
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
            raise Refused("lies in a folder whose path is that of a file")
        if keys not in self._folders:
            self._folders[keys] = self._folder(names[:-1], keys[:-1]) / names[-1]
        return self._folders[keys]
