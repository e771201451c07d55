"""What one submission's runs may use altogether: each has limits of its own, and a hundred of them have this one.

What counts is what a run recorded, whether it was carried out now or is remembered: a grading that was interrupted
goes on to the same end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gengrade.facts import Outcome
from gengrade.sandbox import Run


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits; the names are the rubric's, beneath `limits: submission:`."""

    seconds: float = 1800.0  # of all runs together, by the clock that limits each of them
    evidence_mb: float = 1024  # that came over the wire

    def changed(self, values: Mapping[str, float]) -> Allowance:
        """This allowance with some limits replaced. Raises TypeError for a name that is none."""
        return replace(self, **values)


class Budget:
    """What is used up so far of one submission's allowance."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._seconds = 0.0
        self._bytes = 0

    def charge(self, run: Run) -> None:
        self._seconds += run.seconds
        self._bytes += run.received

    def refusal(self) -> Run | None:
        """What becomes of every further run when it is used up; None while there is some left."""
        allowance = self._allowance
        if self._seconds >= allowance.seconds:
            return Run(Outcome.TIMEOUT, _used_up(_duration(allowance.seconds)))
        if self._bytes >= allowance.evidence_mb * (1 << 20):
            return Run(Outcome.ERROR, _used_up(f"{allowance.evidence_mb:,g} MB of evidence"))
        return None


def _used_up(amount: str) -> str:
    return f"stopped: the submission's budget of {amount} is used up"


def _duration(seconds: float) -> str:
    whole = seconds >= 60 and seconds % 60 == 0
    count, unit = (seconds / 60, "minute") if whole else (seconds, "second")
    return f"{count:,g} {unit}{'' if count == 1 else 's'}"
