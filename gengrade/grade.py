"""Compute a grade from facts, rubric and marks. Nothing here runs or reads a submission.

Three properties are deliberate:

1. The possible points depend on the rubric alone.
2. An item is either settled (its points are known, and may be 0) or pending: its points are neither won nor lost until
   a person, or another run, settles it.
3. Whatever is a fault of the harness, or cannot be decided here, is pending.

Lateness deducts a share of what was earned, and never anything of pending points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ConfigDict, Field

from gengrade.choices import Profile, Tier
from gengrade.facts import CheckFact, Facts, Frozen, Named, Outcome, Provenance
from gengrade.lateness import Assessed, assessed
from gengrade.marks import Event, Marks
from gengrade.marks.model import Asked, is_for_other_files
from gengrade.parts import MODULE, NOTEBOOK
from gengrade.people.model import Member, Standing
from gengrade.rubric import CheckItem, Criterion, Entry, ManualItem, MeasureItem, Rubric
from gengrade.texts import counted

OUR_FAULT = "Something went wrong on our side. That is not your fault and costs no points; a teacher will look at it."

OUR_FAULT_IN_A_KIT = (  # whose results no teacher sees
    "Something went wrong on our side. That is not your fault and costs no points; please send your teachers the file "
    "faults.log that lies beside the report."
)

BY_A_TEACHER = "There was no program to check here, so a teacher will look at what you handed in."

DECIDES = "A teacher decides; until then it costs no points."

DIFFERS = "it differs in the group"

TOGETHER = " & "  # between the names of people who handed in together

WRITTEN = "Written answer"  # the title of a manual item without a title

FULL_PROFILE = Profile.SMOKE  # the profile that runs every check; any other leaves some out

# Outcomes that a teaching assistant should look at: the machine may have caused them and not the student, or only a
# person can decide.
LOOK = (Outcome.INFRA, Outcome.UNDECIDED, Outcome.CRASHED, Outcome.TIMEOUT, Outcome.MEMORY)


_FRAME = re.compile(r'(?m)^File "([^"\n]+)", line (\d{1,7})(?:,|$)')  # of a traceback in facts

# Outcomes that settle an item, so that a mark on it replaces a result.
_DECIDED = frozenset(Outcome) - {Outcome.INFRA, Outcome.UNDECIDED}


class _Record(Frozen):
    model_config = ConfigDict(ser_json_inf_nan="null")


class ItemKind(StrEnum):
    """What gives an item its points."""

    CHECK = "check"
    MEASURE = "measure"  # a number that a check measured, by the rubric's thresholds
    MANUAL = "manual"  # a person


class MarkState(StrEnum):
    """What a person's mark does to its item."""

    COUNTS = "counts"
    COMMENT = "comment"  # there is only a comment: the item keeps its automatic result, or stays pending
    EARLIER = "earlier wording"  # given before the rubric's item was changed: pending until somebody confirms it
    EARLIER_FILES = "earlier files"  # given before the student handed in again: pending until somebody confirms it
    CONFLICT = "conflict"  # two people marked the item without having seen each other's mark: pending
    NO_REASON = "needs a reason"  # it would replace an automatic result, but no comment says why: it does not count


UNDECIDED_MARKS = (MarkState.EARLIER, MarkState.EARLIER_FILES, MarkState.CONFLICT)  # their items are pending


class CriterionGrade(_Record):
    """A criterion of a marked item, and whether it is met."""

    text: str
    points: float  # negative: deducted when it is met
    met: bool


class GivenMark(_Record):
    """A mark that a person gave for an item. Who gave it, and when, is for teachers only."""

    points: float | None
    comment: str
    criteria: tuple[CriterionGrade, ...]  # () when the points were given directly
    wording: str | None  # the wording that it was given for, if it is not the present one
    by: str
    at: str  # UTC, ISO 8601


