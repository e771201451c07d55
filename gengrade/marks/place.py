"""Refuse folders in which a database is not safe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from gengrade.paths import InputError

# File systems on other machines. SQLite's locks and shared memory do not work on them: files were left empty there.
_REMOTE: Final = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ncpfs", "davfs", "fuse.davfs2", "fuse.sshfs"),
        *(
            "ceph",
            "lustre",
            "gpfs",
            "beegfs",
            "glusterfs",
            "fuse.glusterfs",
            "fuse.s3fs",
            "fuse.rclone",
            "fuse.gcsfuse",
        ),
        *("vboxsf", "vmhgfs", "fuse.vmhgfs-fuse", "prl_fs"),  # folders of the machine around a virtual one
    )
)
_MOUNTS: Final = Path("/proc/self/mountinfo")


def require_local(folder: Path, error: type[InputError]) -> None:
    """Raise an error if the folder lies on a network drive, as far as the system tells."""
    kind = _file_system(folder)
    if kind in _REMOTE or kind == "drvfs":
        reason = (
            f"marks cannot be kept on a network drive ({kind}), where writing at the same time destroys them: "
            "give --out a folder on a disk of this machine"
        )
        raise error(folder, reason)


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds the folder; "" if it is unknown."""
    try:
        lines = _MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""  # not Linux
    path = os.path.realpath(folder)
    found = ("", "")  # the longest mount point above the folder; of several on one point, the last is on top
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = _unescaped(fields.split()[4])
        kind, _, options = rest.partition(" ")
        if (path == point or path.startswith(f"{point.rstrip('/')}/")) and len(point) >= len(found[0]):
            # Windows' drives under its Subsystem for Linux have the type "9p", as local disks of virtual machines have.
            found = (point, "drvfs" if kind == "9p" and "drvfs" in options else kind)
    return found[1]


def _unescaped(point: str) -> str:
    """Return a path of the kernel's list, in which spaces and backslashes are octal numbers."""
    for code in ("040", "011", "012", "134"):
        point = point.replace(f"\\{code}", chr(int(code, 8)))
    return point
