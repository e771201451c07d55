"""Define marks: the points and comments that people give, each with the wording that it was given for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from gengrade.rubric import Entry, ManualItem, Points, Wording

_LONGEST: Final = 20_000  # characters of a comment: less than a cell of a table may hold
SECOND: Final = "second marking"  # the source of marks whose authors did not see the first one
_T = TypeVar("_T")


class Mark(BaseModel):
    """What a person decided about one item.

    points: None when only a comment was given, which leaves the item pending.
    criteria: the ids of the item's criteria that are met; None when the points were given directly.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    points: Points | None = None
    criteria: tuple[str, ...] | None = None
    comment: str = ""


class EventKind(StrEnum):
    """What a person did to a mark."""

    MARK = "mark"
    CONFIRMATION = "confirmation"  # the mark stands for the item's present wording as well
    WITHDRAWAL = "withdrawal"
    UNDO = "undo"


class Head(NamedTuple):
    """A current event in short."""

    by: str
    fingerprint: str | None  # of the wording; None: the mark was withdrawn
    points: float | None  # None: it gives none
    second: bool  # whether its author marked without seeing the first mark
    content: str | None = None  # of the submission that was marked; None: unknown
    decided: bool = False  # whether somebody who saw both has replaced a second mark of this student's item

    @property
    def settles(self) -> bool:
        """Whether it gives points."""
        return self.points is not None


@dataclass(frozen=True, slots=True)
class Event:
    """One step in the history of a student's item. Events are only ever added; each may replace earlier ones."""

    id: int
    at: str  # UTC, ISO 8601
    by: str  # who did it
    source: str  # what it was done with: a file's name, or a command
    kind: EventKind
    student: str
    item: str
    mark: Mark | None  # None: there is no mark any more
    wording: Wording | None  # the wording that the mark was given for; None: there is no mark
    replaces: tuple[int, ...]
    content: str | None = None  # "sha256:…" of the submission that the mark was given for; None: unknown, or no mark

    @property
    def second(self) -> bool:
        """Whether its author marked without seeing the first mark."""
        return self.source == SECOND

    @property
    def head(self) -> Head:
        """The event in short."""
        points = self.mark.points if self.mark else None
        fingerprint = self.wording.fingerprint if self.wording else None
        return Head(self.by, fingerprint, points, self.second, self.content)


@dataclass(frozen=True, slots=True)
class Change:
    """A new event that is not stored yet.

    replaces: the events that its author saw and replaces. If another event has replaced one of them meanwhile, or
        there are others that the author did not see, the item has several marks until somebody decides.
    content: the hash of the submission that the mark was given for; None: the one that the store knows as present.
    """

    student: str
    item: str
    mark: Mark | None
    wording: Wording | None
    replaces: tuple[int, ...] = ()
    kind: EventKind = EventKind.MARK
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Amendment:
    """A change for all students at once: of an item's criteria, or of a comment. Amendments are only ever added.

    base: the wording in the rubric's file that the criteria were changed from; None if a comment was changed.
    wording: the item's wording from then on; None if a comment was changed.
    comments: the comment before and after; None if criteria were changed.
    undoes: the amendment that this one takes back.
    """

    id: int
    at: str  # UTC, ISO 8601
    by: str
    source: str
    item: str
    base: Wording | None
    wording: Wording | None
    comments: tuple[str, str] | None
    undoes: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person answered to a student's question.

    points: the item's points when it was answered; None: they were pending.
    """

    at: str  # UTC, ISO 8601
    by: str
    text: str
    points: float | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A student's question about an item, as a person entered it.

    points: the item's points when it was entered; None: they were pending.
    answer: the newest answer; None: the question is open.
    """

    id: int
    at: str  # UTC, ISO 8601
    by: str  # who entered it
    student: str
    item: str
    text: str
    points: float | None
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Marks:
    """One student's current marks.

    items: for each item's id, the events that decide it, the oldest first (see `deciding`). An item with several of
        them is in conflict: two people marked it without having seen each other's mark.
    seconds: for each item's id, the second marks that nothing has replaced, whether or not they agree with the first.
    asked: the student's questions, by the item's id.
    """

    items: Mapping[str, tuple[Event, ...]] = field(default_factory=dict)
    seconds: Mapping[str, tuple[Event, ...]] = field(default_factory=dict)
    asked: Mapping[str, tuple[Asked, ...]] = field(default_factory=dict)

    def standing(self, item: str) -> tuple[Event, ...]:
        """Return all of an item's events that nothing has replaced: those that decide it, and agreeing second marks.

        Whoever gives another mark replaces all of them: a second mark that agreed with an earlier mark says nothing
        against a later one.
        """
        decisive = self.items.get(item, ())
        return (*decisive, *(event for event in self.seconds.get(item, ()) if event not in decisive))

    @property
    def sha256(self) -> str | None:
        """A hash of marks and questions as "sha256:…", without who gave them and when; None if there are none."""
        given = {
            item: [
                [event.mark and event.mark.model_dump(), event.wording and event.wording.fingerprint] for event in some
            ]
            for item, some in sorted(self.items.items())
            if any(event.mark is not None for event in some)
        }
        asked = [
            [item, each.text, each.points, each.answer and [each.answer.text, each.answer.points]]
            for item, some in sorted(self.asked.items())
            for each in some
        ]
        text = json.dumps([given, asked] if asked else given, sort_keys=True)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return f"sha256:{digest}" if given or asked else None


