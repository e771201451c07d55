"""Call the C library's wrappers of system calls, and turn their errors into exceptions."""

from __future__ import annotations

import ctypes
import functools
import os

from gengrade.sandbox.guest.errors import WallError


@functools.cache
def libc() -> ctypes.CDLL:
    """Return the C library."""
    return ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Return the result of a call; if it is negative, raise WallError with the name `what` and the reason."""
    if result < 0:
        raise WallError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
