"""Define facts: what the checks of one submission observed, before points are given for it.

A grading session writes them to `facts.json`, and points depend on nothing else about the submission. The types below
shorten every text that a submission could make long, so that no submission's facts exceed 2 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

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
    """The outcome of a check; only `infra` is a fault of the harness."""

    PASSED = "passed"
    FAILED = "failed"  # the student's code ran, and its answer is wrong
    ERROR = "error"  # the student's code raised an exception or returned something unusable
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"  # the process ended by a signal, or exited before it answered
    MISSING = "missing"  # not handed in, or not filled in where the hand-out leaves a gap
    UNDECIDED = "undecided"  # cannot be decided here, such as without a package that is not installed; a person decides
    BLOCKED = "blocked"  # not run, since a check that it needs did not pass
    INFRA = "infra"  # a fault of the harness, which costs the student nothing


# Outcomes from the least to the most severe; a check of several tests has the most severe of their outcomes.
SEVERITY = (
    Outcome.PASSED,
    Outcome.UNDECIDED,
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
        """Return a copy with some entries replaced. Unlike pydantic's own method, this one validates them."""
        copied = super().model_copy(deep=deep)
        kept = {name: getattr(copied, name) for name in type(self).model_fields}  # what is computed is no entry
        return type(self).model_validate({**kept, **(update or {})})


class TestFact(Frozen):
    """One test function's result. Texts may hold student output: escape them wherever they are shown."""

    __test__ = False  # tells pytest not to collect this class

    name: Name  # the test function, e.g. "test_kld_closed_form"
    title: Caption  # its docstring's first line: what was tested
    outcome: Outcome
    message: Message = ""  # what happened, and what to do, for the student; of a passed test: why it asked nothing
    expected: Value | None = None
    got: Value | None = None
    traceback: Traceback | None = None  # the student's own frames only
    output: Printed | None = None  # head and tail of what the student's code printed
    seconds: float = 0.0


class Named(Frozen):
    """A misconception that was recognised in a submission."""

    name: str  # in the library, e.g. "kld.log_std_as_log_variance"
    sentence: str  # for the student


class CheckFact(Frozen):
    """The results of a check's tests; the check passed when all of them did."""

    check: str  # an id as in the rubric, e.g. "vae.kld"
    tests: tuple[TestFact, ...]
    misconception: Named | None = None  # of a failed check: the misconception that reproduces its evidence
    symptoms: Numbers = {}  # of a failed check without one: what was observed, each number with its tolerance

    @property
    def decisive(self) -> TestFact:
        """The first test with the most severe outcome; its message explains the check."""
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
    sha256: str  # of the file; a file with another hash is not shown


DIAGNOSIS = "diagnosis"  # the stage that searches for the misconceptions behind failures


class Provenance(Frozen):
    """Everything that is needed to repeat a run with the same facts."""

    seed: int
    data: str  # "mnist", "digits", or the given folder's name
    device: str
    profile: str  # in words, with what was left out
    course: str
    kit: bool = False  # whether a student's kit made it, whose results no teacher sees
    isolation: Tier
    versions: dict[str, str]
    submission: str  # "sha256:…" of the clean tree
    content: str | None = None  # "sha256:…" of all files as they were handed in; None: unreadable, or never looked at
    key: str  # a hash over all that the facts depend on
    seconds: float = 0.0
    stages: dict[str, float] = {}  # seconds per stage, e.g. {"prepare": 0.1, "vae.train_bpd": 21.0}


class Facts(Frozen):
    """Everything that the grading session of one submission observed."""

    student: str
    checks: dict[str, CheckFact]
    measures: dict[str, float]
    figures: Annotated[tuple[Figure, ...], AfterValidator(lambda figures: figures[:MOST_FIGURES])]
    notes: Notes  # for teaching assistants: which files were skipped or renamed
    handed_in: Notes = ()  # the names of the files that were handed in, those of programs first
    code_flags: Notes = ()  # for teaching assistants: what is unusual in the code; it costs no points
    provenance: Provenance

    @model_validator(mode="before")
    @classmethod
    def _without_lateness(cls, given: Any) -> Any:
        """Leave out the lateness that earlier versions kept here."""
        return {key: value for key, value in given.items() if key != "late"} if isinstance(given, dict) else given
