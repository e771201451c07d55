"""Sharing submissions among workers.

A worker's death costs its submission one more try; a second one is recorded as our fault. A worker that died is
replaced while submissions wait.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Sequence
from typing import Final

from gengrade import gpus, processors
from gengrade.choices import Device
from gengrade.engine.crew import Crew
from gengrade.engine.errors import OutputError
from gengrade.engine.results import EventKind, Progress
from gengrade.engine.workers import Place, WorkerProcess
from gengrade.job import Job, broken_facts, write_facts, write_faults
from gengrade.messages import CheckBegan, CheckEnded, DiagnosisBegan, DiskFull, Finished, Message
from gengrade.sandbox import remove_scratch
from gengrade.submissions import Submission
from gengrade.texts import without_middle

_TRIES: Final = 2  # of a submission
_REASON_BYTES: Final = 40_000


def grade_all(
    job: Job,
    submissions: Sequence[Submission],
    most_workers: int,
    watch: Callable[[Progress], None],
    crew: Crew | None = None,
) -> None:
    """Leave facts of all these submissions in their folders.

    most_workers: how many work at a time; 0: one for each processor, and with GPUs no more than share these.
    watch: is called with what happens.
    crew: whose workers rest afterwards; None: all workers end.

    Raises OutputError when a worker finds no room for its results.
    """
    places = places_of(job, most_workers, len(submissions))
    sharing = _Sharing(job, submissions, watch, places, crew)
    try:
        for _ in range(len(places)):
            sharing.start_worker()
        sharing.serve()
    finally:
        sharing.close()


def places_of(job: Job, most_workers: int, submissions: int) -> list[Place]:
    """Return the places of the workers that grade that many submissions: no two have a processor in common.

    most_workers: as for `grade_all`. With GPUs, each place has a slot of one of them.
    """
    available = processors.available()
    slots = gpus.slots_of(gpus.available(), job.gpu_jobs) if job.device is Device.CUDA else []
    count = min([most_workers or len(available), submissions, *([len(slots)] if slots else [])])
    chosen: list[str | None] = [*slots[:count]] or [None] * count
    return [Place(*each) for each in zip(processors.shares_of(available, count), chosen, strict=True)]


class Waiting:
    """The submissions that wait to be graded. One on which the harness fails gets one more try."""

    def __init__(
        self, job: Job, submissions: Sequence[Submission], watch: Callable[[Progress], None], total: int
    ) -> None:
        """`watch`: is called with those that were tried in vain. `total`: the submissions of the run."""
        self._job = job
        self._watch = watch
        self._total = total
        self._left = list(submissions)
        self._tries: dict[str, int] = {}  # by submission, how many of its tries have failed

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self) -> Submission | None:
        """Return the next one, which waits no more; None if there is none."""
        return self._left.pop(0) if self._left else None

    def put_back(self, submission: Submission, reason: str) -> None:
        """Let one wait on which the harness failed, or record that when it has had its tries."""
        self._tries[submission.id] = self._tries.get(submission.id, 0) + 1
        if self._tries[submission.id] < _TRIES:
            self._left.append(submission)
            return
        write_faults(self._job, submission, without_middle(reason, _REASON_BYTES))
        write_facts(self._job, submission, broken_facts(self._job, submission, "graded twice, lost twice"))
        self._watch(Progress(submission, EventKind.FAILED, self._total))


class _Sharing:
    """What waits to be graded, and who grades."""

    def __init__(
        self,
        job: Job,
        submissions: Sequence[Submission],
        watch: Callable[[Progress], None],
        places: list[Place],
        crew: Crew | None,
    ) -> None:
        self._job = job
        self._watch = watch
        self._total = len(submissions)
        self._waiting = Waiting(job, submissions, watch, self._total)
        self._workers: list[WorkerProcess] = []
        self._crew = crew or Crew()
        self._rest = crew is not None  # whether workers rest when nothing waits
        self._places = places  # those that no worker has
        self._selector = selectors.DefaultSelector()

    def start_worker(self) -> None:
        """Start a worker at a place that is free, and give it the next submission."""
        worker = self._crew.worker(self._job, self._places.pop())
        self._workers.append(worker)
        self._selector.register(worker.events, selectors.EVENT_READ, worker)
        self._assign(worker)

    def serve(self) -> None:
        """Receive messages and replace dead workers, until all have ended."""
        while self._workers:
            for key, _ in self._selector.select():
                worker: WorkerProcess = key.data
                messages = worker.messages()
                if messages is None:
                    self._replace(worker)
                for message in messages or ():
                    self._receive(worker, message)

    def close(self) -> None:
        """End the workers that are still there, and remove what those leave that were ended while they started."""
        self._selector.close()
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.end()
        if not self._crew.rests:
            remove_scratch(self._job.work)

    def _assign(self, worker: WorkerProcess) -> None:
        """Give a worker the next submission. If none is left, keep the worker idle or end it."""
        if self._rest and not self._waiting:
            worker.submission = None
            self._selector.unregister(worker.events)
            self._workers.remove(worker)
            self._crew.rest(worker)
        else:
            worker.assign(self._waiting.take())

    def _receive(self, worker: WorkerProcess, message: Message) -> None:
        submission = worker.submission
        assert submission is not None
        match message:
            case CheckBegan(check=check):
                self._watch(Progress(submission, EventKind.CHECK, self._total, check))
            case DiagnosisBegan():
                self._watch(Progress(submission, EventKind.CHECK, self._total, "looking for known mistakes"))
            case CheckEnded(check=check):
                self._watch(Progress(submission, EventKind.VERDICT, self._total, check, message))
            case DiskFull(reason=reason):
                raise OutputError(self._job.out, reason)
            case Finished(error=None):
                self._watch(Progress(submission, EventKind.GRADED, self._total))
                self._assign(worker)
            case Finished(error=str(error)):
                self._waiting.put_back(submission, error)
                self._assign(worker)

    def _replace(self, worker: WorkerProcess) -> None:
        """Let go of a worker that ended, as it should or in the middle of a submission, and start one in its place."""
        self._selector.unregister(worker.events)
        self._workers.remove(worker)
        self._places.append(worker.place)
        status = worker.wait()
        if worker.submission is not None:
            reason = f"the worker died (status {status}): {worker.last_words()}"
            self._waiting.put_back(worker.submission, reason)
        if self._waiting:
            self.start_worker()
