"""What a machine offers: which isolation, and which versions of what a grade depends on."""

from __future__ import annotations

import os
import socket

from gengrade.course import Course
from gengrade.facts import Frozen
from gengrade.job.provenance import code_hash, versions
from gengrade.sandbox import Tier, examine


class Machine(Frozen):
    """A machine that may grade."""

    name: str
    lacks: dict[Tier, str]  # the tiers that it does not give, and why; without `process`, which every machine gives
    versions: dict[str, str]  # of Python and of the libraries
    code: str  # a hash of graders, course and harness

    @property
    def best(self) -> Tier:
        """The strongest isolation that it gives."""
        return next(tier for tier in Tier if tier not in self.lacks)

    def differences(self, began: Machine) -> list[str]:
        """Return what differs from the machine where the run began, each as a clause."""
        names = sorted({*self.versions, *began.versions})
        pairs = [(name, self.versions.get(name, "missing"), began.versions.get(name, "missing")) for name in names]
        found = [
            f"{name} is {here} there and {there} where the run began" for name, here, there in pairs if here != there
        ]
        if self.code != began.code:
            found.append("its code of gengrade or of the course differs from that of the machine that began the run")
        return found

    def refusal(self, began: Machine, tier: Tier) -> str | None:
        """Return why it must not grade for a run; None: it may.

        began: the machine where the run began.
        tier: the isolation that was asked for.
        """
        if tier in self.lacks:
            return (
                f"{self.name}: it does not give the isolation {tier.value!r} ({self.lacks[tier]}), which the class is "
                f"graded with. Mend that (see `gengrade doctor`), leave this machine out, or give --isolation "
                f"{self.best.value} for all"
            )
        found = self.differences(began)
        if found:
            return f"{self.name}: {'; '.join(found)}. Install the same there, or leave this machine out"
        return None


def machine_name() -> str:
    """Return the name by which people know this machine; under Slurm, that of the node."""
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname()


def this_machine(course: Course) -> Machine:
    """Return what this machine offers for a course."""
    lacks = {finding.tier: finding.reason for finding in examine() if not finding.available}
    return Machine(name=machine_name(), lacks=lacks, versions=versions(), code=code_hash(course))
