"""Read a rubric, which says how many points each fact earns, and report its first mistake with the line."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gengrade.choices import CheckKind
from gengrade.documents import Document, DocumentError, Where, suggestion
from gengrade.texts import unwrapped

SUBMISSION = "submission"  # in `limits`: the limits for all runs of a submission together
ANY_DATA = "default"  # in a threshold's mapping: the value for every data set that is not named


class RubricError(DocumentError):
    """A rubric has a mistake."""


def _cents(points: float) -> float:
    if round(points, 2) != points:
        raise ValueError(f"{points} points are finer than a hundredth: round them to two decimals")
    return points


Points = Annotated[float, Field(ge=0), AfterValidator(_cents)]
Text = Annotated[str, Field(min_length=1)]
Id = Annotated[str, Field(pattern=r"^[\w.:-]+$")]  # restricted, since ids become anchors in the HTML report
Threshold = float | dict[str, float]  # one number, or one for each data set


class _Strict(BaseModel):
    """An immutable part of a rubric that refuses unknown keys, conversions between types, and infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Item(_Strict):
    points: Points
    # The name that marks use. It must not change when items are added, so a position cannot serve as the default.
    id: Id | None = None  # by default the check or measure; a manual item must have one
    title: Text | None = None  # shown to students; by default the title of the check's test
    bonus: bool = False  # its points are added to the question's


class _Automatic(_Item):
    needs: tuple[Text, ...] = ()  # checks that must have passed; otherwise the item earns nothing
    hidden: bool = False  # students see the verdict, but not what was tested
    # What a teaching assistant looks for if the item's check, or one that it needs, is `missing`; its points then wait.
    optional: Text | None = None


class CheckItem(_Automatic):
    """An item that earns all its points when its check passes, otherwise none."""

    check: Text

    @property
    def subject(self) -> str:
        return self.check


class Thresholds(NamedTuple):
    """Two values of a measure: `none` earns no points, `full` all of them, linearly between; either may be larger."""

    full: float
    none: float

    def share(self, value: float) -> float:
        """Return the share of the points, 0 to 1, that a finite measure earns."""
        share = (value - self.none) / (self.full - self.none)
        return min(share, 1.0) if share > 0 else 0.0

    def describe(self) -> str:
        """Return the thresholds in words, such as "full points at 1 or less, none at 2 or more"."""
        better, worse = ("less", "more") if self.full < self.none else ("more", "less")
        return f"full points at {self.full:g} or {better}, none at {self.none:g} or {worse}"


class MeasureItem(_Automatic):
    """An item whose points are proportional to a measure, between two thresholds."""

    measure: Text
    full: Threshold
    none: Threshold

    @property
    def subject(self) -> str:
        return self.measure

    def data_sets(self) -> set[str]:
        """Return the data sets that have thresholds of their own; empty when one pair is for all data sets."""
        return {name for side in (self.full, self.none) if isinstance(side, dict) for name in side}

    def thresholds(self, data: str) -> Thresholds | None:
        """Return the thresholds for a data set, or None when the rubric has none for it."""
        full, none = _side(self.full, data), _side(self.none, data)
        return None if full is None or none is None else Thresholds(full, none)


class Criterion(_Strict):
    """A part of a manual item that a person ticks: it adds its points or, if they are negative, deducts them."""

    id: Id  # unique in its item; marks name it
    text: Text
    points: Annotated[float, AfterValidator(_cents)]


class ManualItem(_Item):
    """An item whose points a person gives; the text says what to look for."""

    manual: Text
    criteria: tuple[Criterion, ...] = ()

    def sum(self, met: Collection[str]) -> float:
        """Return the points for the criteria that are met, named by their ids: at least 0, at most the item's points.

        The sum starts at 0 or, if all criteria deduct, at the item's points.
        """
        start = 0.0 if any(criterion.points > 0 for criterion in self.criteria) else self.points
        total = start + math.fsum(criterion.points for criterion in self.criteria if criterion.id in met)
        return round(min(max(total, 0.0), self.points), 2)


def _side(threshold: Threshold, data: str) -> float | None:
    return threshold.get(data, threshold.get(ANY_DATA)) if isinstance(threshold, dict) else threshold


def _kind(item: Any) -> str | None:
    """Return the tag of the item model that a mapping is for; None unless it has exactly one of the three keys."""
    kinds = [key for key in ("check", "measure", "manual") if isinstance(item, dict) and key in item]
    return f"{kinds[0]} item" if len(kinds) == 1 else None


Item = Annotated[
    Annotated[CheckItem, Tag("check item")]
    | Annotated[MeasureItem, Tag("measure item")]
    | Annotated[ManualItem, Tag("manual item")],
    Discriminator(
        _kind,
        custom_error_type="item_kind",
        custom_error_message='an item has exactly one of the keys "check", "measure" and "manual": write one of them',
    ),
]


