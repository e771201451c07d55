"""Atomic file writing: a killed run leaves the old file or the new one, and never a half-written one."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from gengrade.places import folder_for

# The errors of a disk, a quota or a limit that is full, and of a disk that became read-only.
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
_ROOM_BYTES: Final = 1 << 20


def write_whole(path: Path, data: bytes | str, mode: int = 0o644) -> None:
    """Replace the file at `path` by `data` (text as UTF-8) in one step, and make its folder when it is missing.

    The data are on disk before the name points to them: a reader, or a power cut, meets the old file or the new one.
    mode: the permissions of the file.

    Raises PlaceError for a folder that is a link: it would lead out of the results.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    temporary = f".{path.name[:40]}.{secrets.token_hex(8)}.tmp"
    with folder_for(path) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise


def require_room(folder: Path) -> None:
    """Raise OSError when not even a small file can be written to the folder."""
    path = folder / "room"
    write_whole(path, bytes(_ROOM_BYTES))
    path.unlink()
