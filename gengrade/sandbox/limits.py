"""Define the limits of one run of a probe. A run that exceeds one ends with an outcome and a message that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Final

from gengrade.choices import CheckKind


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run, named as in a rubric."""

    seconds: float = 20.0  # on the run's own clock, from the start of the student's code
    memory_mb: int = 2048  # resident memory of all its processes, without that of the imported libraries
    processes: int = 48  # processes and threads at once
    output_kb: int = 16_384  # of printed text; the report keeps the beginning and the end
    evidence_mb: int = 64  # of the probe's answer
    disk_mb: int = 256  # of files in its scratch folder, and again in /dev/shm

    def changed(self, values: Mapping[str, float]) -> Limits:
        """Return these limits with some replaced, e.g. `{"seconds": 60}`. Raises TypeError for an unknown name."""
        return replace(self, **values)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, float]:
        """Return the limits by name."""
        return asdict(self)


NAMES: Final = tuple(field.name for field in fields(Limits))

# The default limits for each kind of check; a rubric may change those of a kind or of a single check.
DEFAULTS: Final[Mapping[CheckKind, Limits]] = {
    CheckKind.UNIT: Limits(),
    # A training stops after a fixed number of steps; this is several times its duration on a slow core.
    CheckKind.TRAIN: Limits(seconds=900.0, memory_mb=4096),
}
