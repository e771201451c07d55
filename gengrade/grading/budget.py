"""Limit the time and the evidence of all runs of one submission together, in addition to the limits of each run.

A run counts with the amounts that were recorded for it, whether it is carried out now or its result comes from the
cache. So a grading that was interrupted and continued has the same result as one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gengrade.facts import Outcome
from gengrade.sandbox import Run


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits of all runs together, named as in the rubric under `limits: submission:`."""

    seconds: float = 1800.0  # by the clock that also limits each run
    evidence_mb: float = 1024  # received from the guests, in MiB

    def changed(self, values: Mapping[str, float]) -> Allowance:
        """Return this allowance with some limits replaced. Raises TypeError for a name that is not a limit's."""
        return replace(self, **values)

    def covers(self, seconds: float, size: int) -> bool:
        """Return whether runs of so many seconds and so many bytes of evidence leave something for another one."""
        return seconds < self.seconds and size < self.evidence_mb * (1 << 20)


class Budget:
    """Counts how much of one submission's allowance its runs have used."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self.seconds = 0.0  # of all runs so far
        self.bytes = 0  # of their evidence

    def charge(self, run: Run) -> None:
        """Add the time and the evidence of a run."""
        self.seconds += run.seconds
        self.bytes += run.received

    def refusal(self) -> Run | None:
        """Return the result of every further run if the allowance is used up, otherwise None."""
        allowance = self._allowance
        if allowance.covers(self.seconds, self.bytes):
            return None
        if self.seconds >= allowance.seconds:
            return Run(Outcome.TIMEOUT, _used_up(_duration(allowance.seconds)))
        return Run(Outcome.ERROR, _used_up(f"{allowance.evidence_mb:,g} MB of evidence"))


def _used_up(amount: str) -> str:
    return f"stopped: the submission's budget of {amount} is used up"


def _duration(seconds: float) -> str:
    whole = seconds >= 60 and seconds % 60 == 0
    count, unit = (seconds / 60, "minute") if whole else (seconds, "second")
    return f"{count:,g} {unit}{'' if count == 1 else 's'}"
