"""Grading one submission: from what was handed in to its facts. The facts are found again when nothing has changed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import secrets
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from gengrade import data as datasets
from gengrade.atomic import require_room, write_whole
from gengrade.authenticity import Seal
from gengrade.course import ADAPTERS, DECLARATION, Course, load
from gengrade.data import DataSet
from gengrade.facts import DIAGNOSIS, CheckFact, Facts, Frozen, Outcome, Provenance, TestFact
from gengrade.grading.budget import Allowance, Budget
from gengrade.grading.checks import known
from gengrade.grading.diagnosis import Diagnosis
from gengrade.grading.misconceptions import Library
from gengrade.grading.plugin import GradingPlugin, Observed
from gengrade.grading.session import run_session
from gengrade.grading.subject import Circumstances, Subject
from gengrade.grading.suspects import Suspects
from gengrade.home import HOME, PACKAGE, own_name
from gengrade.paths import InputError
from gengrade.places import read_plain
from gengrade.rubric import SUBMISSION
from gengrade.sandbox import DEFAULTS, InfraError, Kept, Limits, Sandbox, Tier
from gengrade.store import STUDENT_BYTES, EvidenceStore
from gengrade.submissions import Prepared, Submission, code_flags, discard, lay_out, prepare, signatures

_LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "pytorch_lightning")
_CODE = (".py", ".ipynb", ".yaml")  # a reference may be a notebook
_SIGNATURE = "evidence/source"
_FACTS = "facts.json"
REFERENCE = ".reference"  # the tree of our own solution, among the students'
SUSPECT = ".suspect-"  # the trees of our own solution with a mistake in it


class Job(Frozen):
    """What all submissions of a run share; the engine tells it to every worker, and nothing of it lies on the disk."""

    out: Path
    work: Path  # the harness's own folder beneath `out`: trees, seeds, the reference's evidence
    key: bytes = Field(repr=False)  # of the operator's seal
    drawn: bytes = Field(repr=False)  # at random, beside the seed, and shown by no report
    reference_sha256: str = ""  # of the tree of our own solution, once that is there
    course_folder: Path
    checks: tuple[str, ...]  # what to run, needs included
    profile: str
    part: str | None
    public: bool
    data: str | None
    data_name: str
    data_hash: str
    tier: str
    device: str
    cache: bool
    seed: int
    limits: dict[str, dict[str, float]]  # the rubric's changes, by kind or check
    entry: dict[str, str]  # what the rubric says that things are called, by role
    needs: dict[str, tuple[str, ...]]  # what the rubric says that checks need, beyond what their graders say
    kept: tuple[Kept, ...]  # what no run may read

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    @property
    def course(self) -> Course:
        return load(self.course_folder)

    @property
    def seal(self) -> Seal:
        return Seal(self.key)

    @property
    def trees(self) -> Path:
        return self.work / "trees"

    @property
    def secret(self) -> bytes:
        """What inputs are derived from: the seed, and a secret that no report shows."""
        return self.drawn + str(self.seed).encode()

    def limits_for(self, check: str, kind: str) -> Limits:
        return DEFAULTS[kind].changed(self.limits.get(kind, {})).changed(self.limits.get(check, {}))

    @property
    def allowance(self) -> Allowance:
        """What all runs of a submission may use together."""
        return Allowance().changed(self.limits.get(SUBMISSION, {}))

    def folder(self, submission: Submission) -> Path:
        return self.out / submission.id

    def own_evidence(self) -> EvidenceStore:
        """Of our own solution: the same for all submissions."""
        return EvidenceStore(self.work / "evidence", self.seal, REFERENCE)

    @cached_property
    def profile_name(self) -> str:
        """What was asked for, in words; anything but "smoke" leaves some checks out."""
        left_out = [f"part {self.part} only"] if self.part else []
        left_out += ["public checks only"] if self.public else []
        return ", ".join([self.profile, *left_out])


@cache
def library(course: Course) -> Library:
    """The misconceptions of a course, read once for each process."""
    return Library(course.misconceptions)


@cache
def versions() -> dict[str, str]:
    """What a number may depend on, by name."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


