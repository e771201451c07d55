"""The grade: facts × rubric × marks → points. Nothing here runs or reads a submission.

The denominator is the rubric's alone. An item is either settled (it has points, perhaps none) or pending: its points
are neither won nor lost until a person, or another run, settles it. Whatever is our own fault is pending.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ConfigDict, Field

from gengrade.choices import Profile, Tier
from gengrade.facts import CheckFact, Facts, Frozen, Named, Outcome, Provenance
from gengrade.marks import Mark, Marks
from gengrade.rubric import CheckItem, Entry, ManualItem, MeasureItem, Rubric

OUR_FAULT = "Something went wrong on our side. That is not your fault and costs you nothing; a teacher will look."

BY_A_TEACHER = "No program could be checked here, so a teacher looks at what you handed in."

WRITTEN = "Written answer"  # the title of a manual item that has none

FULL_PROFILE = Profile.SMOKE  # runs every check; any other profile leaves some out

# What a TA should look at although a student may have caused it: the machine has a part in these.
LOOK = (Outcome.INFRA, Outcome.CRASHED, Outcome.TIMEOUT, Outcome.MEMORY)


class _Record(Frozen):
    model_config = ConfigDict(ser_json_inf_nan="null")


class ItemKind(StrEnum):
    """What gives an item its points."""

    CHECK = "check"
    MEASURE = "measure"  # a number that a check measured, by the rubric's thresholds
    MANUAL = "manual"  # a person


class ItemGrade(_Record):
    """What one item of the rubric earned, and why."""

    id: str
    kind: ItemKind
    check: str | None  # the check's or measure's id; None for a manual item
    title: str
    criterion: str | None  # what a teacher looks for, which may give the answer away: reports show it beside a mark
    outcome: Outcome | None  # None: nobody has judged it yet, or a person did
    points: float
    possible: float
    pending: float  # `possible` while it is unsettled, otherwise 0
    bonus: bool
    hidden: bool
    message: str
    expected: str | None = None  # what the message is about
    got: str | None = None
    misconception: Named | None = None  # what shows the same evidence on the same inputs
    symptoms: dict[str, tuple[float, float]] = Field(default_factory=dict)  # where nothing does: number and tolerance
    cause: str | None = None  # for teachers only: what went wrong on our side
    measures: dict[str, float | None] = Field(default_factory=dict)  # None: not finite
    comment: str | None = None  # of the person who marked it; None: nobody did
    seconds: float = 0.0  # that its check took

    @property
    def settled(self) -> bool:
        return self.pending == 0

    @property
    def lost(self) -> float:
        return 0.0 if self.bonus else round(self.possible - self.points - self.pending, 2)


class QuestionGrade(_Record):
    """A question's sum. Bonus points are counted apart: they are in no `possible`."""

    id: str
    part: str
    title: str
    points: float
    possible: float
    pending: float
    bonus: float
    bonus_possible: float
    bonus_pending: float
    items: tuple[ItemGrade, ...]


class GradeProvenance(Provenance):
    """The facts' provenance, and what turned them into points."""

    rubric: str  # "sha256:…" of the rubric's file
    marks: str | None  # "sha256:…" of the file of marks; None without one


class Grade(_Record):
    """One student's grade: the content of grade.json (see docs/grade-json.md)."""

    student: str
    assignment: str
    total: float  # points + bonus - penalty: what the student gets, as far as it is settled
    points: float
    possible: float
    pending: float
    bonus: float
    bonus_possible: float
    bonus_pending: float
    late: bool | None
    penalty: float
    questions: tuple[QuestionGrade, ...]
    notes: tuple[str, ...]
    code_flags: tuple[str, ...] = ()  # for teachers only: what in the code stands out, and costs nothing
    isolation: Tier
    provenance: GradeProvenance

    @classmethod
    def read(cls, path: Path) -> Grade:
        """Read a grade.json; raises pydantic's ValidationError (a ValueError) for anything else."""
        return cls.model_validate_json(path.read_bytes())

    def to_json(self) -> str:
        """The text of grade.json."""
        return self.model_dump_json(indent=1) + "\n"

    @property
    def items(self) -> tuple[ItemGrade, ...]:
        return tuple(item for question in self.questions for item in question.items)

    @property
    def needs_look(self) -> tuple[ItemGrade, ...]:
        """The unmarked items whose outcome a TA should look at."""
        return tuple(item for item in self.items if item.outcome in LOOK and item.comment is None)

    @property
    def has_infra(self) -> bool:
        """Whether something of ours went wrong with this submission."""
        return any(item.outcome is Outcome.INFRA for item in self.items)


