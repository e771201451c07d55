"""The user's own cache folder, for what can be made again: data sets, and what our own code found out.

A file in it counts only if the operator's seal says that this operator wrote it, so that nobody can plant one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gengrade.places import lies_within

OURS: Final = "ours"  # the folder in it for runs of our own code that no class has to repeat
_OTHERS_PERMISSIONS: Final = 0o022


def cache_folder() -> Path:
    """Return the user's cache folder for this program, which may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "gengrade"


def folder_of_ours(foreign: Iterable[Path]) -> Path | None:
    """Return the folder for runs of our own code; None if it is not the operator's alone.

    foreign: folders of other people, such as submissions. A cache inside one of them is not used.
    """
    try:
        folder = cache_folder() / OURS
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.lstat()
    except (OSError, RuntimeError):  # no room, no rights, no home
        return None
    alone = state.st_uid == os.geteuid() and not state.st_mode & _OTHERS_PERMISSIONS and not folder.is_symlink()
    return folder if alone and not any(lies_within(folder, each) for each in foreign) else None
