"""Add up how long a run's tasks had to wait for a processor, from readings of the kernel's counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Seen:
    """The results of earlier readings of one process."""

    before: float  # the time of the previous reading of it or, at first, of its family
    waited: dict[str, float] = field(default_factory=dict)  # for each task, including those that have ended
    living: set[str] = field(default_factory=set)
    lost: float = 0.0  # the longest wait of a task that was missing in the last reading


@dataclass(slots=True)
class Waits:
    """The total time in which at least one task was ready to run but had to wait for a processor.

    The kernel adds a wait to its task's counter when the wait is over, so each increase is taken as an interval that
    ends at the reading. If several tasks wait at the same time, that time counts once: the total is the length of the
    union of all intervals.

    A task that executes another program takes over the number of its process's first task, which ends, and brings its
    own counter along. So when a task is gone, the first task's counter may be that of the lost one, and waits that were
    already counted for the lost one are not counted again. When in doubt, a wait is left out rather than counted twice:
    a number that is reused starts at the count of its last owner.
    """

    began: float
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _union: list[tuple[float, float]] = field(default_factory=list)
    _read: float = 0.0  # the time of the latest reading
    _read_before: float = 0.0

    def add(self, process: int, tasks: Mapping[str, float], now: float) -> None:
        """Add a reading of the counters of all tasks of a process.

        process: the process's id.
        tasks: for each task, the seconds that it has waited so far. The first task must have been read first: only then
            is it certain that a task with a number of its own had not yet become the first one.
        now: the time of the reading, on the monotonic clock.
        """
        if now > self._read:
            self._read_before, self._read = self._read or self.began, now
        seen = self._seen.get(process)
        if seen is None:
            seen = self._seen[process] = _Seen(self._read_before)
        lost = max((seen.waited[task] for task in seen.living.difference(tasks)), default=0.0)
        # The first task may have been read before the other one took its place, and the other one after. Then the next
        # reading shows the change, so the loss is remembered until then.
        floor = max(lost, seen.lost)
        more = 0.0
        for task, waited in tasks.items():
            known = seen.waited.get(task)
            if known is None:  # a new task cannot have waited for longer than the time since the last reading
                more = max(more, min(waited, now - seen.before))
            else:
                more = max(more, waited - (max(known, floor) if task == str(process) else known))
            seen.waited[task] = max(waited, known or 0.0)
        seen.living, seen.lost, seen.before = set(tasks), lost, now
        self._count(now - more, now)

    def living(self, process: int) -> set[str]:
        """Return the tasks of a process in its last reading."""
        seen = self._seen.get(process)
        return seen.living if seen else set()

    def _count(self, start: float, now: float) -> None:
        start = max(self.began, start)
        if start >= now:
            return
        while self._union and self._union[-1][1] >= start:
            start = min(start, self._union.pop()[0])
        self._union.append((start, now))

    @property
    def total(self) -> float:
        """The seconds of all waits so far."""
        return sum(end - start for start, end in self._union)
