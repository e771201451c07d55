"""What one run of a probe may use. Every limit ends a run as an outcome of its own, with a sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run; the names are the rubric's."""

    seconds: float = 20.0  # on the run's own clock, from the moment that the student's code starts
    memory_mb: int = 2048  # resident memory of all its processes, beyond what the libraries take
    processes: int = 48  # processes and threads
    output_kb: int = 16_384  # printed before it is stopped; the report keeps the head and the tail
    evidence_mb: int = 64  # what a probe gives back
    disk_mb: int = 256  # files in its scratch folder, and /dev/shm

    def changed(self, values: Mapping[str, float]) -> Limits:
        """These limits with some replaced, e.g. `{"seconds": 60}`. Raises TypeError for a name that is none."""
        return replace(self, **values)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


NAMES: Final = tuple(field.name for field in fields(Limits))

# A check's kind sets where its limits start; the rubric may change a kind's or a single check's.
DEFAULTS: Final[Mapping[str, Limits]] = {
    "unit": Limits(),
    # Trainings end by themselves after their steps: several times what convolutional networks take on a slow core.
    "train": Limits(seconds=900.0, memory_mb=4096),
}