class AskedQuestion(_Record):
    """What the student asked about an item, and the answer. Points are those of the item then; None: pending."""

    question: str
    points: float | None
    answer: str | None  # None: it is not answered yet
    points_after: float | None  # when it was answered


class ItemGrade(_Record):
    """The points of one item of the rubric, and the reason for them."""

    id: str
    place: str  # "<question>-<position>", for the links of pages: the id of a hidden item may name its check
    kind: ItemKind
    check: str | None  # the check's or measure's id; None for a manual item
    title: str
    criterion: str | None  # what a teacher looks for; it may reveal the answer, so reports show it only beside a mark
    outcome: Outcome | None  # None: not judged yet, or judged by a person
    points: float
    possible: float
    pending: float  # `possible` while it is unsettled, otherwise 0
    bonus: bool
    hidden: bool
    message: str
    expected: str | None = None  # the right value, where the check failed
    got: str | None = None  # the submission's value
    code: tuple[str, int] | None = None  # the file and the line in which the submission's code raised an error
    misconception: Named | None = None  # the one that gives the same evidence on the same inputs
    symptoms: dict[str, tuple[float, float]] = Field(default_factory=dict)  # without one: numbers and tolerances
    cause: str | None = None  # for teachers only: what went wrong in the harness
    measures: dict[str, float | None] = Field(default_factory=dict)  # None: not finite
    comment: str | None = None  # of the person who marked the item; None: nobody did, or without a comment's effect
    mark_state: MarkState | None = None  # None: nobody marked it
    marks: tuple[GivenMark, ...] = ()  # one or, in a conflict, several
    questions: tuple[AskedQuestion, ...] = ()
    seconds: float = 0.0  # the duration of its check

    @property
    def settled(self) -> bool:
        return self.pending == 0

    @property
    def marked(self) -> bool:
        """Whether a person gave its points."""
        return self.mark_state is MarkState.COUNTS

    @property
    def overridden(self) -> bool:
        """Whether a person's mark replaces an automatic result that was decided."""
        return self.marked and self.outcome in _DECIDED

    @property
    def lost(self) -> float:
        return 0.0 if self.bonus else round(self.possible - self.points - self.pending, 2)


class QuestionGrade(_Record):
    """The sums of one question. Bonus points are counted separately and are not part of `possible`."""

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

    @property
    def left_out(self) -> frozenset[str]:
        """The ids of its bonus items if nothing of them was handed in."""
        of_bonus = [item for item in self.items if item.bonus and item.outcome is not None]
        absent = all(item.outcome in (Outcome.MISSING, Outcome.BLOCKED) for item in of_bonus)
        return frozenset(item.id for item in of_bonus) if absent else frozenset()


class GradeProvenance(Provenance):
    """The facts' provenance, and the hashes of the rubric and the marks that turned them into points.

    amendments: "sha256:…" of the criteria that were changed while marking; None if they are those of the rubric's file.
    """

    rubric: str  # "sha256:…" of the rubric's file
    marks: str | None  # "sha256:…" of the marks; None without any
    amendments: str | None = None


class PersonGrade(_Record):
    """What a submission earns for one of the people who handed it in. Only lateness differs between them."""

    id: str  # in the roster
    name: str
    group: str = ""
    late: bool | None
    lateness: Assessed
    penalty: float
    total: float