class Question(_Strict):
    """A question; its points are the sum of its items' points without the bonus items."""

    id: Id
    title: Text
    points: Points
    bonus: bool = False  # whether the whole question is a bonus
    items: tuple[Item, ...] = Field(min_length=1)


class Part(_Strict):
    """A chapter of the assignment."""

    name: Text
    questions: tuple[Question, ...] = Field(min_length=1)


class Limits(_Strict):
    """Limits for one run of a probe, or for all runs of a submission; None keeps the default."""

    seconds: float | None = Field(None, gt=0)
    memory_mb: int | None = Field(None, gt=0)
    processes: int | None = Field(None, gt=0)
    output_kb: int | None = Field(None, gt=0)
    evidence_mb: int | None = Field(None, gt=0)
    disk_mb: int | None = Field(None, gt=0)


_COUNTED = ("seconds", "evidence_mb")  # the limits that exist for all runs of a submission together


class Late(_Strict):
    """The deduction for a late submission, as a share of the points that were earned, bonus included.

    Without `per` it is the same however late a submission is.
    """

    penalty: float
    per: Literal["day", "hour"] | None = None  # for each one that has begun
    most: float | None = None  # with `per`: the largest deduction; None: all points
    grace_minutes: float = 0.0  # what is late by no more costs nothing
    free_days: int = 0  # begun days that cost a student nothing
    refused_after_days: float | None = None  # what is late by more earns nothing; None: everything is accepted

    @field_validator("per", mode="before")
    @classmethod
    def _is_a_unit(cls, value: Any) -> Any:
        if value not in ("day", "hour"):
            raise ValueError(f'"per" must be day or hour, not {value!r}: write one of these, or leave it out')
        return value

    @field_validator("penalty", "most")
    @classmethod
    def _is_a_share(cls, value: float, field: ValidationInfo) -> float:
        if value is not None and not 0 <= value <= 1:
            reason = "write a share of the points from 0 to 1, such as 0.1 for 10 %"
            raise ValueError(f'"{field.field_name}" is {value:g}: {reason}')
        return value

    @field_validator("grace_minutes", "free_days", "refused_after_days")
    @classmethod
    def _is_not_negative(cls, value: float, field: ValidationInfo) -> float:
        if value is not None and value < 0:
            raise ValueError(f'"{field.field_name}" is {value:g}: write 0 or more')
        return value


