"""Facts of submissions in which no check was run: those that cannot be read, and those that the harness failed on."""

from __future__ import annotations

from gengrade.facts import CheckFact, Facts, Outcome, TestFact
from gengrade.grading.checks import known
from gengrade.job.model import Job
from gengrade.job.provenance import NO_KEY, provenance_of
from gengrade.submissions import Submission, content


def unreadable_facts(job: Job, submission: Submission, reason: str) -> Facts:
    """Return the facts of a submission that cannot be opened: for all that is known, nothing was handed in."""
    return _uniform(job, submission, Outcome.MISSING, reason, (*submission.notes, reason))


def broken_facts(job: Job, submission: Submission, reason: str) -> Facts:
    """Return the facts of a submission that the harness failed on: every check is our fault."""
    message = "This submission could not be graded, and it is not your fault. Your course staff has been told."
    return _uniform(job, submission, Outcome.INFRA, message, (*submission.notes, reason))


def _uniform(job: Job, submission: Submission, outcome: Outcome, message: str, notes: tuple[str, ...]) -> Facts:
    """Return facts in which all checks of the job have the same outcome."""
    checks = {}
    for id_ in known():
        if id_ in job.checks:
            test = TestFact(name=id_, title=id_, outcome=outcome, message=message)
            checks[id_] = CheckFact(check=id_, tests=(test,))
    return Facts(
        student=submission.id,
        checks=checks,
        measures={},
        figures=(),
        notes=notes,
        provenance=provenance_of(job, "none", NO_KEY).model_copy(update={"content": content(submission)}),
    )
