"""Fork while signals are blocked, and measure the address space of this process."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final

from gengrade.sandbox.guest.syscalls import libc

_STOPS: Final = {signal.SIGTERM, signal.SIGINT}
_PR_SET_PDEATHSIG: Final = 1


def fork() -> int:
    """Call `os.fork` with SIGTERM and SIGINT blocked until it has returned.

    Modules may register callbacks for a fork, and Python discards exceptions in these, even a KeyboardInterrupt.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        return os.fork()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, and end at once when that has happened already.

    `parent` is the process id that the parent had when it started this one. Only Linux has such a signal.
    """
    if sys.platform == "linux":
        libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def address_space() -> int | None:
    """Return the bytes of address space that this process uses, or None if the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None
