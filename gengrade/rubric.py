"""The rubric: which facts earn which points. Read once, checked whole, refused with the line of its first mistake."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, PrivateAttr, Tag, ValidationError

from gengrade.documents import Document, DocumentError, Where, suggestion

KINDS = ("unit", "train")  # the two kinds of checks, each with limits of its own
SUBMISSION = "submission"  # a name for limits: what all runs of a submission may use together
ANY_DATA = "default"  # in a threshold's mapping: every data set that is not named


class RubricError(DocumentError):
    """A rubric cannot be used as it stands."""


def _cents(points: float) -> float:
    if round(points, 2) != points:
        raise ValueError(f"{points} points are finer than a hundredth: round them to two decimals")
    return points


Points = Annotated[float, Field(ge=0), AfterValidator(_cents)]
Text = Annotated[str, Field(min_length=1)]
Id = Annotated[str, Field(pattern=r"^[\w.:-]+$")]  # letters, digits and . : _ -, for it becomes an anchor of the report
Threshold = float | dict[str, float]  # one number, or one for each data set


class _Strict(BaseModel):
    """An immutable part of a rubric: no unknown keys, no conversions, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Item(_Strict):
    points: Points
    id: Id | None = None  # what marks call it; by default "<question>-<position>"
    title: Text | None = None  # what students read; by default the title of the check's test
    bonus: bool = False  # its points come on top of the question's


class _Automatic(_Item):
    needs: tuple[Text, ...] = ()  # checks that must have passed, or the item earns nothing
    hidden: bool = False  # students see the verdict, not what was tested or why
    # what a TA looks for when there is no program: the item's check, or one that it needs, is `missing`; it then waits
    optional: Text | None = None


class CheckItem(_Automatic):
    """All points when the check passes, otherwise none."""

    check: Text

    @property
    def subject(self) -> str:
        return self.check


class Thresholds(NamedTuple):
    """From `none` (no points) to `full` (all of them), linearly; either may be the larger one."""

    full: float
    none: float

    def share(self, value: float) -> float:
        """The part of the points, 0 to 1, that a finite measure earns."""
        share = (value - self.none) / (self.full - self.none)
        return min(share, 1.0) if share > 0 else 0.0

    def describe(self) -> str:
        better, worse = ("less", "more") if self.full < self.none else ("more", "less")
        return f"full points at {self.full:g} or {better}, none at {self.none:g} or {worse}"


class MeasureItem(_Automatic):
    """Points in proportion to a measure, between two thresholds."""

    measure: Text
    full: Threshold
    none: Threshold

    @property
    def subject(self) -> str:
        return self.measure

    def data_sets(self) -> set[str]:
        """The data sets that have thresholds of their own; empty when one pair serves all."""
        return {name for side in (self.full, self.none) if isinstance(side, dict) for name in side}

    def thresholds(self, data: str) -> Thresholds | None:
        """The thresholds on a data set; None when the rubric has none for it."""
        full, none = _side(self.full, data), _side(self.none, data)
        return None if full is None or none is None else Thresholds(full, none)


class ManualItem(_Item):
    """Points that a person gives; the text says what to look for."""

    manual: Text


def _side(threshold: Threshold, data: str) -> float | None:
    return threshold.get(data, threshold.get(ANY_DATA)) if isinstance(threshold, dict) else threshold


def _kind(item: Any) -> str | None:
    """Which item model a mapping is meant for: it has exactly one of the three keys."""
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
    """A question: the points of its items that are no bonus add up to its own."""

    id: Id
    title: Text
    points: Points
    bonus: bool = False  # the whole question is
    items: tuple[Item, ...] = Field(min_length=1)


class Part(_Strict):
    """A chapter of the assignment."""

    name: Text
    questions: tuple[Question, ...] = Field(min_length=1)


class Limits(_Strict):
    """What a run of a probe may use, or all runs of a submission together; what is left out keeps its default."""

    seconds: float | None = Field(None, gt=0)
    memory_mb: int | None = Field(None, gt=0)
    processes: int | None = Field(None, gt=0)
    output_kb: int | None = Field(None, gt=0)
    evidence_mb: int | None = Field(None, gt=0)
    disk_mb: int | None = Field(None, gt=0)


_COUNTED = ("seconds", "evidence_mb")  # of all runs of a submission together


class Late(_Strict):
    """What lateness costs: `penalty` is the fraction of the earned points, bonus included, that is lost.

    An archive's name tells only whether it was late, not by how much, so the deduction is a flat one.
    """

    penalty: float = Field(ge=0, le=1)


class Entry(NamedTuple):
    """An item with its place in the rubric."""

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
        """The checks that it reads: its own, then those that it needs."""
        return () if isinstance(self.item, ManualItem) else (self.item.subject, *self.item.needs)


