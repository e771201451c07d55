"""Sharing a class among the workers of Dask: lost, refused and failing workers, with a client in Dask's place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gengrade import records
from gengrade.choices import Tier
from gengrade.course import DEFAULT, find
from gengrade.engine import EventKind, Progress, UsageError
from gengrade.engine.cluster import dask
from gengrade.engine.cluster.machine import Machine, this_machine
from gengrade.engine.cluster.parcels import packed_results
from gengrade.engine.cluster.remote import Offer
from gengrade.facts import Outcome, TestFact
from gengrade.job import Job, broken_facts, facts_in, write_facts
from gengrade.job.provenance import facts_key
from gengrade.submissions import Submission
from tests.support.jobs import small_job

HERE = this_machine(find(DEFAULT)).model_copy(update={"lacks": {}})
Answer = Callable[[str], bytes]


@dataclass(eq=False)
class Future:
    """What a worker does with one submission; `answer`: returns its results, or None for a worker that died."""

    answer: Callable[[], bytes] | None
    cancelled: bool = False

    def done(self) -> bool:
        return self.answer is not None

    def result(self) -> bytes:
        assert self.answer is not None
        return self.answer()

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Client:
    """A client whose workers grade at once. `dies`: those that are gone after their first submission was sent."""

    there: Path
    machines: dict[str, Machine]
    dies: set[str] = field(default_factory=set)
    fails: set[str] = field(default_factory=set)
    given: list[tuple[str, str]] = field(default_factory=list)

    def nthreads(self) -> dict[str, int]:
        gone = {address for address, _ in self.given} & self.dies
        return {address: 1 for address in self.machines if address not in gone}

    def run(self, function: object, *question: object, workers: list[str], on_error: str) -> dict[str, object]:
        return {address: Offer(machine=self.machines[address]).model_dump_json() for address in workers}

    def submit(self, function: object, job: str, course: str, sent: str, parcel: bytes, **options: Any) -> Future:
        (address,) = options["workers"]
        submission = records.loads(Submission, sent)
        self.given.append((address, submission.id))
        if address in self.dies:
            return Future(None)
        return Future(lambda: self._graded(Job.model_validate_json(job), submission, address))

    def _graded(self, job: Job, submission: Submission, address: str) -> bytes:
        if address in self.fails:
            raise RuntimeError("no room")
        there = job.model_copy(update={"out": self.there})
        write_facts(there, submission, broken_facts(there, submission, f"by {address}"))
        return packed_results(there.folder(submission))


class Room:
    """A job, a class of four, and what was told of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job = small_job(folder / "results", Tier.SANDBOX)
        self.submissions = []
        for number in range(4):
            source = folder / "class" / f"student{number}"
            source.mkdir(parents=True)
            self.submissions.append(Submission(source.name, source.name, None, source))
        self.told: list[Progress] = []

    def share(self, client: Client) -> dask._Sharing:
        seen = {each.id: "as it was" for each in self.submissions}
        sharing = dask._Sharing(client, self.job, self.submissions, seen, self.told.append, len(self.submissions))
        sharing.serve()
        return sharing

    def notes(self) -> list[str]:
        """Return who graded each submission."""
        found = [facts_in(self.job.folder(each), each.id, self.job.seal) for each in self.submissions]
        return [facts.notes[-1] if facts else "" for facts in found]

    def ended(self) -> list[EventKind]:
        return [progress.event for progress in self.told if progress.event is not EventKind.CHECK]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(dask, "_LOOK_SECONDS", 0.2)
    monkeypatch.setattr(dask, "_ALONE_SECONDS", 0.5)
    return Room(tmp_path)


FIRST, SECOND = "tcp://127.0.0.1:1", "tcp://127.0.0.1:2"


def test_workers_share_the_class(room: Room) -> None:
    client = Client(room.folder / "there", {FIRST: HERE, SECOND: HERE})
    room.share(client)
    assert {address for address, _ in client.given} == {FIRST, SECOND}
    assert sorted(id_ for _, id_ in client.given) == [each.id for each in room.submissions], "each of them once"
    assert room.ended() == [EventKind.GRADED] * 4
    assert all(note.startswith("by tcp") for note in room.notes())


