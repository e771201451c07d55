"""The reference as a package under test: its tree, its evidence, and copies of it with a misconception planted.

The reference's evidence is the same for all submissions, so it is kept once for the whole class.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from gengrade.grading.recorded import RecordedRunner, load
from gengrade.grading.subject import Circumstances, Subject
from gengrade.job.model import Job
from gengrade.sandbox import Sandbox
from gengrade.store import EvidenceStore
from gengrade.submissions import Submission, discard, lay_out, prepare

_REFERENCE: Final = ".reference"  # the reference's tree, among the students'
_SUSPECT: Final = ".suspect-"  # how the names of trees with a misconception begin


def with_reference(job: Job) -> Job:
    """Lay out the reference's tree beside the students', once for all workers, and return the job with its hash.

    In a kit for students there is none.
    """
    if job.course.is_kit:
        return job
    discard(job.trees / _REFERENCE)
    submission = Submission(id=_REFERENCE, name=_REFERENCE, late=None, source=job.course.reference)
    prepared = prepare(submission, job.trees / _REFERENCE, job.course.parts)
    return job.model_copy(update={"reference_sha256": prepared.sha256})


def reference_evidence(job: Job) -> EvidenceStore:
    """Return the store of the reference's evidence."""
    return _class_evidence(job, _REFERENCE)


def reference_subject(job: Job, sandbox: Sandbox, circumstances: Circumstances) -> Subject:
    """Return the reference as a subject. Its evidence is kept even when the students' is not.

    In a kit for students, it answers what was recorded.
    """
    tree = job.trees / _REFERENCE
    if job.course.is_kit:
        runner = RecordedRunner(load(job.course.recorded), sandbox, tree)
        return Subject(tree, "", runner, None, circumstances, ours=True)
    return Subject(tree, job.reference_sha256, sandbox.ours, reference_evidence(job), circumstances, ours=True)


def suspect_subject(job: Job, folder: Path, sandbox: Sandbox, circumstances: Circumstances) -> Subject:
    """Lay out a copy of the reference in which a misconception is planted, and return it as a subject."""
    tree = job.trees / f"{_SUSPECT}{secrets.token_hex(8)}"
    prepared = lay_out(folder, tree, job.course.parts)
    store = _class_evidence(job, prepared.sha256, thrifty=True)
    return Subject(tree, prepared.sha256, sandbox.ours, store, circumstances, ours=True)


def _class_evidence(job: Job, owner: str, *, thrifty: bool = False) -> EvidenceStore:
    return EvidenceStore(job.work / "evidence", job.seal, owner, thrifty=thrifty)
