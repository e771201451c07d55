"""Keep what was shown of a submission on the disk, so that it is shown again without a run.

Nothing is read through a link, and no file of a user who is not trusted.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from gengrade import records
from gengrade.atomic import write_whole
from gengrade.places import Owners, read_plain
from gengrade.room import answers
from gengrade.room.answers import Picture

_MOST_KEPT_BYTES: Final = 64 << 20  # of a picture on the disk
_T = TypeVar("_T")


class KeptFiles:
    """What is kept of one state of a submission: PNGs and JSON, in a folder of its own."""

    def __init__(self, folder: Path, key: str, owners: Owners) -> None:
        """`folder`: of the submission; `key`: names its state; `owners`: whose files are believed."""
        self._above = folder
        self._folder = folder / key
        self._owners = owners

    def write(self, name: str, data: bytes | str) -> None:
        """Keep a PNG or a JSON text under the name of its file."""
        write_whole(self._folder / name, data)

    def picture(self, name: str) -> Picture | None:
        """Return a picture that is kept, or None."""
        content = self._content(f"{name}.png")
        with suppress(ValueError):
            return None if content is None else answers.picture_from(content)
        return None

    def read(self, name: str, kind: type[_T]) -> _T | None:
        """Return a value of that type that is kept, or None."""
        content = self._content(f"{name}.json")
        with suppress(ValueError, TypeError):
            return None if content is None else records.loads(kind, content.decode())
        return None

    def _content(self, name: str) -> bytes | None:
        """Return a file's content, or None if there is none. Raises PlaceError for a link and for others' files."""
        path = self._folder / name
        try:
            self._owners.require(path, path.lstat())
            return read_plain(path, _MOST_KEPT_BYTES)
        except FileNotFoundError:
            return None

    def forget_others(self) -> None:
        """Remove what is kept of other states of the submission."""
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in self._above.iterdir():
                if path.name != self._folder.name and not path.is_symlink() and path.is_dir():
                    shutil.rmtree(path)
