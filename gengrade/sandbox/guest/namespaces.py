"""Isolate one run in its own namespaces of users, processes, mounts, network and IPC, without any privilege.

The process must already run in bubblewrap's view of the files: read-only mounts of allowed paths, every submission's
tree below `TREES`, and our own code at `LIBRARY`. Afterwards the run sees neither, and has a `/proc` of its own
processes and new, memory-backed `/tmp` and `/dev/shm` of limited size. A writable copy of its own tree lies in `/tmp`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gengrade.sandbox.guest import workplace
from gengrade.sandbox.guest.disk import MOST_FILES
from gengrade.sandbox.guest.errors import WallError
from gengrade.sandbox.guest.syscalls import check, libc

TREES: Final = "/trees"
LIBRARY: Final = "/library"  # the guest's code, which the zygote imports

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER = 0x20000, 0x4000000, 0x8000000, 0x10000000
_NEWPID, _NEWNET = 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3: Final = 0x20080522


def enter(tree: str, disk_mb: int, kept_mounts: Sequence[str]) -> None:
    """Enter new namespaces, and return in a new process in them; the old one waits, and ends with its status.

    tree: the name of the submission's tree below `TREES`.
    disk_mb: the size of /tmp, and again of /dev/shm, in MiB; the copy of the tree takes up a part of it.
    kept_mounts: paths below these two that stay mounted.

    The first process of the new namespaces only waits for a second one, which returns: the kernel ignores most signals
    to the first one, so that student code there would not crash as usual. A status after a signal is 128 + signal, as
    in a shell. Raises WallError.
    """
    uid, gid = os.getuid(), os.getgid()
    spaces = _NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS
    check(libc().unshare(spaces), "namespaces")
    _show_descriptors()
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    _fork_and_follow()
    check(libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "parent-death signal")
    _mounts(tree, disk_mb, kept_mounts)
    drop_capabilities()
    _show_descriptors()
    _fork_and_follow()


def _show_descriptors() -> None:
    """Let the zygote read this process's descriptors, which the kernel hides after a change of its rights."""
    check(libc().prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")


def _fork_and_follow() -> None:
    """Return in a child process; the parent closes its descriptors, waits, and exits with the child's status."""
    child = os.fork()
    if child:
        os.closerange(0, 256)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)


def _mounts(tree: str, disk_mb: int, kept_mounts: Sequence[str]) -> None:
    _mount("none", "/", None, _REC | _PRIVATE)
    interpreter = {path: os.open(path, os.O_PATH) for path in kept_mounts}
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, f"size={disk_mb}m,nr_inodes={MOST_FILES},mode=0700")
    workplace.copied(Path(TREES, tree), Path("/tmp"), _show)
    for covered in (TREES, LIBRARY):
        _mount("tmpfs", covered, "tmpfs", _RDONLY | _NOSUID | _NODEV | _NOEXEC, "size=4k,mode=0555")
    _mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV | _NOEXEC, f"size={disk_mb}m,nr_inodes=4k,mode=0700")
    for path, descriptor in interpreter.items():  # an environment in /tmp must stay readable
        _make_room(path, folder=stat.S_ISDIR(os.fstat(descriptor).st_mode))
        _mount(f"/proc/self/fd/{descriptor}", path, None, _BIND | _REC)
        os.close(descriptor)
    _mount("/dev/null", "/dev/zero", None, _BIND)  # mapping /dev/zero would give shared memory that can be hidden
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)


def _show(file: Path, place: Path) -> None:
    """Mount a file, read-only, at a new place."""
    _make_room(str(place), folder=False)
    _mount(str(file), str(place), None, _BIND)
    _mount(None, str(place), None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def _make_room(path: str, *, folder: bool) -> None:
    """Create an empty folder or file to mount something on."""
    os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)
    if not folder:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    arguments = [text.encode() if text is not None else None for text in (source, target, kind)]
    result = libc().mount(*arguments, flags, data.encode() if data is not None else None)
    check(result, f"mount on {target}")


def drop_capabilities() -> None:
    """Give up all capabilities, which a new user namespace grants, and which root has anyway. Raises WallError."""
    check(libc().prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient capabilities")
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    check(libc().capset(header, (ctypes.c_uint32 * 6)()), "capabilities")


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        raise WallError(f"{path}: {error.strerror}") from error