class Grade(_Record):
    """One student's grade: the content of grade.json (see docs/grade-json.md)."""

    student: str
    assignment: str
    total: float  # points + bonus - penalty, of the items that are settled
    points: float
    possible: float
    pending: float
    bonus: float
    bonus_possible: float
    bonus_pending: float
    late: bool | None  # None: unknown, or it differs among `people`
    penalty: float  # 0 if it is undecided, or differs among `people`
    lateness: Assessed = Assessed()
    people: tuple[PersonGrade, ...] = ()  # by the roster: a student, or the members of a group
    questions: tuple[QuestionGrade, ...]
    notes: tuple[str, ...]
    handed_in: tuple[str, ...] = ()  # the names of the files that were handed in, those of programs first
    code_flags: tuple[str, ...] = ()  # for teachers only: what is unusual in the code; it costs no points
    isolation: Tier
    provenance: GradeProvenance

    @classmethod
    def read(cls, path: Path) -> Grade:
        """Read a grade.json. Raises OSError, or ValueError (pydantic's ValidationError) if the file is not one."""
        return cls.model_validate_json(path.read_bytes())

    def to_json(self) -> str:
        """Return the text of grade.json."""
        return self.model_dump_json(indent=1) + "\n"

    @property
    def items(self) -> tuple[ItemGrade, ...]:
        return tuple(item for question in self.questions for item in question.items)

    @property
    def left_out(self) -> frozenset[str]:
        """The ids of the items of a bonus that was not handed in at all, which is no mistake."""
        return frozenset().union(*(question.left_out for question in self.questions))

    @property
    def who(self) -> str:
        """The names of the people by the roster, or else the submission's id."""
        return TOGETHER.join(person.name for person in self.people) or self.student

    @property
    def differs(self) -> bool:
        """Whether lateness costs the members of a group different points."""
        return any(_costs(person) != _costs(self.people[0]) for person in self.people)

    @property
    def undecided(self) -> bool:
        """Whether it cannot be decided yet what lateness costs."""
        return self.lateness.share is None or any(person.lateness.share is None for person in self.people)

    @property
    def open(self) -> bool:
        """Whether the total is not decided yet."""
        return bool(self.pending or self.bonus_pending or self.undecided)

    def for_person(self, id_: str) -> Grade:
        """Return the grade as it is for one of its people, or itself if there is nobody with that id."""
        own = next((person for person in self.people if person.id == id_), None)
        if own is None:
            return self
        kept = {"late": own.late, "lateness": own.lateness, "penalty": own.penalty, "total": own.total}
        return self.model_copy(update={**kept, "people": (own,)})

    @property
    def needs_look(self) -> tuple[ItemGrade, ...]:
        """The unmarked items whose outcome a teaching assistant should look at."""
        return tuple(item for item in self.items if item.outcome in LOOK and not item.marked)

    @property
    def open_marks(self) -> tuple[ItemGrade, ...]:
        """The items with a mark that does not count until a teaching assistant does something."""
        return tuple(item for item in self.items if item.mark_state in (*UNDECIDED_MARKS, MarkState.NO_REASON))

    @property
    def lacks_programs(self) -> bool:
        """Whether files were handed in, and no program or notebook is among them."""
        return bool(self.handed_in) and not any(name.lower().endswith((MODULE, NOTEBOOK)) for name in self.handed_in)

    @property
    def has_infra(self) -> bool:
        """Whether a fault of the harness left an item of this submission undecided."""
        return any(item.outcome is Outcome.INFRA for item in self.items)


def _costs(person: PersonGrade) -> tuple[float, bool]:
    return person.penalty, person.lateness.share is None


def _shared(people: Sequence[PersonGrade]) -> Assessed:
    """Return the lateness that the members of a group have in common; what differs between them is left out."""
    first, costs = people[0].lateness, _costs(people[0])
    alike = all(_seen(each.lateness) == _seen(first) for each in people)
    same = all(_costs(each) == costs for each in people)
    return first if alike and same else Assessed(share=first.share if same else 0.0, reason=DIFFERS)


def _seen(lateness: Assessed) -> tuple[bool | None, float | None, bool]:
    return lateness.late, lateness.seconds, lateness.excused


