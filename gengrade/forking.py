"""Forking a process that may be told to stop at any moment."""

from __future__ import annotations

import os
import signal

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