class Grader:
    """Grades submissions one after another, with one sandbox, started when it is first needed."""

    def __init__(self, job: Job, on_check: Callable[[str], None] = lambda check: None) -> None:
        self._job = job
        self._on_check = on_check
        self._parts = job.course.parts
        self._sandbox = Sandbox(Tier(job.tier), job.course, job.trees, device=job.device, kept=job.kept)
        self._circumstances = Circumstances(job.course, job.tier, job.device, 1, versions())
        self._suspects = Suspects(job.course.reference, self._suspect)
        self._undiagnosed = False  # of the submission in hand: another time it may be

    def close(self) -> None:
        self._sandbox.close()

    def facts(self, submission: Submission) -> Facts:
        """The submission's facts, written to its folder. Raises SessionError when the harness itself fails."""
        began = time.monotonic()
        job = self._job
        folder = job.folder(submission)
        if submission.error is not None:
            return write_facts(job, submission, _unreadable(job, submission, submission.error))
        tree = job.trees / submission.id
        discard(tree)  # of a run that was killed
        (seen,) = signatures([submission])  # before it is read: what changes meanwhile has another one
        try:
            prepared = prepare(submission, tree, self._parts, job.entry)
        except InputError as error:
            return write_facts(job, submission, _unreadable(job, submission, str(error)))
        write_whole(folder / _SIGNATURE, _sealed_signature(job, submission, seen or ""))
        key = facts_key(job, prepared.sha256)
        found = known_facts(job, submission, key) if job.cache else None
        if found is not None:
            discard(tree)
            return self._renamed(submission, found, prepared)
        stages = {"prepare": time.monotonic() - began}
        shown = {key: path for key, path in prepared.parts.items() if path is not None}
        flags = code_flags(prepared.tree, shown, libraries=all(part.libraries for part in self._parts.values()))
        observed = self._observe(submission, prepared, folder)
        discard(tree)
        stages.update(observed.stages)
        diagnosing = time.monotonic()
        self._undiagnosed = False
        checks = self._diagnosed(observed)
        stages[DIAGNOSIS] = time.monotonic() - diagnosing
        if any(check.outcome is Outcome.INFRA for check in checks.values()) or self._undiagnosed:
            require_room(job.work)  # a full disk fails every check: that is said once, and not of each student
        settled = not (self._undiagnosed or observed.starved)
        provenance = _provenance(job, prepared.sha256, key if settled else "none")
        facts = Facts(
            student=submission.id,
            late=submission.late,
            checks=checks,
            measures=observed.measures,
            figures=tuple(observed.figures),
            notes=(*submission.notes, *prepared.notes),
            code_flags=flags,
            provenance=provenance.model_copy(
                update={
                    "seconds": round(time.monotonic() - began, 2),
                    "stages": {name: round(seconds, 3) for name, seconds in stages.items()},
                }
            ),
        )
        if observed.faults:
            write_whole(folder / "faults.log", "\n".join(observed.faults))
        return write_facts(job, submission, facts)

    def _observe(self, submission: Submission, prepared: Prepared, folder: Path) -> Observed:
        job = self._job
        circumstances = self._circumstances
        store = (
            EvidenceStore(folder / "evidence", job.seal, submission.id, thrifty=True, most_bytes=STUDENT_BYTES)
            if job.cache
            else None
        )
        budget = Budget(job.allowance)
        student = Subject(prepared.tree, prepared.sha256, self._sandbox, store, circumstances, budget=budget)
        plugin = GradingPlugin(
            student,
            reference_subject(job, self._sandbox, circumstances),
            lambda: loaded(job.data),
            wanted=frozenset(job.checks),
            secret=job.secret,
            limits=job.limits_for,
            folder=folder,
            on_check=self._on_check,
            needs=job.needs,
            names={key: path for key, path in prepared.parts.items() if path is not None},
        )
        try:
            return run_session(plugin, job.checks)
        finally:
            if store is not None:
                store.prune()

    def _diagnosed(self, observed: Observed) -> dict[str, CheckFact]:
        """The facts with the misconceptions behind them. A fault in finding these leaves the verdicts as they are."""
        facts = observed.checks()
        try:
            return Diagnosis(facts, observed.tested, library(self._job.course), self._suspects.repeat).conclude()
        except Exception as error:  # of whatever kind: the verdicts stand without it
            self._undiagnosed = isinstance(error, InfraError | OSError)
            observed.fault(f"no misconceptions could be looked for: {traceback.format_exc()}")
            return facts

    def _suspect(self, folder: Path) -> Subject:
        """The package of the reference with a misconception: what comes of it is kept for the whole class."""
        tree = self._job.trees / f"{SUSPECT}{secrets.token_hex(8)}"
        prepared = lay_out(folder, tree, self._parts)
        store = EvidenceStore(self._job.work / "evidence", self._job.seal, prepared.sha256, thrifty=True)
        return Subject(tree, prepared.sha256, self._sandbox, store, self._circumstances, ours=True)

    def _renamed(self, submission: Submission, found: Facts, prepared: Prepared) -> Facts:
        """Facts that still stand, with what the names around the submission say now."""
        notes = (*submission.notes, *prepared.notes)
        if (found.late, found.notes) == (submission.late, notes):
            return found
        renamed = found.model_copy(update={"late": submission.late, "notes": notes})
        return write_facts(self._job, submission, renamed)


