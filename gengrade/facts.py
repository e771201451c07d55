"""Facts: what the checks of one submission observed, before anybody gives points for it.

A grading session writes them (`facts.json`); the rubric reads nothing else of a submission.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Outcome(StrEnum):
    """What became of a check: one of nine words, of which only `infra` is the harness's own fault."""

    PASSED = "passed"
    FAILED = "failed"  # it ran, and its answer is wrong
    ERROR = "error"  # the student's code raised an exception, or gave back something unusable
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"  # the process died: a signal, or an exit before it answered
    MISSING = "missing"  # not handed in, or still the hand-out's gap
    BLOCKED = "blocked"  # not run, since a check that it needs did not pass
    INFRA = "infra"  # our fault: costs the student nothing


# From harmless to what a reader must see first; a check of several tests takes its worst.
SEVERITY = (
    Outcome.PASSED,
    Outcome.BLOCKED,
    Outcome.FAILED,
    Outcome.ERROR,
    Outcome.CRASHED,
    Outcome.MEMORY,
    Outcome.TIMEOUT,
    Outcome.MISSING,
    Outcome.INFRA,
)


class Frozen(BaseModel):
    """An immutable record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class TestFact(Frozen):
    """One test function's result. Texts may hold student output: escape them wherever they are shown."""

    __test__ = False  # not a class for pytest to collect

    name: str  # the test function, e.g. "test_kld_closed_form"
    title: str  # its docstring's first line: what was tested
    outcome: Outcome
    message: str = ""  # what happened, and what to do, for the student
    expected: str | None = None
    got: str | None = None
    traceback: str | None = None  # the student's own frames only
    output: str | None = None  # head and tail of what the student's code printed
    seconds: float = 0.0


class Named(Frozen):
    """A misconception that was recognised."""

    name: str  # in the library, e.g. "kld.log_std_as_log_variance"
    sentence: str  # for the student


class CheckFact(Frozen):
    """A check's tests together; it passed when all of them did."""

    check: str  # an id as in the rubric, e.g. "vae.kld"
    tests: tuple[TestFact, ...]
    misconception: Named | None = None  # what reproduces the evidence, where the check failed and something does
    symptoms: dict[str, tuple[float, float]] = {}  # where nothing does: what was seen, each number with its tolerance

    @property
    def decisive(self) -> TestFact:
        """The first test with the worst outcome: the one whose message explains the check."""
        return max(self.tests, key=lambda test: SEVERITY.index(test.outcome))

    @property
    def outcome(self) -> Outcome:
        return self.decisive.outcome


class Figure(Frozen):
    """A picture of the report: a PNG beside the facts."""

    check: str  # the check that drew it
    caption: str
    alt: str  # what it shows, in words, for a reader who cannot see it
    file: str  # relative to the folder of facts.json, e.g. "figures/vae.train_bpd-0.png"


class Provenance(Frozen):
    """Everything that is needed to repeat a run and get the same facts."""

    seed: int
    data: str  # "mnist", "digits", or the given folder's name
    device: str
    profile: str
    layout: str
    isolation: str  # the tier: "sandbox", "landlock" or "process"
    versions: dict[str, str]
    submission: str  # "sha256:…" of the clean tree
    key: str  # a hash over all that the facts depend on
    seconds: float = 0.0
    stages: dict[str, float] = {}  # seconds per stage, e.g. {"prepare": 0.1, "vae.train_bpd": 21.0}


class Facts(Frozen):
    """All that the session of one submission observed."""

    student: str
    late: bool | None  # None: nobody told us
    checks: dict[str, CheckFact]
    measures: dict[str, float]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]  # for the TA: what was skipped or renamed
    oddities: tuple[str, ...] = ()  # for the TA: what in the code stands out, and costs nothing
    provenance: Provenance

    @classmethod
    def read(cls, path: Path) -> Facts:
        return cls.model_validate_json(path.read_bytes())
