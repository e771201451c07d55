"""Forking a process that may be told to stop at any moment, and the size from which its child is limited."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

_STOPS = {signal.SIGTERM, signal.SIGINT}


def fork() -> int:
    """`os.fork`, while which no signal to stop is handled.

    Modules do things at a fork, and Python drops what is raised there: a KeyboardInterrupt, too.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        return os.fork()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def address_space() -> int | None:
    """The bytes of address space that this process has taken; None where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None
