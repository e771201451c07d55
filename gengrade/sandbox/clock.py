"""The time of a run, as the host measures it.

A run's time is its own: the processor time of all of its processes, or, where that is more, the time that passed while
none of them waited for a processor. Other programs on the machine take none of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

LOOK_SECONDS: Final = 1.0  # the host looks at its clock again after this time at the latest
_STARVED: Final = 0.05  # a run that waited for others' work in more than this share of its time is starved
_FULL: Final = 0.9  # a run that used more than this share of all its processors' time waited for its own work alone


class Clock:
    """Counts the seconds in which this process was awake.

    While it was stopped, by Ctrl-Z, by a paused container or by a machine that slept, no run's time passes: the run was
    stopped as well, or could not send its answer.
    """

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._awake = 0.0

    def read(self) -> float:
        """Return the seconds so far. Of a gap that is too long for an awake host, only a part counts."""
        now = time.monotonic()
        self._awake += min(now - self._last, 2 * LOOK_SECONDS)
        self._last = now
        return self._awake


class RunTime:
    """Measures one run, from its beginning and again from the moment that the student's code starts."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._since = self._clock.read()
        self._idle = self._waited = 0.0  # seconds since the start, as the zygote reported last
        self.cpu = 0.0
        self.started = False

    def start(self) -> None:
        """Note that the student's code starts now."""
        self._since = self._clock.read()
        self.started = True

    def passed(self) -> float:
        """Return the seconds since the student's code started, or before it did, since the run began."""
        return self._clock.read() - self._since

    def report(self, usage: Mapping[str, Any]) -> None:
        """Take what the zygote measured. While this process was stopped, no time passed."""
        passed = min(float(usage["passed"]), self.passed())
        self.cpu, self._waited = float(usage["cpu"]), float(usage["waited"])
        self._idle = passed - self._waited

    def used(self, passed: float, processors: int) -> float:
        """Return the seconds of the run's own time when so many have passed, as far as the zygote has reported.

        More than all processors can do in the time that passed was done while this process was stopped.
        """
        return max(min(self.cpu, passed * processors), self._idle)

    def is_starved(self, passed: float, processors: int) -> bool:
        """Tell whether the run waited for the work of others for a part of its time that matters."""
        waited_for_itself = self.cpu > _FULL * passed * processors
        return self._waited > _STARVED * passed and not waited_for_itself
