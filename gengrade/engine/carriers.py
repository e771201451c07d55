"""Who carries the grading of a class out: `Carrier` is the one interface that a run knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gengrade.engine.crew import Crew
from gengrade.engine.errors import UsageError
from gengrade.engine.results import Progress
from gengrade.engine.sharing import grade_all
from gengrade.job import Job
from gengrade.submissions import Submission


class Carrier(Protocol):
    """Grades submissions, on this machine or on others."""

    @property
    def rests(self) -> bool:
        """Whether idle workers on this machine serve another run later, so that its files must stay."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the operator on what the last call of `grade_all` met, such as machines that it refused."""

    def grade_all(self, job: Job, submissions: Sequence[Submission], watch: Callable[[Progress], None]) -> None:
        """Leave facts of all these submissions in their folders, and call `watch` with what happens.

        job: with the reference, which is laid out already.

        Raises OutputError when there is no room for results, and UsageError when no machine can grade.
        """


@dataclass(frozen=True, slots=True)
class Local:
    """Grades on this machine.

    most_workers: how many work at a time; 0: one for each processor.
    crew: whose workers rest afterwards; None: all workers end.
    """

    most_workers: int = 0
    crew: Crew | None = None
    notes: tuple[str, ...] = ()

    @property
    def rests(self) -> bool:
        return self.crew is not None and self.crew.rests

    def grade_all(self, job: Job, submissions: Sequence[Submission], watch: Callable[[Progress], None]) -> None:
        grade_all(job, submissions, self.most_workers, watch, self.crew)


class Nobody:
    """Grades nothing: for a run that only scores what other machines have graded."""

    rests: Final = False
    notes: Final = ()

    def grade_all(self, job: Job, submissions: Sequence[Submission], watch: Callable[[Progress], None]) -> None:
        """Refuse to grade, since something has changed since the run began. Raises UsageError."""
        raise UsageError("something has changed since the run began; give the same command again")
