"""The reference as a package under test: its tree, its evidence, and copies of it with a misconception planted.

The reference's evidence is the same for all submissions, so it is kept once for the whole class.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from gengrade.grading.recorded import RecordedRunner, load
from gengrade.grading.subject import Circumstances, Subject
from gengrade.job.model import Job
from gengrade.sandbox import Sandbox
from gengrade.store import MACHINE_BYTES, EvidenceStore
from gengrade.submissions import Submission, discard, prepare

_REFERENCE: Final = ".reference"  # the reference's tree, among the students'
_MACHINE: Final = ".machine"  # the owner of evidence that is kept for all classes; no student has this id


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
    store, machine = reference_evidence(job), machine_evidence(job)
    return Subject(tree, job.reference_sha256, sandbox.ours, store, circumstances, ours=True, machine=machine)


def machine_evidence(job: Job) -> EvidenceStore | None:
    """Return the store of what our own code finds out once on this machine; None if there is no place for it."""
    return None if job.machine is None else EvidenceStore(job.machine, job.seal, _MACHINE, most_bytes=MACHINE_BYTES)


def suspect_subject(job: Job, replaced: Mapping[str, str], sandbox: Sandbox, circumstances: Circumstances) -> Subject:
    """Return a copy of the reference in which a misconception is planted.

    replaced: the texts of the changed files, by their paths in the clean tree; none: the reference itself.
    """
    digest = hashlib.sha256(json.dumps([job.reference_sha256, dict(sorted(replaced.items()))]).encode()).hexdigest()
    sha256 = f"sha256:{digest}" if replaced else job.reference_sha256
    store = _class_evidence(job, sha256, thrifty=True)
    tree = job.trees / _REFERENCE
    return Subject(tree, sha256, sandbox.ours, store, circumstances, ours=True, replaced=replaced)


def _class_evidence(job: Job, owner: str, *, thrifty: bool = False) -> EvidenceStore:
    return EvidenceStore(job.work / "evidence", job.seal, owner, thrifty=thrifty)