def test_a_lost_worker_costs_one_try(room: Room) -> None:
    client = Client(room.folder / "there", {FIRST: HERE, SECOND: HERE}, dies={FIRST})
    room.share(client)
    assert len(client.given) == 5
    assert room.notes() == [f"by {SECOND}"] * 4


def test_a_submission_that_fails_twice_is_our_fault(room: Room) -> None:
    client = Client(room.folder / "there", {FIRST: HERE}, fails={FIRST})
    room.share(client)
    assert len(client.given) == 8
    assert room.notes() == ["graded twice, lost twice"] * 4
    assert room.ended() == [EventKind.FAILED] * 4
    assert "no room" in (room.job.folder(room.submissions[0]) / "faults.log").read_text()
    facts = facts_in(room.job.folder(room.submissions[0]), room.submissions[0].id, room.job.seal)
    assert facts is not None
    assert {check.outcome for check in facts.checks.values()} == {Outcome.INFRA}


def test_a_worker_of_another_version_gets_nothing(room: Room) -> None:
    other = HERE.model_copy(update={"versions": {**HERE.versions, "numpy": "0.9"}})
    client = Client(room.folder / "there", {FIRST: HERE, SECOND: other})
    sharing = room.share(client)
    assert {address for address, _ in client.given} == {FIRST}
    assert "numpy is 0.9 there" in sharing.refused[SECOND]
    assert SECOND in sharing.refused[SECOND]


def test_without_a_worker_that_may_grade_the_run_ends(room: Room) -> None:
    weak = HERE.model_copy(update={"lacks": {Tier.SANDBOX: "no bubblewrap"}})
    with pytest.raises(UsageError, match="does not give the isolation"):
        room.share(Client(room.folder / "there", {FIRST: weak}))
    with pytest.raises(UsageError, match="it has no workers"):
        room.share(Client(room.folder / "there", {}))


def test_a_worker_that_others_can_listen_to_is_refused(room: Room) -> None:
    with pytest.raises(UsageError, match="TLS"):
        room.share(Client(room.folder / "there", {"tcp://10.0.0.7:1": HERE}))


def test_what_cannot_be_sent_is_graded_here(room: Room) -> None:
    (room.submissions[2].source / "model.py").symlink_to("/etc/passwd")
    sharing = room.share(Client(room.folder / "there", {FIRST: HERE}))
    assert [each.id for each in sharing.here] == ["student2"]
    assert room.ended() == [EventKind.GRADED] * 3


def test_what_was_graded_is_not_sent_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run before was stopped after two, and the class has been unpacked anew since."""
    for submission in room.submissions[:2]:
        (submission.source / "answers.py").write_text("x = 1\n")
        facts = broken_facts(room.job, submission, "of the run before")
        passed = TestFact(name="a", title="a", outcome=Outcome.PASSED)
        checks = {name: check.model_copy(update={"tests": (passed,)}) for name, check in facts.checks.items()}
        key = facts_key(room.job, facts.provenance.submission)
        known = {"provenance": facts.provenance.model_copy(update={"key": key}), "checks": checks}
        write_facts(room.job, submission, facts.model_copy(update=known))
    client = Client(room.folder / "there", {FIRST: HERE})
    monkeypatch.setattr(dask, "_connected", lambda address: nullcontext(client))
    dask.Dask("tls://head:1").grade_all(room.job, room.submissions, room.told.append)
    assert [id_ for _, id_ in client.given] == ["student2", "student3"]
    assert room.ended() == [EventKind.GRADED] * 4
    (room.submissions[0].source / "answers.py").write_text("x = 2\n")
    dask.Dask("tls://head:1").grade_all(room.job, room.submissions[:1], room.told.append)
    assert client.given[-1][1] == "student0", "it was handed in again"