def deciding(current: Sequence[_T], head: Callable[[_T], Head]) -> tuple[_T, ...]:
    """Return which of an item's current events decide it: all but the second marks that agree with the only first one.

    A second mark that gives no points says nothing yet, so it does not decide either.
    """
    firsts = [each for each in current if not head(each).second]
    if len(firsts) != 1 or not head(firsts[0]).settles:
        return tuple(current)
    (first,) = firsts
    return tuple(each for each in current if each is first or not _agrees(head(first), head(each)))


def _agrees(first: Head, second: Head) -> bool:
    return not second.settles or (second.points, second.fingerprint) == (first.points, first.fingerprint)


def is_for_other_files(content: str | None, present: str | None) -> bool:
    """Return whether a mark was given for another submission than the present one, by the hashes of both."""
    return None not in (content, present) and content != present


def confirmed(mark: Mark, entry: Entry) -> Mark:
    """Return a mark for an item's present wording, with the same points and those of its criteria that are still there.

    The points stay although they may be another sum now: whoever gave them decided them by what stood there then.
    """
    known = {criterion.id for criterion in entry.item.criteria} if isinstance(entry.item, ManualItem) else set()
    met = None if mark.criteria is None else tuple(name for name in mark.criteria if name in known)
    return mark.model_copy(update={"criteria": met if known else None})


def problem_with(mark: Mark, entry: Entry) -> str:
    """Return why a mark cannot be given for an item, and what to do; "" if it can."""
    most, item = entry.item.points, entry.item
    if len(mark.comment) > _LONGEST:
        return f'the comment on "{entry.id}" has more than {_LONGEST:,} characters: shorten it'
    if mark.points is not None and mark.points > most:
        return f'{mark.points:g} points for "{entry.id}" exceed its maximum of {most:g}: give at most that many'
    if mark.criteria is None:
        return ""
    known = [criterion.id for criterion in item.criteria] if isinstance(item, ManualItem) else []
    unknown = [name for name in mark.criteria if name not in known]
    if unknown:
        there = f"it has {', '.join(known)}" if known else "it has none, so give points"
        return f'"{entry.id}" has no criterion "{unknown[0]}": {there}'
    if isinstance(item, ManualItem) and mark.points not in (None, item.sum(mark.criteria)) and not mark.comment.strip():
        total = item.sum(mark.criteria)
        return (
            f'the criteria of "{entry.id}" add up to {total:g} and not to {mark.points:g}: correct the points, '
            "or give a comment that says why"
        )
    return ""


def completed(mark: Mark, entry: Entry) -> Mark:
    """Return the mark with each criterion once, and with the points that these add up to if it gives none."""
    if mark.criteria is None or not isinstance(entry.item, ManualItem):
        return mark
    met = tuple(dict.fromkeys(mark.criteria))
    return mark.model_copy(
        update={"criteria": met, "points": entry.item.sum(met) if mark.points is None else mark.points}
    )
