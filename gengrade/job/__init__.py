"""Grading one submission: from what was handed in to its facts.

    Job                          what all submissions of a run share (`model`)
    Grader(job).facts(s)         grades a submission, or finds its facts again when nothing has changed (`grader`)
    with_reference(job)          lays out the reference's tree beside those of the students (`reference`)
    reference_evidence(job)      the store of the reference's evidence (`reference`)
    machine_evidence(job)        the store of what our own code finds out once on this machine (`reference`)
    changed(job, submissions)    the submissions whose facts no longer stand (`facts_file`)
    facts_in, write_facts        the facts in a submission's folder (`facts_file`)
    write_faults                 what went wrong on our side, beside them (`facts_file`)
    broken_facts                 the facts of a submission that the harness failed on (`ungraded`)

What facts depend on is said once, in `provenance`.
"""

from gengrade.job.facts_file import changed, facts_in, write_facts, write_faults
from gengrade.job.grader import Grader
from gengrade.job.model import Job
from gengrade.job.reference import machine_evidence, reference_evidence, with_reference
from gengrade.job.ungraded import broken_facts

__all__ = [
    "Grader",
    "Job",
    "broken_facts",
    "changed",
    "facts_in",
    "machine_evidence",
    "reference_evidence",
    "with_reference",
    "write_facts",
    "write_faults",
]
