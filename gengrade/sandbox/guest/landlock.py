"""Restrict the files that this process and its children may read and write, with the kernel's Landlock (landlock(7)).

No privilege is needed. Newer kernels also restrict TCP, signals and abstract sockets, which is used where available.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from typing import Final

from gengrade.sandbox.guest.errors import WallError
from gengrade.sandbox.guest.syscalls import check, libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ABI_VERSION_FLAG: Final = 1
_PATH_BENEATH: Final = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ALL_FIRST_ABI: Final = (1 << 13) - 1
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
_ON_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("access", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """Return the version of the kernel's Landlock, or 0 if there is none."""
    return max(0, int(libc().syscall(_CREATE_RULESET, None, 0, _ABI_VERSION_FLAG)))


def confine(readable: Iterable[str], writable: Iterable[str], listed: Iterable[str] = ()) -> None:
    """Restrict this process to the given paths and everything below them. Requires no_new_privs.

    readable: the paths that may be read and executed.
    writable: the paths that may also be written.
    listed: the folders whose names may be listed while nothing in them can be opened.

    Paths that do not exist, or that are links, are skipped. Raises WallError.
    """
    version = abi()
    if version < 1:
        raise WallError("this kernel has no Landlock")
    handled = _ALL_FIRST_ABI
    if version >= 2:
        handled |= 1 << 13  # moving files between folders
    if version >= 3:
        handled |= _TRUNCATE
    if version >= 5:
        handled |= _IOCTL_DEV
    ruleset = _Ruleset(handled, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    fd = check(libc().syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0), "Landlock ruleset")
    try:
        for path in readable:
            _allow(fd, path, _READ & handled)
        for path in listed:
            _allow(fd, path, _READ_DIR)
        for path in writable:
            _allow(fd, path, handled)
        check(libc().syscall(_RESTRICT_SELF, fd, 0), "Landlock")
    finally:
        os.close(fd)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        mode = os.fstat(parent).st_mode
        if stat.S_ISLNK(mode):
            return
        if not stat.S_ISDIR(mode):
            access &= _ON_FILES
        rule = _PathRule(access, parent)
        check(libc().syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0), f"Landlock rule for {path}")
    finally:
        os.close(parent)
