"""Grading submissions one after another: each is prepared, checked, diagnosed, and left with its facts."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Final

from gengrade import data as datasets
from gengrade import gpus
from gengrade.atomic import require_room
from gengrade.choices import Device
from gengrade.course import Course
from gengrade.data import DataSet
from gengrade.facts import DIAGNOSIS, CheckFact, Facts, Outcome
from gengrade.grading.budget import Budget
from gengrade.grading.checks import known, with_needs
from gengrade.grading.diagnosis import Diagnosis
from gengrade.grading.misconceptions import Library
from gengrade.grading.plugin import GradingPlugin, Observed
from gengrade.grading.recorded import load
from gengrade.grading.session import run_session
from gengrade.grading.subject import Circumstances, Subject
from gengrade.grading.suspects import Suspects
from gengrade.job.facts_file import known_facts, write_facts, write_faults, write_signature
from gengrade.job.model import Job
from gengrade.job.provenance import NO_KEY, facts_key, provenance_of, versions
from gengrade.job.reference import reference_subject, suspect_subject
from gengrade.job.shares import Share, carried_out, divided, merged
from gengrade.job.ungraded import unreadable_facts
from gengrade.messages import CheckMessage, DiagnosisBegan
from gengrade.paths import InputError
from gengrade.sandbox import InfraError, Sandbox
from gengrade.store import STUDENT_BYTES, EvidenceStore
from gengrade.submissions import Prepared, Submission, code_flags, content, discard, prepare, signatures

_MOST_THREADS: Final = 8  # that look for known mistakes; for each, a process takes memory


class Grader:
    """Grades submissions one after another, with one sandbox, started when it is first needed."""

    def __init__(self, job: Job, tell: Callable[[CheckMessage], None] = lambda message: None) -> None:
        """`tell` is called whenever a check begins or ends."""
        self._job = job
        self._tell = tell
        self._parts = job.course.parts
        self._sandbox = _sandbox(job)
        self._circumstances = Circumstances(job.course, job.tier, job.device, 1, versions())
        self._suspects = Suspects(job.course.reference, job.course.parts, self._suspect)
        self._undiagnosed = False  # whether the diagnosis of the submission in hand failed: another time it may not

    def follow(self, job: Job) -> None:
        """Grade by another job of the same course from now on. The sandbox goes on if the job would have the same."""
        assert job.course_folder == self._job.course_folder, "a worker belongs to one course"
        before, self._job = self._job, job
        if _walls(job) != _walls(before):
            self._sandbox.close()
            self._sandbox = _sandbox(job)
            self._circumstances = Circumstances(job.course, job.tier, job.device, 1, versions())

    def close(self) -> None:
        """End the sandbox."""
        self._sandbox.close()

    def facts(self, submission: Submission) -> Facts:
        """Return the submission's facts, which are in its folder then. Raises SessionError when the harness fails."""
        began = time.monotonic()
        job = self._job
        if submission.error is not None:
            return write_facts(job, submission, unreadable_facts(job, submission, submission.error))
        tree = job.trees / submission.id
        discard(tree)  # of a run that was killed
        (seen,) = signatures([submission])  # before it is read: what changes meanwhile has another one
        try:
            prepared = prepare(submission, tree, self._parts, job.entry)
        except InputError as error:
            return write_facts(job, submission, unreadable_facts(job, submission, str(error)))
        write_signature(job, submission, seen or "")
        key = facts_key(job, prepared.sha256)
        found = known_facts(job, submission, key) if job.cache else None
        if found is not None:
            discard(tree)
            return self._renamed(submission, found, prepared)
        return self._fresh(submission, prepared, key, began)

    def _fresh(self, submission: Submission, prepared: Prepared, key: str, began: float) -> Facts:
        """Check a prepared submission, whose preparation began at that time, and discard its tree."""
        job = self._job
        folder = job.folder(submission)
        stages = {"prepare": time.monotonic() - began}
        with suppress(InfraError, OSError):  # the first run tries again, and says why
            self._sandbox.start()
        shown = {part: path for part, path in prepared.parts.items() if path is not None}
        flags = code_flags(prepared.tree, shown, libraries=all(part.libraries for part in self._parts.values()))
        observed = self._observe(prepared, submission.id, folder)
        discard(prepared.tree)
        stages.update(observed.stages)
        diagnosing = time.monotonic()
        self._undiagnosed = False
        checks = self._diagnosed(observed)
        stages[DIAGNOSIS] = time.monotonic() - diagnosing
        if any(check.outcome is Outcome.INFRA for check in checks.values()) or self._undiagnosed:
            require_room(job.work)  # a full disk fails every check: that is said once, and not of each student
        settled = not (self._undiagnosed or observed.starved)
        provenance = provenance_of(job, prepared.sha256, key if settled else NO_KEY)
        facts = Facts(
            student=submission.id,
            checks=checks,
            measures=observed.measures,
            figures=tuple(observed.figures),
            notes=(*submission.notes, *prepared.notes),
            handed_in=prepared.handed_in,
            code_flags=flags,
            provenance=provenance.model_copy(
                update={
                    "content": content(submission),
                    "seconds": round(time.monotonic() - began, 2),
                    "stages": {name: round(seconds, 3) for name, seconds in stages.items()},
                }
            ),
        )
        if observed.faults:
            write_faults(job, submission, "\n".join(observed.faults))
        return write_facts(job, submission, facts)

    def _observe(self, prepared: Prepared, owner: str, folder: Path) -> Observed:
        """Run the job's checks on a prepared submission. `owner`: the submission's id."""
        job = self._job
        store = (
            EvidenceStore(folder / "evidence", job.seal, owner, thrifty=True, most_bytes=STUDENT_BYTES)
            if job.cache
            else None
        )
        session = partial(self._session, prepared, store, folder)
        try:
            shares = [frozenset(job.checks)]
            if not job.course.is_kit and job.device is Device.CPU:
                shares = divided(job.checks, known(), job.needs, self._sandbox.processors, with_needs(set(job.first)))
            if len(shares) > 1:
                observed = merged(carried_out(shares, session, self._tell, self._elsewhere), job.allowance)
                if observed is not None:
                    return observed
            return session(frozenset(job.checks), self._tell).observed
        finally:
            if store is not None:
                store.prune()

    @contextmanager
    def _elsewhere(self) -> Iterator[None]:
        """Within this context, this copy of the process has a sandbox of its own, and leaves the other one alone."""
        others, self._sandbox = self._sandbox, _sandbox(self._job)
        try:
            yield
        finally:
            self._sandbox.close()
            self._sandbox = others

    def _session(
        self,
        prepared: Prepared,
        store: EvidenceStore | None,
        folder: Path,
        checks: frozenset[str],
        tell: Callable[[CheckMessage], None],
    ) -> Share:
        """Run checks of the job on a prepared submission, in one session."""
        job = self._job
        budget = Budget(job.allowance)
        student = Subject(prepared.tree, prepared.sha256, self._sandbox, store, self._circumstances, budget=budget)
        plugin = GradingPlugin(
            student,
            self._reference(),
            lambda: _data_set(job.data),
            wanted=checks,
            secret=job.secret,
            limits=job.limits_for,
            folder=folder,
            tell=tell,
            needs=job.needs,
            first=frozenset(with_needs(set(job.first))),
            names={part: path for part, path in prepared.parts.items() if path is not None},
        )
        return Share(run_session(plugin, checks), budget.seconds, budget.bytes)

    def _diagnosed(self, observed: Observed) -> dict[str, CheckFact]:
        """Look for the misconceptions behind failures. A fault in finding these leaves the verdicts as they are."""
        facts = observed.checks()
        try:
            course = self._job.course
            if course.is_kit:
                recorded = load(course.recorded)
                diagnosis = Diagnosis(facts, observed.tested, recorded.mistakes, recorded.same)
            else:
                threads = min(self._sandbox.processors, _MOST_THREADS)
                diagnosis = Diagnosis(facts, observed.tested, library(course), self._suspects.same, threads=threads)
            if diagnosis.is_needed:
                self._tell(DiagnosisBegan())
            return diagnosis.conclude()
        except Exception as error:  # of whatever kind: the verdicts stand without it
            self._undiagnosed = isinstance(error, InfraError | OSError)
            observed.fault(f"no misconceptions could be looked for: {traceback.format_exc()}")
            return facts

    def _reference(self) -> Subject:
        return reference_subject(self._job, self._sandbox, self._circumstances)

    def _suspect(self, replaced: Mapping[str, str]) -> Subject:
        return suspect_subject(self._job, replaced, self._sandbox, self._circumstances)

    def _renamed(self, submission: Submission, found: Facts, prepared: Prepared) -> Facts:
        """Update facts that still stand by what lies around its programs now: names, and files of other kinds."""
        notes = (*submission.notes, *prepared.notes)
        provenance = found.provenance.model_copy(update={"content": content(submission)})
        now = {"notes": notes, "handed_in": prepared.handed_in, "provenance": provenance}
        renamed = found.model_copy(update=now)
        if renamed == found:
            return found
        return write_facts(self._job, submission, renamed)


def _walls(job: Job) -> tuple[object, ...]:
    """Return what of a job its sandbox depends on."""
    return job.tier, job.trees, job.device, job.gpu_jobs, job.kept


def _sandbox(job: Job) -> Sandbox:
    share = gpus.share_of_memory(job.gpu_jobs)
    return Sandbox(job.tier, job.course, job.trees, device=job.device, gpu_share=share, kept=job.kept)


@cache
def library(course: Course) -> Library:
    """Return the misconceptions of a course, read once for each process."""
    return Library(course.misconceptions)


@cache
def _data_set(name: str | None) -> DataSet:
    """Return the data set, read once for each process."""
    return datasets.load(name)
