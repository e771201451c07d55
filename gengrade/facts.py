"""Facts: what the checks of one submission observed, before anybody gives points for it.

A grading session writes them (`facts.json`); the rubric reads nothing else of a submission. Every text in them that a
submission can make long is shortened by its type: the facts of whatever is handed in stay below 2 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from gengrade.choices import Tier
from gengrade.texts import few, shortened, without_middle

MOST_FIGURES = 40  # of a submission
_MOST_NOTES = 60
_MOST_SYMPTOMS = 64  # of a check

Name = Annotated[str, AfterValidator(partial(shortened, most=120))]
Caption = Annotated[str, AfterValidator(partial(shortened, most=400))]
Value = Annotated[str, AfterValidator(partial(shortened, most=600))]
Message = Annotated[str, AfterValidator(partial(shortened, most=1_500))]
Traceback = Annotated[str, AfterValidator(partial(without_middle, most=2_500))]
Printed = Annotated[str, AfterValidator(partial(without_middle, most=4_500))]
Notes = Annotated[tuple[Caption, ...], AfterValidator(partial(few, most=_MOST_NOTES))]


def _first(symptoms: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    return {shortened(name, 180): number for name, number in islice(symptoms.items(), _MOST_SYMPTOMS)}


Numbers = Annotated[dict[str, tuple[float, float]], AfterValidator(_first)]


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
    Outcome.MISSING,  # below a wrong answer: nobody makes that a gap by leaving out another
    Outcome.FAILED,
    Outcome.ERROR,
    Outcome.CRASHED,
    Outcome.MEMORY,
    Outcome.TIMEOUT,
    Outcome.INFRA,
)


class Frozen(BaseModel):
    """An immutable record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some entries replaced, which are validated as any others: pydantic's own are not."""
        return type(self).model_validate({**dict(super().model_copy(deep=deep)), **(update or {})})


class TestFact(Frozen):
    """One test function's result. Texts may hold student output: escape them wherever they are shown."""

    __test__ = False  # not a class for pytest to collect

    name: Name  # the test function, e.g. "test_kld_closed_form"
    title: Caption  # its docstring's first line: what was tested
    outcome: Outcome
    message: Message = ""  # what happened, and what to do, for the student
    expected: Value | None = None
    got: Value | None = None
    traceback: Traceback | None = None  # the student's own frames only
    output: Printed | None = None  # head and tail of what the student's code printed
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
    symptoms: Numbers = {}  # where nothing does: what was seen, each number with its tolerance

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
    caption: Caption
    alt: Caption  # what it shows, in words, for a reader who cannot see it
    file: Name  # relative to the folder of facts.json, e.g. "figures/vae.train_bpd-0.png"
    sha256: str  # of the file, which is not shown when it is another one


DIAGNOSIS = "diagnosis"  # the stage in which the misconceptions behind failures are looked for


class Provenance(Frozen):
    """Everything that is needed to repeat a run and get the same facts."""

    seed: int
    data: str  # "mnist", "digits", or the given folder's name
    device: str
    profile: str  # in words, with what was left out
    course: str
    isolation: Tier
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
    figures: Annotated[tuple[Figure, ...], AfterValidator(lambda figures: figures[:MOST_FIGURES])]
    notes: Notes  # for the TA: what was skipped or renamed
    code_flags: Notes = ()  # for the TA: what in the code stands out, and costs nothing
    provenance: Provenance
