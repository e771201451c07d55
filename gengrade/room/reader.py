"""Read submissions in a process of its own, for a program that has threads.

Submissions are read in forked processes (`gengrade.confined`), and a process with several threads must not fork: Python
takes the locks of `logging` and of imports before it does, in an order in which another thread that is importing can
have them the other way round, and then the whole program stands still. The child also inherits every lock as it is,
and waits for ever for one that another thread held. The process here has one thread only, and is not forked.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Final, ParamSpec, TypeVar

from gengrade.forking import end_with_parent
from gengrade.sandbox import InfraError

_P = ParamSpec("_P")
_T = TypeVar("_T")
_TRIES: Final = 2  # a process that somebody killed is replaced once


class Reader:
    """A process that calls functions of modules; it starts with the first call, and one thread may use it."""

    def __init__(self) -> None:
        """Nothing is started."""
        self._pool: ProcessPoolExecutor | None = None

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what a function of a module returns there; what it takes, returns and raises has to be picklable.

        Raises what the function raises, and InfraError if its process is killed again and again.
        """
        for _ in range(_TRIES):
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, get_context("spawn"), _begin, (os.getpid(),))
            try:
                return self._pool.submit(function, *args, **kwargs).result()
            except BrokenProcessPool:
                self.close()
        raise InfraError("the process that reads submissions was killed; see whether this machine has enough memory")

    def close(self) -> None:
        """End the process, if there is one."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _begin(parent: int) -> None:
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the room ends this one