class Wording(_Strict):
    """What a person read when they marked an item: a mark stands for this wording and for no later one."""

    text: Text  # the criterion, or the name of the check
    points: float
    criteria: tuple[Criterion, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the wording and the points, but not with line breaks or the place in the rubric."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class Entry(NamedTuple):
    """An item with its position in the rubric."""

    id: str
    position: int  # in its question, from 0
    item: CheckItem | MeasureItem | ManualItem
    question: Question
    part: Part
    where: Where

    @property
    def bonus(self) -> bool:
        return self.question.bonus or self.item.bonus

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks that decide its points: its own, then those that it needs."""
        return () if isinstance(self.item, ManualItem) else (self.item.subject, *self.item.needs)

    @property
    def wording(self) -> Wording:
        """The wording that a mark for this item is given for."""
        if isinstance(self.item, ManualItem):
            criteria = tuple(each.model_copy(update={"text": unwrapped(each.text)}) for each in self.item.criteria)
            return Wording(text=unwrapped(self.item.manual), points=self.item.points, criteria=criteria)
        return Wording(text=unwrapped(self.item.optional or self.item.subject), points=self.item.points)


class Rubric(_Strict):
    """An assignment's marking scheme."""

    assignment: Text
    course: Text | None = None  # a course's name, or a folder relative to the rubric; None: the rubric's own folder
    data: Text | None = None  # the data set to grade on, unless the command names one
    limits: dict[str, Limits] = {}  # for "unit", "train", one check's id, or "submission"
    late: Late | None = None
    entry: dict[Text, Text] = {}  # for each role, the name in submissions, where the course does not fix it
    parts: tuple[Part, ...] = Field(min_length=1)

    _document: Document = PrivateAttr()
    _amendments: str | None = PrivateAttr(None)

    @classmethod
    def load(cls, path: Path) -> Rubric:
        """Read a rubric from a file. Raises RubricError with the line of the first mistake."""
        return cls._of(Document.load(path, RubricError))

    @classmethod
    def parse(cls, text: str, path: Path) -> Rubric:
        """Read a rubric from text; `path` is used in messages only. Raises RubricError as `load` does."""
        return cls._of(Document.parse(text.encode(), path, RubricError))

    @classmethod
    def _of(cls, document: Document) -> Rubric:
        try:
            rubric = cls.model_validate_json(json.dumps(document.data))  # strict JSON mode takes a list for a tuple
        except ValidationError as invalid:
            raise document.invalid(invalid, _keys()) from None
        rubric._document = document
        for entry in rubric.entries():
            rubric._check_entry(entry)
        rubric._check_ids()
        rubric._check_sums()
        rubric._check_allowance()
        rubric._check_late()
        return rubric

    @property
    def path(self) -> Path:
        """The path of the rubric's file."""
        return self._document.path

    @property
    def sha256(self) -> str:
        """The hash of the file's bytes, as "sha256:…"."""
        return self._document.sha256

    @property
    def amendments(self) -> str | None:
        """A hash of the criteria that were changed while marking, as "sha256:…"; None if there are none."""
        return self._amendments

    def amended(self, criteria: Mapping[str, tuple[Criterion, ...]]) -> Rubric:
        """Return the rubric with these criteria in the place of those of its manual items with these ids."""
        if not criteria:
            return self

        def question(question: Question) -> Question:
            items = tuple(
                item.model_copy(update={"criteria": criteria[item.id]})
                if isinstance(item, ManualItem) and item.id is not None and item.id in criteria
                else item
                for item in question.items
            )
            return question.model_copy(update={"items": items})

        def part(part: Part) -> Part:
            return part.model_copy(update={"questions": tuple(map(question, part.questions))})

        rubric = self.model_copy(update={"parts": tuple(map(part, self.parts))})
        said = {item: [each.model_dump() for each in criteria[item]] for item in sorted(criteria)}
        rubric._amendments = f"sha256:{hashlib.sha256(json.dumps(said).encode()).hexdigest()}"
        return rubric

    def entries(self) -> Iterator[Entry]:
        """Yield every item in the order of the file."""
        for p, part in enumerate(self.parts):
            for q, question in enumerate(part.questions):
                for i, item in enumerate(question.items):
                    where: Where = ("parts", p, "questions", q, "items", i)
                    id_ = item.id or (question.id if isinstance(item, ManualItem) else item.subject)
                    yield Entry(id_, i, item, question, part, where)

    def questions(self) -> Iterator[Question]:
        """Yield every question in the order of the file."""
        return (question for part in self.parts for question in part.questions)

    def checks(self) -> tuple[str, ...]:
        """Return the ids of all checks and measures that items refer to, each once, in the order of the file."""
        return tuple(dict.fromkeys(check for entry in self.entries() for check in entry.checks))

    def hidden_checks(self) -> set[str]:
        """Return the checks that only hidden items refer to; messages must not name them."""
        items = [entry.item for entry in self.entries() if not isinstance(entry.item, ManualItem)]
        return {item.subject for item in items if item.hidden} - {item.subject for item in items if not item.hidden}

    def thresholds(self, data: str) -> dict[str, Thresholds]:
        """Return the thresholds of every measure that has some for this data set."""
        measures = [entry.item for entry in self.entries() if isinstance(entry.item, MeasureItem)]
        found = {item.measure: item.thresholds(data) for item in measures}
        return {measure: pair for measure, pair in found.items() if pair is not None}

    def verify(self, known_checks: Collection[str]) -> None:
        """Raise RubricError for the first check in the rubric that is not one of `known_checks`."""
        for entry in self.entries():
            for check in entry.checks:
                if check not in known_checks:
                    where = (*entry.where, _key_of(entry, check))
                    hint = suggestion(check, known_checks)
                    raise self._document.problem(where, f'no grader has a check "{check}"{hint}: correct or remove it')
        for name in self.limits:
            if name not in (*CheckKind, SUBMISSION) and name not in known_checks:
                hint = suggestion(name, [*CheckKind, SUBMISSION, *known_checks])
                reason = (
                    f'limits are for "unit", "train", "submission" or a check\'s id, not for "{name}"{hint}: '
                    "correct or remove it"
                )
                raise self._document.problem(("limits", name), reason)

    def _check_ids(self) -> None:
        questions: set[str] = set()
        for p, part in enumerate(self.parts):
            for q, question in enumerate(part.questions):
                if question.id in questions:
                    where = ("parts", p, "questions", q, "id")
                    raise self._document.problem(where, f'two questions have the id "{question.id}": give each its own')
                questions.add(question.id)
        items: set[str] = set()
        for entry in self.entries():
            if isinstance(entry.item, ManualItem) and entry.item.id is None:
                reason = (
                    "this manual item has no id, so that marks could not be kept for it: "
                    f'add one, or run "gengrade rubric ids {self.path}", which adds all that are missing'
                )
                raise self._document.problem(entry.where, reason)
            if entry.id in items:
                reason = f'two items have the id "{entry.id}": give each an "id" of its own'
                raise self._document.problem((*entry.where, "id"), reason)
            items.add(entry.id)

    def _check_sums(self) -> None:
        for p, part in enumerate(self.parts):
            for q, question in enumerate(part.questions):
                total = round(sum(item.points for item in question.items if question.bonus or not item.bonus), 2)
                if total != question.points:
                    reason = (
                        f"question {question.id} has {question.points:g} points but its items add up to {total:g}: "
                        "change one of them"
                    )
                    raise self._document.problem(("parts", p, "questions", q, "points"), reason)

    def _check_allowance(self) -> None:
        """Raise RubricError for a submission-wide limit other than of time and evidence, the only ones that exist."""
        allowance = self.limits.get(SUBMISSION)
        for name in allowance.model_dump(exclude_none=True) if allowance else ():
            if name not in _COUNTED:
                reason = f'a submission has no limit "{name}", only {" and ".join(_COUNTED)}: correct or remove it'
                raise self._document.problem(("limits", SUBMISSION, name), reason)

    def _check_late(self) -> None:
        """Raise RubricError for rules on lateness that contradict each other."""
        late = self.late
        if late is None or late.most is None:
            return
        if late.per is None:
            reason = '"most" limits a deduction that grows: add "per: day" or "per: hour", or remove it'
            raise self._document.problem(("late", "most"), reason)
        if late.most < late.penalty:
            reason = f'"most" is {late.most:g}, less than one "penalty" of {late.penalty:g}: change one of them'
            raise self._document.problem(("late", "most"), reason)

    def _check_entry(self, entry: Entry) -> None:
        item = entry.item
        if isinstance(item, ManualItem):
            self._check_criteria(entry, item)
            return
        if item.subject in item.needs:
            reason = f'"{item.subject}" needs itself: remove it from its needs'
            raise self._document.problem((*entry.where, "needs"), reason)
        earlier = entry.question.items[: entry.position]
        if any(isinstance(other, type(item)) and other.subject == item.subject for other in earlier):
            reason = f'question {entry.question.id} uses "{item.subject}" twice: merge the two items'
            raise self._document.problem(entry.where, reason)
        if isinstance(item, MeasureItem):
            self._check_thresholds(entry, item)

    def _check_criteria(self, entry: Entry, item: ManualItem) -> None:
        ids = [criterion.id for criterion in item.criteria]
        for position, criterion in enumerate(item.criteria):
            where = (*entry.where, "criteria", position)
            if criterion.id in ids[:position]:
                reason = f'two criteria of "{entry.id}" have the id "{criterion.id}": give each its own'
                raise self._document.problem((*where, "id"), reason)
            if criterion.points == 0:
                reason = f'"{criterion.id}" is worth 0 points: give it points, negative ones to deduct, or remove it'
                raise self._document.problem((*where, "points"), reason)
        most = item.sum([criterion.id for criterion in item.criteria if criterion.points > 0])
        if most < item.points:
            reason = f'"{entry.id}" has {item.points:g} points but its criteria add up to {most:g}: change one of them'
            raise self._document.problem((*entry.where, "criteria"), reason)

    def _check_thresholds(self, entry: Entry, item: MeasureItem) -> None:
        pairs = {name: item.thresholds(name) for name in item.data_sets() or {ANY_DATA}}
        for name, pair in sorted(pairs.items()):
            if pair is None:
                reason = f'"{item.measure}" has only one of "full" and "none" for {name}: give both'
                raise self._document.problem((*entry.where, "full"), reason)
            if pair.full == pair.none:
                reason = f'"{item.measure}" has {pair.full:g} both as "full" and as "none": make them differ'
                raise self._document.problem((*entry.where, "full"), reason)
        if len({pair.full < pair.none for pair in pairs.values() if pair}) > 1:
            reason = (
                f'"{item.measure}" is better when small on one data set and when large on another: '
                'put "full" and "none" in the same order for all'
            )
            raise self._document.problem((*entry.where, "full"), reason)


def _key_of(entry: Entry, check: str) -> str:
    if isinstance(entry.item, CheckItem) and entry.item.check == check:
        return "check"
    return "measure" if isinstance(entry.item, MeasureItem) and entry.item.measure == check else "needs"


def _keys() -> set[str]:
    """Return every key that a rubric may contain."""
    items = (CheckItem, MeasureItem, ManualItem, Criterion)
    models: tuple[type[BaseModel], ...] = (Rubric, Part, Question, *items, Limits, Late)
    return {key for model in models for key in model.model_fields}
