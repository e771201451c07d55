"""Grading by the workers of a Dask scheduler: what was handed in travels to them, and facts and figures come back.

Four properties are deliberate:

1. Whoever reaches a scheduler can run code on its workers, and the operator's key travels to them. So every connection
   is by TLS, or stays within this machine.
2. A worker that would find out other things than this machine, or isolates less, is refused by name.
3. A submission is given to one worker at a time. If that worker is lost, this costs the submission one of its tries.
4. No worker writes into the folder of results: all files there are written here.
"""

from __future__ import annotations

import ipaddress
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from gengrade import records
from gengrade.choices import Isolation
from gengrade.course import courses
from gengrade.engine.cluster.machine import this_machine
from gengrade.engine.cluster.parcels import Unpackable, packed, write_results
from gengrade.engine.cluster.remote import Offer, grade, offer
from gengrade.engine.errors import UsageError
from gengrade.engine.results import EventKind, Progress
from gengrade.engine.sharing import Waiting, grade_all
from gengrade.job import Job
from gengrade.job.facts_file import known_facts, read_facts, write_signature
from gengrade.job.provenance import facts_key
from gengrade.sandbox import choose
from gengrade.submissions import Submission, content, signatures

_CONNECT_SECONDS: Final = 30
_LOOK_SECONDS: Final = 2  # between two looks at which workers there are
_POLL_SECONDS: Final = 0.1  # between two looks at what is done
_ALONE_SECONDS: Final = 60.0  # without any worker, before the run is given up
_TLS: Final = "tls"


class Dask:
    """Grades by the workers of a scheduler."""

    rests: Final = False

    def __init__(self, address: str) -> None:
        """`address`: of the scheduler. Raises UsageError if it is neither by TLS nor on this machine."""
        self.notes: tuple[str, ...] = ()
        self._address = address if "://" in address else f"tcp://{address}"
        require_safe(self._address, "--scheduler")

    def grade_all(self, job: Job, submissions: Sequence[Submission], watch: Callable[[Progress], None]) -> None:
        """Leave facts of all these submissions in their folders. Raises UsageError or NoSuchTier if nobody can."""
        if job.course.name not in courses() or courses()[job.course.name].folder != job.course_folder:
            raise UsageError(f"--scheduler: the course {job.course.name} is in a folder that workers do not have")
        # Other processes are forked for this, which is done before the client starts its threads.
        seen = {each.id: signature or "" for each, signature in zip(submissions, signatures(submissions), strict=True)}
        found = [each for each in submissions if job.cache and _stands(job, each)]
        for each in found:
            write_signature(job, each, seen[each.id])
            watch(Progress(each, EventKind.GRADED, len(submissions)))
        left = [each for each in submissions if each not in found]
        here = self._share(job, left, seen, watch, len(submissions)) if left else []
        if here:
            choose(Isolation(job.tier.value), single=False)  # that this machine gives it was not asked before
            grade_all(job, here, 0, watch)

    def _share(
        self,
        job: Job,
        submissions: Sequence[Submission],
        seen: Mapping[str, str],
        watch: Callable[[Progress], None],
        total: int,
    ) -> list[Submission]:
        """Let workers grade, and return the submissions that cannot be sent to them."""
        with _connected(self._address) as client:
            sharing = _Sharing(client, job, submissions, seen, watch, total)
            try:
                sharing.serve()
            finally:
                self.notes = tuple(sharing.refused.values())
        return sharing.here


def _stands(job: Job, submission: Submission) -> bool:
    """Return whether the facts of a submission are there already, although its files may have been touched since."""
    facts = read_facts(job, submission)
    return (
        facts is not None
        and known_facts(job, submission, facts_key(job, facts.provenance.submission)) is not None
        and facts.notes[: len(submission.notes)] == submission.notes
        and facts.provenance.content is not None
        and facts.provenance.content == content(submission)
    )