def score(facts: Facts, rubric: Rubric, marks: Marks | None = None, standing: Standing | None = None) -> Grade:
    """Return the grade of one submission.

    facts: what its checks observed.
    rubric: the marking scheme.
    marks: the points that people gave, which replace the automatic ones; None: there are none.
    standing: the people who handed it in, and how late it is for them; None: nothing is known.
    """
    standing = standing or Standing()
    given, asked = (marks.items, marks.asked) if marks else ({}, {})
    secret = sorted(rubric.hidden_checks())
    questions = _graded_questions(
        rubric,
        lambda entry: _grade_item(entry, facts, given.get(entry.id, ()), asked.get(entry.id, ()), secret),
    )
    sums = _sums(item for question in questions for item in question.items)
    earned = sums["points"] + sums["bonus"]
    people = tuple(_person(member, earned, rubric) for member in standing.members)
    lateness = _shared(people) if people else assessed(standing.lateness, rubric.late)
    penalty = _penalty(earned, lateness)
    return Grade(
        student=facts.student,
        assignment=rubric.assignment,
        total=round(earned - penalty, 2),
        **sums,
        late=lateness.late,
        penalty=penalty,
        lateness=lateness,
        people=people,
        questions=questions,
        notes=facts.notes,
        handed_in=facts.handed_in,
        code_flags=facts.code_flags,
        isolation=facts.provenance.isolation,
        provenance=GradeProvenance(
            **dict(facts.provenance),
            rubric=rubric.sha256,
            marks=marks.sha256 if marks else None,
            amendments=rubric.amendments,
        ),
    )


