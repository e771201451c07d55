"""Namespaces of one run: its own users, processes, mounts, network and IPC, made without any privilege.

Expects the outer wall's view of the files: an allow-list of read-only binds, with every submission's tree beneath
`TREES`. Leaves the run with its own tree at `SUBMISSION`, the others out of sight, a `/proc` of its own processes, and
fresh memory-backed `/tmp` and `/dev/shm` of limited size.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
from collections.abc import Sequence
from typing import Final

from gengrade.sandbox.guest.errors import WallError
from gengrade.sandbox.guest.syscalls import check, libc

TREES: Final = "/trees"
SUBMISSION: Final = "/submission"

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER = 0x20000, 0x4000000, 0x8000000, 0x10000000
_NEWPID, _NEWNET = 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3: Final = 0x20080522


def enter(tree: str, disk_mb: int, kept_mounts: Sequence[str]) -> None:
    """Returns in a new process of its own world. The old one waits for it, and ends with its status as a shell would.

    The world's first process only waits: the kernel keeps most signals from it, so that a crash there is not as it is
    elsewhere.
    """
    uid, gid = os.getuid(), os.getgid()
    spaces = _NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS
    # A process that changed its user is not dumpable, and its own /proc files are root's: then no map can be written.
    check(libc().prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")
    check(libc().unshare(spaces), "namespaces")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    _fork_and_follow()
    check(libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "parent-death signal")
    _mounts(tree, disk_mb, kept_mounts)
    drop_capabilities()
    _fork_and_follow()


def _fork_and_follow() -> None:
    """Goes on in a child. This process lets go of the run's wires, waits, and ends as the child ended: 128 + signal."""
    child = os.fork()
    if child:
        os.closerange(0, 256)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)


def _mounts(tree: str, disk_mb: int, kept_mounts: Sequence[str]) -> None:
    _mount("none", "/", None, _REC | _PRIVATE)
    _mount(f"{TREES}/{tree}", SUBMISSION, None, _BIND)
    _mount(None, SUBMISSION, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)
    _mount("tmpfs", TREES, "tmpfs", _RDONLY | _NOSUID | _NODEV | _NOEXEC, "size=4k,mode=0555")
    interpreter = {path: os.open(path, os.O_PATH) for path in kept_mounts}
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, f"size={disk_mb}m,nr_inodes=16k,mode=0700")
    _mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV | _NOEXEC, f"size={disk_mb}m,nr_inodes=4k,mode=0700")
    for path, descriptor in interpreter.items():  # an environment that lies there must not vanish under it
        _make_room(path, folder=stat.S_ISDIR(os.fstat(descriptor).st_mode))
        _mount(f"/proc/self/fd/{descriptor}", path, None, _BIND | _REC)
        os.close(descriptor)
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)


def _make_room(path: str, *, folder: bool) -> None:
    """A folder or a file to mount something on."""
    os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)
    if not folder:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    arguments = [text.encode() if text is not None else None for text in (source, target, kind)]
    result = libc().mount(*arguments, flags, data.encode() if data is not None else None)
    check(result, f"mount on {target}")


def drop_capabilities() -> None:
    """Gives up all of root's rights: a new user namespace grants them for the mounts, and root has them anyway."""
    check(libc().prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient capabilities")
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    check(libc().capset(header, (ctypes.c_uint32 * 6)()), "capabilities")


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        raise WallError(f"{path}: {error.strerror}") from error