def require_safe(address: str, what: str) -> None:
    """Raise UsageError unless a connection to this address is by TLS or stays within this machine."""
    scheme, _, place = address.partition("://")
    host = place.rpartition(":")[0].strip("[]")
    if scheme == _TLS or host == "localhost":
        return
    try:
        if scheme == "tcp" and ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise UsageError(
        f"{what} {address}: whoever reaches a scheduler can run code on its workers, and your key travels there; start "
        "scheduler and workers with TLS, and give an address that begins with tls://"
    )


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Connect to a scheduler. Raises UsageError."""
    try:
        from distributed import Client  # here: it is not always installed
    except ImportError:
        raise UsageError(
            "--scheduler: the package distributed is not installed; pip install 'gengrade[cluster]'"
        ) from None
    warnings.filterwarnings("ignore", module="distributed")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said here
    try:
        client = Client(address, timeout=_CONNECT_SECONDS)
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"--scheduler {address}: it cannot be reached ({error})") from error
    try:
        yield client
    finally:
        client.close()


class _Sharing:
    """What waits to be graded, and which worker grades what."""

    def __init__(
        self,
        client: Any,
        job: Job,
        submissions: Sequence[Submission],
        seen: Mapping[str, str],
        watch: Callable[[Progress], None],
        total: int,
    ) -> None:
        """`seen`: the signature of each submission, by its id. `total`: submissions of the run."""
        self.refused: dict[str, str] = {}  # by address, why a worker takes no part
        self.here: list[Submission] = []  # those that cannot be sent
        self._client = client
        self._job = job
        self._sent_job = job.model_dump_json()
        self._began = this_machine(job.course)
        self._watch = watch
        self._waiting = Waiting(job, submissions, watch, total)
        self._seen = seen
        self._total = total
        self._workers: dict[str, str] = {}  # those that may grade: names by address
        self._running: dict[Any, tuple[Submission, str]] = {}  # by future: the submission, and its worker's address

    def serve(self) -> None:
        """Share the submissions until all are done. Raises UsageError without workers."""
        alone = time.monotonic()
        while self._waiting or self._running:
            threads = self._known()
            self._survey(threads)
            self._give_up_lost(threads)
            for address in self._workers:
                self._fill(address, threads[address])
            if self._running:
                alone = time.monotonic()
                self._receive()
            elif self._waiting:
                self._require_hope(alone)
                time.sleep(_LOOK_SECONDS)

    def _known(self) -> dict[str, int]:
        """Return the threads of each worker, by its address. Raises UsageError if the scheduler is gone."""
        try:
            found: dict[str, int] = self._client.nthreads()
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"--scheduler: it was lost ({error!r}); start it again, and give the same command to continue"
            ) from error
        return found

    def _require_hope(self, alone: float) -> None:
        if self.refused and not self._workers:
            raise UsageError(" ".join(self.refused.values()))
        if time.monotonic() - alone > _ALONE_SECONDS:
            raise UsageError("--scheduler: it has no workers; start some, and give the same command again to continue")

    def _survey(self, threads: dict[str, int]) -> None:
        """Ask workers that are new what they offer, and forget those that are gone."""
        new = [address for address in threads if address not in self._workers and address not in self.refused]
        for address in new:
            require_safe(address, "the worker")
        job = self._job
        if new:
            question = (job.course.name, job.data, job.data_hash, job.device)
            answers = self._client.run(offer, *question, workers=new, on_error="return")
            for address, answer in answers.items():
                self._take_on(address, answer)
        self._workers = {address: name for address, name in self._workers.items() if address in threads}

    def _take_on(self, address: str, answer: object) -> None:
        if not isinstance(answer, str):
            self.refused[address] = f"{address}: gengrade cannot be called there ({answer})"
            return
        found = Offer.model_validate_json(answer)
        machine = found.machine.model_copy(update={"name": f"{found.machine.name} ({address})"})
        problem = f"{machine.name}: {found.problem}" if found.problem else None
        refusal = machine.refusal(self._began, self._job.tier) or problem
        if refusal is not None:
            self.refused[address] = refusal
        else:
            self._workers[address] = found.machine.name

    def _give_up_lost(self, threads: dict[str, int]) -> None:
        for future, (submission, address) in list(self._running.items()):
            if address not in threads:
                del self._running[future]
                future.cancel()
                self._waiting.put_back(submission, f"the worker {address} was lost")

    def _fill(self, address: str, threads: int) -> None:
        """Give a worker as many submissions as it has threads."""
        while sum(place == address for _, place in self._running.values()) < threads:
            submission = self._waiting.take()
            if submission is None:
                return
            try:
                if submission.error is not None:
                    raise Unpackable(submission.error)
                parcel = packed(submission)
            except Unpackable:
                self.here.append(submission)
                continue
            sent = (self._sent_job, self._job.course.name, records.dumps(submission), parcel)
            future = self._client.submit(
                grade, *sent, workers=[address], allow_other_workers=False, pure=False, retries=0
            )
            self._running[future] = (submission, address)
            self._tell(submission, EventKind.CHECK, address)

    def _receive(self) -> None:
        """Wait until a submission is done, but not longer than until the next look at the workers."""
        end = time.monotonic() + _LOOK_SECONDS
        while not (done := [future for future in self._running if future.done()]) and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        for future in done:
            submission, address = self._running.pop(future)
            try:
                write_results(future.result(), self._job, submission)
            except OSError:
                raise
            except Exception as error:  # of whatever kind: it was raised on another machine
                self._waiting.put_back(submission, f"the worker {address} failed: {error!r}")
                continue
            write_signature(self._job, submission, self._seen[submission.id])
            self._tell(submission, EventKind.GRADED, address)

    def _tell(self, submission: Submission, event: EventKind, address: str) -> None:
        check = "grading" if event is EventKind.CHECK else ""
        machine = self._workers.get(address, address)
        self._watch(Progress(submission, event, self._total, check, machine=machine))