def _graded_questions(rubric: Rubric, grade: Callable[[Entry], ItemGrade]) -> tuple[QuestionGrade, ...]:
    """Return the questions of a rubric with their items as `grade` grades them."""
    graded: dict[str, list[ItemGrade]] = {question.id: [] for question in rubric.questions()}
    for entry in rubric.entries():
        graded[entry.question.id].append(grade(entry))
    return tuple(
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


def _person(member: Member, earned: float, rubric: Rubric) -> PersonGrade:
    """Return the grade of one person for a submission that earned so many points, bonus included."""
    lateness = assessed(member.lateness, rubric.late)
    penalty = _penalty(earned, lateness)
    return PersonGrade(
        id=member.id,
        name=member.name,
        group=member.group,
        late=lateness.late,
        lateness=lateness,
        penalty=penalty,
        total=round(earned - penalty, 2),
    )


def _penalty(earned: float, lateness: Assessed) -> float:
    return round(earned * (lateness.share or 0.0), 2)


def _sums(items: Iterable[ItemGrade]) -> dict[str, float]:
    """Return the sums of points, possible and pending points, bonus separately, rounded to hundredths."""
    items = tuple(items)
    sums = {}
    for prefix, bonus in (("", False), ("bonus_", True)):
        chosen = [item for item in items if item.bonus is bonus]
        sums["bonus" if bonus else "points"] = round(math.fsum(item.points for item in chosen), 2)
        sums[f"{prefix}possible"] = round(math.fsum(item.possible for item in chosen), 2)
        sums[f"{prefix}pending"] = round(math.fsum(item.pending for item in chosen), 2)
    return sums


class _Verdict(NamedTuple):
    """The judgement of an item by its facts: the share of its points, 0 to 1; None leaves them pending."""

    outcome: Outcome | None
    share: float | None
    message: str = ""
    measures: dict[str, float | None] | None = None
    cause: str | None = None
    fact: CheckFact | None = None  # of the check, where it failed


def _grade_item(
    entry: Entry, facts: Facts, given: Sequence[Event], asked: Sequence[Asked], secret: Sequence[str]
) -> ItemGrade:
    item = entry.item
    verdict = _judge(entry, facts)
    points = round(item.points * (verdict.share or 0.0), 2)
    pending = item.points if verdict.share is None else 0.0
    message, cause, comment = verdict.message, verdict.cause, None
    # Only our own messages are edited: replacing names in a student's text would confirm the names that it guessed.
    for name in secret if verdict.outcome is Outcome.BLOCKED else ():
        message = message.replace(name, "a hidden check")
    state = _state(entry, verdict, given, facts.provenance.content)
    if state in UNDECIDED_MARKS:
        assert state is not None
        points, pending, cause = 0.0, item.points, _to_do(state, entry, given)
    elif state is MarkState.NO_REASON:
        cause = _to_do(state, entry, given)
    elif state is not None:
        (mark,) = (event.mark for event in given if event.mark)
        comment = mark.comment
        if mark.points is not None:
            replaced = f", which was {points:g} of {item.points:g} points" if verdict.outcome in _DECIDED else ""
            message = (
                "" if isinstance(item, ManualItem) else f"A teacher's mark replaces the automatic result{replaced}."
            )
            points, pending = mark.points, 0.0
    check = None if isinstance(item, ManualItem) else item.subject
    return ItemGrade(
        id=entry.id,
        place=f"{entry.question.id}-{entry.position + 1}",
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
        cause=cause,
        measures=verdict.measures or {},
        comment=comment,
        mark_state=state,
        marks=tuple(_given(entry, event) for event in given if event.mark) if state else (),
        questions=tuple(map(_asked, asked)),
        seconds=_seconds(check, facts),
    )


def _state(entry: Entry, verdict: _Verdict, given: Sequence[Event], content: str | None) -> MarkState | None:
    """Return what the current marks of an item do to it; None without any.

    content: the hash of what was handed in; None: unknown.
    """
    marks = [event.mark for event in given]
    if not any(marks):
        return None
    if len(marks) > 1:
        return MarkState.CONFLICT
    mark = marks[0]
    assert mark is not None
    if mark.points is None:
        return MarkState.COMMENT
    if given[0].wording != entry.wording:
        return MarkState.EARLIER
    if is_for_other_files(given[0].content, content):
        return MarkState.EARLIER_FILES
    automatic = not isinstance(entry.item, ManualItem) and verdict.outcome in _DECIDED
    return MarkState.NO_REASON if automatic and not mark.comment.strip() else MarkState.COUNTS


def _to_do(state: MarkState, entry: Entry, given: Sequence[Event]) -> str:
    """Return, for teachers, why a mark does not count, and what to do about it."""
    said = " and ".join(
        f"{event.mark.points:g} by {event.by}"
        if event.mark and event.mark.points is not None
        else f"none by {event.by}"
        for event in given
    )
    if state is MarkState.CONFLICT:
        return f"There are several marks: {said}. Decide with: gengrade marks give {given[0].student} {entry.id}"
    if state is MarkState.NO_REASON:
        return f"The mark ({said}) would replace the automatic result: give it a comment that says why."
    confirm = f"confirm it with: gengrade marks confirm {entry.id} {given[0].student}"
    if state is MarkState.EARLIER_FILES:
        return f"The mark ({said}) was given for what was handed in before. Look at the new files, and {confirm}"
    before, present = given[0].wording, entry.wording
    if before and (before.text, before.points) == (present.text, present.points):
        was, now = (_criteria(wording.criteria) for wording in (before, present))
        said = f"The mark ({said}) was given for other criteria: {was}. Now they are: {now}."
        return f"{said} If it stands, {confirm}"
    was = f"“{before.text}” ({counted(before.points, 'point')})" if before else "another one"
    now = f"“{present.text}” ({counted(present.points, 'point')})"
    return f"The mark ({said}) was given for an earlier wording: {was}. Now it is {now}. If it stands, {confirm}"


def _criteria(criteria: Sequence[Criterion]) -> str:
    return "; ".join(f"“{each.text}” ({each.points:+g})" for each in criteria) or "none"


def _given(entry: Entry, event: Event) -> GivenMark:
    mark, wording = event.mark, event.wording
    assert mark is not None
    criteria = wording.criteria if wording and mark.criteria is not None else ()
    return GivenMark(
        points=mark.points,
        comment=mark.comment,
        criteria=tuple(
            CriterionGrade(text=each.text, points=each.points, met=each.id in (mark.criteria or ()))
            for each in criteria
        ),
        wording=wording.text if wording and wording != entry.wording else None,
        by=event.by,
        at=event.at,
    )


def _asked(asked: Asked) -> AskedQuestion:
    answer = asked.answer
    return AskedQuestion(
        question=asked.text,
        points=asked.points,
        answer=answer.text if answer else None,
        points_after=answer.points if answer else None,
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
    """Return what a failed check tells in addition to its message, as fields of an ItemGrade."""
    if fact is None:
        return {}
    # JSON has no other numbers than finite ones.
    symptoms = {name: numbers for name, numbers in fact.symptoms.items() if all(map(math.isfinite, numbers))}
    return {
        "expected": fact.decisive.expected,
        "got": fact.decisive.got,
        "code": _raised_in(fact.decisive.traceback),
        "misconception": fact.misconception,
        "symptoms": symptoms,
    }


def _raised_in(traceback: str | None) -> tuple[str, int] | None:
    """Return the file and the line of the innermost frame of a submission's traceback."""
    found = _FRAME.findall(traceback or "")
    return (found[-1][0], int(found[-1][1])) if found else None


def _seconds(check: str | None, facts: Facts) -> float:
    fact = facts.checks.get(check) if check else None
    return round(math.fsum(test.seconds for test in fact.tests), 3) if fact else 0.0


def _judge(entry: Entry, facts: Facts) -> _Verdict:
    item = entry.item
    if isinstance(item, ManualItem):
        return _Verdict(None, None, "A teacher still has to mark this.")
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
        return _Verdict(Outcome.INFRA, None, _our_fault(facts), cause=f"{item.measure} passed but recorded no measure")
    return verdict


def _our_fault(facts: Facts) -> str:
    return OUR_FAULT_IN_A_KIT if facts.provenance.kit else OUR_FAULT


def _missing(checks: tuple[str, ...], facts: Facts) -> CheckFact | None:
    """Return the facts of the first of these checks with a missing answer and no wrong one, or None."""
    found = (facts.checks.get(check) for check in checks)
    return next((fact for fact in found if fact and fact.tests and fact.outcome is Outcome.MISSING), None)


def _obstacle(needs: tuple[str, ...], facts: Facts) -> _Verdict | None:
    """Return the verdict on an item whose needs have not all passed, or None when they have."""
    verdicts = {need: _checked(need, facts) for need in needs}
    lost = [need for need, verdict in verdicts.items() if verdict.share == 0]
    if lost:
        return _Verdict(
            Outcome.BLOCKED, 0.0, f"Not judged, because it builds on {_and(lost)}, which did not pass. Fix that first."
        )
    pending = [verdict for verdict in verdicts.values() if verdict.share is None]
    return next((verdict for verdict in pending if verdict.outcome is Outcome.INFRA), pending[0] if pending else None)


def _checked(check: str, facts: Facts) -> _Verdict:
    fact = facts.checks.get(check)
    if fact is None or not fact.tests:
        if facts.provenance.profile != FULL_PROFILE:
            return _Verdict(None, None, f"This check is not run in the profile {facts.provenance.profile}.")
        return _Verdict(Outcome.INFRA, None, _our_fault(facts), cause=f"the check {check} gave no result")
    if fact.outcome is Outcome.INFRA:
        return _Verdict(Outcome.INFRA, None, _our_fault(facts), cause=fact.decisive.message)
    if fact.outcome is Outcome.UNDECIDED:
        return _Verdict(Outcome.UNDECIDED, None, f"{fact.decisive.message}. {DECIDES}")
    if fact.outcome is Outcome.PASSED:
        return _Verdict(Outcome.PASSED, 1.0, next((test.message for test in fact.tests if test.message), ""))
    return _Verdict(fact.outcome, 0.0, fact.decisive.message, fact=fact)


def _measured(item: MeasureItem, value: float, data: str) -> _Verdict:
    if not math.isfinite(value):
        message = "The measured value is not a finite number: the model overflows or divides by zero somewhere."
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
