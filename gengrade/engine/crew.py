"""The workers of a run, or of several runs over the same folder one after the other, between which they rest."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from gengrade.engine.workers import Place, WorkerProcess
from gengrade.job import Job


class Crew:
    """Starts workers, and keeps idle ones for the next run. Leaving the context ends them."""

    def __init__(self) -> None:
        self._resting: list[WorkerProcess] = []
        self._started = 0  # workers so far: each has a log of its own

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._resting:
            worker.terminate()
        for worker in self._resting:
            worker.end()

    @property
    def rests(self) -> bool:
        """Whether idle workers serve another run later, so that its files must stay."""
        return bool(self._resting)

    def worker(self, job: Job, place: Place) -> WorkerProcess:
        """Return a worker that rests at this place, or a new one there, which has been told the job."""
        found = next((worker for worker in self._resting if worker.place == place), None)
        if found is not None:
            self._resting.remove(found)
        if found is None or not found.lives:
            found = WorkerProcess(job, self._started, place)
            self._started += 1
        found.send_job(job)
        return found

    def rest(self, worker: WorkerProcess) -> None:
        """Keep a worker for another run."""
        self._resting.append(worker)