def score(facts: Facts, rubric: Rubric, marks: Marks | None = None) -> Grade:
    """Turn what was observed into points."""
    given = marks.marks if marks else {}
    graded: dict[str, list[ItemGrade]] = {question.id: [] for question in rubric.questions()}
    secret = sorted(rubric.hidden_checks())
    for entry in rubric.entries():
        graded[entry.question.id].append(_grade_item(entry, facts, given.get(entry.id), secret))
    questions = tuple(
        QuestionGrade(
            id=question.id,
            part=part.name,
            title=question.title,
            **_sums(graded[question.id]),
            items=tuple(graded[question.id]),
        )
        for part in rubric.parts
        for question in part.questions
    )
    sums = _sums(item for question in questions for item in question.items)
    earned = sums["points"] + sums["bonus"]
    penalty = round(earned * rubric.late.penalty, 2) if rubric.late and facts.late else 0.0
    return Grade(
        student=facts.student,
        assignment=rubric.assignment,
        total=round(earned - penalty, 2),
        **sums,
        late=facts.late,
        penalty=penalty,
        questions=questions,
        notes=facts.notes,
        code_flags=facts.code_flags,
        isolation=facts.provenance.isolation,
        provenance=GradeProvenance(
            **dict(facts.provenance), rubric=rubric.sha256, marks=marks.sha256 if marks else None
        ),
    )


def _sums(items: Iterable[ItemGrade]) -> dict[str, float]:
    """Points, possible and pending of the items, bonus apart, without the dust of binary fractions."""
    items = tuple(items)
    sums = {}
    for prefix, bonus in (("", False), ("bonus_", True)):
        chosen = [item for item in items if item.bonus is bonus]
        sums["bonus" if bonus else "points"] = round(math.fsum(item.points for item in chosen), 2)
        sums[f"{prefix}possible"] = round(math.fsum(item.possible for item in chosen), 2)
        sums[f"{prefix}pending"] = round(math.fsum(item.pending for item in chosen), 2)
    return sums


class _Verdict(NamedTuple):
    """What an item's facts come to; a share of None leaves its points pending."""

    outcome: Outcome | None
    share: float | None
    message: str = ""
    measures: dict[str, float | None] | None = None
    cause: str | None = None
    fact: CheckFact | None = None  # of the check that failed, with what is known about why


def _grade_item(entry: Entry, facts: Facts, mark: Mark | None, secret: Sequence[str]) -> ItemGrade:
    item = entry.item
    verdict = _judge(entry, facts)
    points = round(item.points * (verdict.share or 0.0), 2)
    pending = item.points if verdict.share is None else 0.0
    message = verdict.message
    # In our own words alone: in a student's, the names that were replaced would be those that they guessed.
    for name in secret if verdict.outcome is Outcome.BLOCKED else ():
        message = message.replace(name, "a hidden check")
    if mark:
        points, pending = mark.points, 0.0
        message = "" if isinstance(item, ManualItem) else "Marked by a teacher; this replaces the automatic result."
    check = None if isinstance(item, ManualItem) else item.subject
    return ItemGrade(
        id=entry.id,
        kind=_kind(item),
        check=check,
        title=_title(entry, facts),
        criterion=_criterion(item),
        outcome=verdict.outcome,
        points=points,
        possible=item.points,
        pending=pending,
        bonus=entry.bonus,
        hidden=not isinstance(item, ManualItem) and item.hidden,
        message=message,
        **_explanation(verdict.fact),
        cause=verdict.cause,
        measures=verdict.measures or {},
        comment=mark.comment if mark else None,
        seconds=_seconds(check, facts),
    )


def _kind(item: CheckItem | MeasureItem | ManualItem) -> ItemKind:
    match item:
        case MeasureItem():
            return ItemKind.MEASURE
        case ManualItem():
            return ItemKind.MANUAL
        case CheckItem():
            return ItemKind.CHECK


def _title(entry: Entry, facts: Facts) -> str:
    item = entry.item
    if item.title:
        return item.title
    if isinstance(item, ManualItem):
        return WRITTEN
    fact = facts.checks.get(item.subject)
    titles = {test.title for test in fact.tests} if fact else set()
    return titles.pop() if len(titles) == 1 else item.subject