def reference_subject(job: Job, sandbox: Sandbox, circumstances: Circumstances) -> Subject:
    """Our own solution. Its evidence is kept even when students' is not: it is the same for all of them."""
    tree = job.trees / REFERENCE
    return Subject(tree, job.reference_sha256, sandbox, job.own_evidence(), circumstances, ours=True)


def with_reference(job: Job) -> Job:
    """The job, after the reference's tree was laid out beside the students', once for all workers."""
    discard(job.trees / REFERENCE)
    submission = Submission(id=REFERENCE, name=REFERENCE, late=None, source=job.course.reference)
    prepared = prepare(submission, job.trees / REFERENCE, job.course.parts)
    return job.model_copy(update={"reference_sha256": prepared.sha256})


@cache
def loaded(name: str | None) -> DataSet:
    """The data set, read once for each process."""
    return datasets.load(name)


def write_facts(job: Job, submission: Submission, facts: Facts) -> Facts:
    """Leaves them in the submission's folder, under the operator's seal."""
    document = facts.model_dump_json(indent=1)
    write_whole(job.folder(submission) / _FACTS, job.seal.sealed_json("facts", submission.id, document))
    return facts


def known_facts(job: Job, submission: Submission, key: str) -> Facts | None:
    """The facts in a submission's folder, when they answer the same question and nothing of ours went wrong in them."""
    facts = read_facts(job, submission)
    return facts if facts is not None and _answers(facts, key) and _drawn(job.folder(submission), facts) else None


def read_facts(job: Job, submission: Submission) -> Facts | None:
    """The facts in a submission's folder; none, when they cannot be read, or were not written by us and of it."""
    try:
        document = job.seal.opened_json("facts", submission.id, read_plain(job.folder(submission) / _FACTS))
        return None if document is None else Facts.model_validate_json(document)
    except (OSError, ValidationError):
        return None


def _answers(facts: Facts, key: str) -> bool:
    infra = any(check.outcome is Outcome.INFRA for check in facts.checks.values())
    return facts.provenance.key == key and not infra


def _drawn(folder: Path, facts: Facts) -> bool:
    """Whether all pictures are there as they were drawn."""
    try:
        return all(
            hashlib.sha256(read_plain(folder / figure.file)).hexdigest() == figure.sha256 for figure in facts.figures
        )
    except OSError:
        return False


