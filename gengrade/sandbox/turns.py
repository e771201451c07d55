"""Turns among workers: many runs go on beside each other, or one goes on alone.

All workers that grade into one folder share two lock files. A worker that waits to be alone holds the gate, so that no
new run begins before its own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


class Turns:
    """Lets a run of this worker go on beside those of other workers, or alone."""

    def __init__(self, folder: Path) -> None:
        self._gate, self._room = folder.with_suffix(".gate"), folder.with_suffix(".room")

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Wait until no run is alone or waits to be, and keep others from being alone."""
        with ExitStack() as stack:
            with _locked(self._gate, fcntl.LOCK_EX):
                stack.enter_context(_locked(self._room, fcntl.LOCK_SH))
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other run goes on, and keep new ones from beginning."""
        with _locked(self._gate, fcntl.LOCK_EX), _locked(self._room, fcntl.LOCK_EX):
            yield


@contextmanager
def _locked(file: Path, how: int) -> Iterator[None]:
    """Hold a lock on a file; the kernel releases it when its holder dies."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
