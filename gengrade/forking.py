"""Fork while signals are blocked, and measure the address space of this process."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

_STOPS = {signal.SIGTERM, signal.SIGINT}


def fork() -> int:
    """Call `os.fork` with SIGTERM and SIGINT blocked until it has returned.

    Modules may register callbacks for a fork, and Python discards exceptions in these, even a KeyboardInterrupt.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        return os.fork()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def address_space() -> int | None:
    """Return the bytes of address space that this process uses, or None if the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None
