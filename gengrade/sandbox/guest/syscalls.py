"""The C library's system call wrappers, and errors that name the wall that failed."""

from __future__ import annotations

import ctypes
import functools
import os

from gengrade.sandbox.guest.errors import WallError


@functools.cache
def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Raises WallError with the reason when a call answered with a negative number; else returns it."""
    if result < 0:
        raise WallError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