def _criterion(item: CheckItem | MeasureItem | ManualItem) -> str | None:
    if isinstance(item, ManualItem):
        return item.manual
    return item.optional


def _explanation(fact: CheckFact | None) -> dict[str, Any]:
    """What a failed check tells beyond its message."""
    if fact is None:
        return {}
    # JSON has no other numbers than finite ones.
    symptoms = {name: numbers for name, numbers in fact.symptoms.items() if all(map(math.isfinite, numbers))}
    return {
        "expected": fact.decisive.expected,
        "got": fact.decisive.got,
        "misconception": fact.misconception,
        "symptoms": symptoms,
    }


def _seconds(check: str | None, facts: Facts) -> float:
    fact = facts.checks.get(check) if check else None
    return round(math.fsum(test.seconds for test in fact.tests), 3) if fact else 0.0


def _judge(entry: Entry, facts: Facts) -> _Verdict:
    item = entry.item
    if isinstance(item, ManualItem):
        return _Verdict(None, None, "Waits for a teacher's mark.")
    missing = _missing((item.subject, *item.needs), facts) if item.optional else None
    if missing:
        reason = missing.decisive.message
        return _Verdict(None, None, f"{BY_A_TEACHER} The reason: {reason}" if reason else BY_A_TEACHER)
    obstacle = _obstacle(item.needs, facts)
    if obstacle:
        return obstacle
    if isinstance(item, MeasureItem) and item.measure in facts.measures:
        return _measured(item, facts.measures[item.measure], facts.provenance.data)
    verdict = _checked(item.subject, facts)
    if isinstance(item, MeasureItem) and verdict.outcome is Outcome.PASSED:
        return _Verdict(Outcome.INFRA, None, OUR_FAULT, cause=f"{item.measure} passed but recorded no measure")
    return verdict


def _missing(checks: tuple[str, ...], facts: Facts) -> CheckFact | None:
    """The first of these checks for which there is no program, and nothing wrong in what there is of one."""
    found = (facts.checks.get(check) for check in checks)
    return next((fact for fact in found if fact and fact.tests and fact.outcome is Outcome.MISSING), None)


def _obstacle(needs: tuple[str, ...], facts: Facts) -> _Verdict | None:
    """Why an item cannot be judged on its own, or None when all that it needs has passed."""
    verdicts = {need: _checked(need, facts) for need in needs}
    lost = [need for need, verdict in verdicts.items() if verdict.share == 0]
    if lost:
        return _Verdict(
            Outcome.BLOCKED, 0.0, f"Not judged, because it builds on {_and(lost)}, which did not pass. Mend that first."
        )
    pending = [verdict for verdict in verdicts.values() if verdict.share is None]
    return next((verdict for verdict in pending if verdict.outcome is Outcome.INFRA), pending[0] if pending else None)


def _checked(check: str, facts: Facts) -> _Verdict:
    fact = facts.checks.get(check)
    if fact is None or not fact.tests:
        if facts.provenance.profile != FULL_PROFILE:
            return _Verdict(None, None, f"Not run in this profile ({facts.provenance.profile}).")
        return _Verdict(Outcome.INFRA, None, OUR_FAULT, cause=f"the check {check} gave no result")
    if fact.outcome is Outcome.INFRA:
        return _Verdict(Outcome.INFRA, None, OUR_FAULT, cause=fact.decisive.message)
    if fact.outcome is Outcome.PASSED:
        return _Verdict(Outcome.PASSED, 1.0)
    return _Verdict(fact.outcome, 0.0, fact.decisive.message, fact=fact)


def _measured(item: MeasureItem, value: float, data: str) -> _Verdict:
    if not math.isfinite(value):
        message = "The measured value is not a finite number: something in the model overflows or divides by zero."
        return _Verdict(Outcome.FAILED, 0.0, message, {item.measure: None})
    thresholds = item.thresholds(data)
    if thresholds is None:
        message = (
            f"Measured {value:.4g}, but the rubric has no thresholds for the data set {data}: a teacher will add them."
        )
        return _Verdict(Outcome.INFRA, None, message, {item.measure: value})
    share = thresholds.share(value)
    message = f"Measured {value:.4g}: {thresholds.describe()}."
    return _Verdict(Outcome.PASSED if share == 1 else Outcome.FAILED, share, message, {item.measure: value})


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
