"""What a run on several machines began with: every machine compares itself with that before it grades anything."""

from __future__ import annotations

from typing import Self

from gengrade.engine.cluster.machine import Machine, this_machine
from gengrade.engine.errors import UsageError
from gengrade.facts import Frozen
from gengrade.job import Job
from gengrade.job.provenance import facts_key
from gengrade.sandbox import Tier


class Plan(Frozen):
    """What all machines of a run share."""

    began: Machine
    tier: Tier
    key: str  # a hash of all that facts depend on but the submission
    slices: int
    total: int  # submissions that were to be graded when the run began

    @classmethod
    def of(cls, job: Job, slices: int, total: int) -> Self:
        """Return the plan of a job that begins on this machine."""
        return cls(began=this_machine(job.course), tier=job.tier, key=facts_key(job, ""), slices=slices, total=total)

    def require_same(self, job: Job) -> None:
        """Raise UsageError, which names this machine, unless what it would find out is what the others find out."""
        here = this_machine(job.course)
        if refusal := here.refusal(self.began, self.tier):
            raise UsageError(refusal)
        if facts_key(job, "") != self.key:
            raise UsageError(
                f"{here.name}: the options, the rubric or the data set differ from those of the machine that began the "
                "run; begin it again"
            )