def changed(job: Job, submissions: Sequence[Submission]) -> list[Submission]:
    """Those whose facts do not stand, judged without opening them: touched since, or something else changed."""
    seen = signatures(submissions) if job.cache else (None,) * len(submissions)
    pairs = zip(submissions, seen, strict=True)
    return [submission for submission, signature in pairs if not _is_current(job, submission, signature)]


def _is_current(job: Job, submission: Submission, signature: str | None) -> bool:
    try:
        kept = read_plain(job.folder(submission) / _SIGNATURE)
    except OSError:
        return False
    if signature is None or kept != _sealed_signature(job, submission, signature):
        return False
    facts = read_facts(job, submission)
    return (
        facts is not None
        and facts.late == submission.late
        and facts.notes[: len(submission.notes)] == submission.notes
        and known_facts(job, submission, facts_key(job, facts.provenance.submission)) is not None
    )


def _sealed_signature(job: Job, submission: Submission, signature: str) -> bytes:
    return job.seal.sealed("source", submission.id, signature.encode())


def facts_key(job: Job, submission: str) -> str:
    """A hash over all that facts depend on. Points and thresholds are none of it: they only score."""
    document = {
        "submission": submission,
        "code": _code_hash(job.course),
        "versions": versions(),
        "secret": hashlib.sha256(job.secret).hexdigest(),
        "course": job.course.name,
        "job": job.model_dump(
            mode="json",
            include={
                "checks",
                "profile",
                "part",
                "public",
                "data_hash",
                "tier",
                "device",
                "limits",
                "needs",
                "entry",
            },
        ),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@cache
def _code_hash(course: Course) -> str:
    """The code that makes facts: graders, the course with its reference, and the harness beneath them."""
    digest = hashlib.sha256()
    harness = [PACKAGE / name for name in ("grading", "sandbox", "submissions")]
    for folder in (HOME / "graders", *harness):
        for path in _code(folder):
            digest.update(own_name(path).encode() + b"\0" + path.read_bytes())
    for folder in (course.folder / ADAPTERS, course.misconceptions, course.reference):
        for path in _code(folder):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update((course.folder / DECLARATION).read_bytes())
    return digest.hexdigest()


def _code(folder: Path) -> list[Path]:
    return sorted(path for suffix in _CODE for path in folder.rglob(f"*{suffix}"))


def _provenance(job: Job, submission: str, key: str) -> Provenance:
    return Provenance(
        seed=job.seed,
        data=job.data_name,
        device=job.device,
        profile=job.profile_name,
        course=job.course.name,
        isolation=job.tier,
        versions=versions(),
        submission=submission,
        key=key,
    )


def _unreadable(job: Job, submission: Submission, reason: str) -> Facts:
    """Facts of a submission that cannot be opened: nothing of it was handed in, as far as anybody can tell."""
    return _uniform(job, submission, Outcome.MISSING, reason, (*submission.notes, reason))


def broken_facts(job: Job, submission: Submission, reason: str) -> Facts:
    """Facts of a submission that the harness failed on: every check is our fault."""
    message = "This submission could not be graded, and it is not your fault. Your course staff has been told."
    return _uniform(job, submission, Outcome.INFRA, message, (*submission.notes, reason))


def _uniform(job: Job, submission: Submission, outcome: Outcome, message: str, notes: tuple[str, ...]) -> Facts:
    checks = {}
    for id_ in known():
        if id_ in job.checks:
            test = TestFact(name=id_, title=id_, outcome=outcome, message=message)
            checks[id_] = CheckFact(check=id_, tests=(test,))
    return Facts(
        student=submission.id,
        late=submission.late,
        checks=checks,
        measures={},
        figures=(),
        notes=notes,
        provenance=_provenance(job, "none", "none"),
    )
