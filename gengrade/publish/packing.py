"""Pack files into archives that depend on nothing but the files: not on the time, nor on who packs them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Final

_PLAIN_FILE: Final = 0o644


def zipped(members: Mapping[str, bytes], programs: tuple[str, ...] = ()) -> bytes:
    """Return a zip of these files, by their names. `programs`: the names of those that may be executed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(members.items()):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if name in programs else _PLAIN_FILE) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def tarred(members: Mapping[str, bytes], *, packed: bool) -> bytes:
    """Return a tar of these files, by their names; compressed by gzip, if `packed`."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), _PLAIN_FILE
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(file.getvalue(), mtime=0) if packed else file.getvalue()