class Rubric(_Strict):
    """An assignment's marking scheme."""

    assignment: Text
    course: Text | None = None  # a course that comes with us, or a folder, as seen from the rubric; None: where it lies
    data: Text | None = None  # the data set to grade on when nobody names one
    limits: dict[str, Limits] = {}  # for "unit", "train", one check's id, or "submission"
    late: Late | None = None
    entry: dict[Text, Text] = {}  # what things are called in submissions, by role, where the course leaves it open
    parts: tuple[Part, ...] = Field(min_length=1)

    _document: Document = PrivateAttr()

    @classmethod
    def load(cls, path: Path) -> Rubric:
        """Read a rubric; raises RubricError at the first line that is wrong."""
        return cls._of(Document.load(path, RubricError))

    @classmethod
    def parse(cls, text: str, path: Path) -> Rubric:
        """A rubric from its text; `path` is for messages only. Raises RubricError as `load` does."""
        return cls._of(Document.parse(text.encode(), path, RubricError))

    @classmethod
    def _of(cls, document: Document) -> Rubric:
        try:
            rubric = cls.model_validate_json(json.dumps(document.data))  # strict JSON mode takes a list for a tuple
        except ValidationError as invalid:
            raise document.invalid(invalid, _keys()) from None
        rubric._document = document
        rubric._check_ids()
        rubric._check_sums()
        rubric._check_allowance()
        for entry in rubric.entries():
            rubric._check_entry(entry)
        return rubric

    @property
    def path(self) -> Path:
        """Of its file."""
        return self._document.path

    @property
    def sha256(self) -> str:
        """ "sha256:…" of the file's bytes."""
        return self._document.sha256

    def entries(self) -> Iterator[Entry]:
        """Every item in the file's order."""
        for p, part in enumerate(self.parts):
            for q, question in enumerate(part.questions):
                for i, item in enumerate(question.items):
                    where: Where = ("parts", p, "questions", q, "items", i)
                    yield Entry(item.id or f"{question.id}-{i + 1}", i, item, question, part, where)

    def questions(self) -> Iterator[Question]:
        """Every question in the file's order."""
        return (question for part in self.parts for question in part.questions)

    def checks(self) -> tuple[str, ...]:
        """The ids of all checks and measures that items or their needs refer to, each once, in the file's order."""
        return tuple(dict.fromkeys(check for entry in self.entries() for check in entry.checks))

    def hidden_checks(self) -> set[str]:
        """The checks that hidden items alone read: another check may need them, and nothing may name them."""
        items = [entry.item for entry in self.entries() if not isinstance(entry.item, ManualItem)]
        return {item.subject for item in items if item.hidden} - {item.subject for item in items if not item.hidden}

    def thresholds(self, data: str) -> dict[str, Thresholds]:
        """The thresholds of every measure that has some on this data set."""
        measures = [entry.item for entry in self.entries() if isinstance(entry.item, MeasureItem)]
        found = {item.measure: item.thresholds(data) for item in measures}
        return {measure: pair for measure, pair in found.items() if pair is not None}

    def verify(self, known_checks: Collection[str]) -> None:
        """Raise RubricError for the first id that no grader has."""
        for entry in self.entries():
            for check in entry.checks:
                if check not in known_checks:
                    where = (*entry.where, _key_of(entry, check))
                    hint = suggestion(check, known_checks)
                    raise self._document.problem(where, f'no grader has a check "{check}"{hint}: correct or remove it')
        for name in self.limits:
            if name not in (*KINDS, SUBMISSION) and name not in known_checks:
                hint = suggestion(name, [*KINDS, SUBMISSION, *known_checks])
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
                    raise self._document.problem(
                        where, f'a second question has the id "{question.id}": give it its own'
                    )
                questions.add(question.id)
        items: set[str] = set()
        for entry in self.entries():
            if entry.id in items:
                raise self._document.problem(
                    (*entry.where, "id"), f'a second item has the id "{entry.id}": give it its own'
                )
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
        """Of all runs together, only time and evidence are counted."""
        allowance = self.limits.get(SUBMISSION)
        for name in allowance.model_dump(exclude_none=True) if allowance else ():
            if name not in _COUNTED:
                reason = f'a submission has no limit "{name}", only {" and ".join(_COUNTED)}: correct or remove it'
                raise self._document.problem(("limits", SUBMISSION, name), reason)

    def _check_entry(self, entry: Entry) -> None:
        item = entry.item
        if isinstance(item, ManualItem):
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
                f'"{item.measure}" is better when small on one data set and when large on another: order them alike'
            )
            raise self._document.problem((*entry.where, "full"), reason)


def _key_of(entry: Entry, check: str) -> str:
    if isinstance(entry.item, CheckItem) and entry.item.check == check:
        return "check"
    return "measure" if isinstance(entry.item, MeasureItem) and entry.item.measure == check else "needs"


def _keys() -> set[str]:
    """Every key that may stand somewhere in a rubric."""
    models: tuple[type[BaseModel], ...] = (Rubric, Part, Question, CheckItem, MeasureItem, ManualItem, Limits, Late)
    return {key for model in models for key in model.model_fields}
