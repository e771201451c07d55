"""Watch a student's folder for files that are saved, and say which part of the assignment they belong to."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from gengrade.parts import Part, part_of

_LOOK_SECONDS: Final = 0.25  # between two looks, at least
_SETTLE_SECONDS: Final = 0.1  # without a change, after which a file counts as saved: editors write in several steps
_MOST_SHARE: Final = 0.2  # of the time for looks, however large the folder is
_MOST_FILES: Final = 20_000
_IGNORED: Final = ("__pycache__", "node_modules", "venv")  # and all hidden folders

State = Mapping[str, tuple[int, int, int]]  # by path in the folder: time of modification, size and inode


def saved(
    root: Path, without: Path, sleep: Callable[[float], None] = time.sleep, look: Callable[[], State] | None = None
) -> Iterator[tuple[str, ...]]:
    """Return an iterator over the paths that were changed, added or removed since the last time, or since this call.

    Each item is what there is then, at least one path. A change that is made while the caller is busy comes next.

    root: the folder, or an archive, whose path is "" then.
    without: a folder that is not looked at, since the caller writes there.
    sleep: waits for so many seconds.
    look: returns the present state; None: that of the files beneath `root`.
    """
    look = look or (lambda: _state(root, without.resolve()))
    return _changes(look(), look, sleep)


def _changes(before: State, look: Callable[[], State], sleep: Callable[[float], None]) -> Iterator[tuple[str, ...]]:
    while True:
        began = time.monotonic()
        now = look()
        took = time.monotonic() - began
        if now == before:
            sleep(max(_LOOK_SECONDS, took / _MOST_SHARE))
            continue
        sleep(_SETTLE_SECONDS)
        while (later := look()) != now:
            now = later
            sleep(_SETTLE_SECONDS)
        changed = tuple(sorted(name for name in {*before, *now} if before.get(name) != now.get(name)))
        before = now
        if changed:  # else an editor has put back what it had moved away
            yield changed


def families_of(names: Iterable[str], families: Collection[str], parts: Mapping[str, Part]) -> set[str]:
    """Return the families of checks that some files are about: all of them if one file may belong to any.

    names: the files' paths in the submission.
    families: the first words of the checks' names, which begin with the key of their part.
    parts: the course's, by key.
    """
    found: set[str] = set()
    for name in names:
        path = PurePosixPath(name)
        keys = [key for key, part in parts.items() if _holds(part, path)]
        if not keys:
            return set(families)
        found |= {family for family in families if part_of(family, parts) in keys}
    return found


def _holds(part: Part, path: PurePosixPath) -> bool:
    if part.folder is not None:
        return part.folder in path.parts[:-1]
    return any(part.called(file, [path.name]) for file in part.files)


def _state(root: Path, without: Path) -> State:
    if not root.is_dir():
        return dict(_seen(root, ""))
    found: dict[str, tuple[int, int, int]] = {}
    for folder, inner, names in os.walk(root):
        inner[:] = [
            each
            for each in inner
            if not each.startswith(".") and each not in _IGNORED and Path(folder, each).resolve() != without
        ]
        for name in names:
            path = Path(folder, name)
            found.update(_seen(path, path.relative_to(root).as_posix()))
        if len(found) > _MOST_FILES:
            break
    return found


def _seen(path: Path, name: str) -> Iterator[tuple[str, tuple[int, int, int]]]:
    try:
        state = path.lstat()
    except OSError:
        return  # it was removed meanwhile
    if stat.S_ISREG(state.st_mode):
        yield name, (state.st_mtime_ns, state.st_size, state.st_ino)
