"""The files of facts and faults in a submission's folder, and whether the facts still answer what a job asks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from gengrade.atomic import write_whole
from gengrade.authenticity import Seal
from gengrade.facts import Facts, Outcome
from gengrade.job.model import Job
from gengrade.job.provenance import facts_key
from gengrade.places import read_plain
from gengrade.submissions import Submission, signatures

_FACTS: Final = "facts.json"
_FAULTS: Final = "faults.log"
_SIGNATURE: Final = "evidence/source"


def write_facts(job: Job, submission: Submission, facts: Facts) -> Facts:
    """Write the facts to the submission's folder, under the operator's seal, and return them."""
    document = facts.model_dump_json(indent=1)
    write_whole(job.folder(submission) / _FACTS, job.seal.sealed_json("facts", submission.id, document))
    return facts


def write_faults(job: Job, submission: Submission, text: str) -> None:
    """Write what went wrong on our side to the submission's folder, for whoever mends it."""
    write_whole(job.folder(submission) / _FAULTS, text)


def read_facts(job: Job, submission: Submission) -> Facts | None:
    """Read the facts in a submission's folder; None when they are unreadable, or were not written by us and for it."""
    return facts_in(job.folder(submission), submission.id, job.seal)


def facts_in(folder: Path, id_: str, seal: Seal) -> Facts | None:
    """Read the facts in a folder of results; None when they are unreadable, or not sealed for this submission's id."""
    try:
        return facts_of(read_plain(folder / _FACTS), id_, seal)
    except OSError:
        return None


def facts_of(content: bytes, id_: str, seal: Seal) -> Facts | None:
    """Return the facts in a file's content; None when they are no facts, or not sealed for this submission's id."""
    document = seal.opened_json("facts", id_, content)
    try:
        return None if document is None else Facts.model_validate_json(document)
    except ValidationError:
        return None


def known_facts(job: Job, submission: Submission, key: str) -> Facts | None:
    """Read the facts when they have this key and nothing of ours went wrong in them; else return None."""
    facts = read_facts(job, submission)
    return facts if facts is not None and _answers(facts, key) and _drawn(job.folder(submission), facts) else None


def _answers(facts: Facts, key: str) -> bool:
    infra = any(check.outcome is Outcome.INFRA for check in facts.checks.values())
    return facts.provenance.key == key and not infra


def _drawn(folder: Path, facts: Facts) -> bool:
    """Tell whether all pictures are there as they were drawn."""
    try:
        return all(
            hashlib.sha256(read_plain(folder / figure.file)).hexdigest() == figure.sha256 for figure in facts.figures
        )
    except OSError:
        return False


def changed(job: Job, submissions: Sequence[Submission]) -> list[Submission]:
    """Return the submissions whose facts do not stand: one that was touched since, or all when something else changed.

    The submissions are not opened for this.
    """
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
        and facts.notes[: len(submission.notes)] == submission.notes
        and known_facts(job, submission, facts_key(job, facts.provenance.submission)) is not None
    )


def write_signature(job: Job, submission: Submission, signature: str) -> None:
    """Note what the submission looked like when it was read, so that `changed` notices when it is touched."""
    write_whole(job.folder(submission) / _SIGNATURE, _sealed_signature(job, submission, signature))


def _sealed_signature(job: Job, submission: Submission, signature: str) -> bytes:
    return job.seal.sealed("source", submission.id, signature.encode())
