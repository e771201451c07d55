"""Define what a system's module is asked for, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gengrade.grade import TOGETHER
from gengrade.people import Person
from gengrade.publish.entries import Entry
from gengrade.publish.tables import Table

EXCUSED: Final = "excused"  # what is written for somebody without a grade, in the system's own way


class System(StrEnum):
    """A learning management system whose exports can be filled."""

    CANVAS = "canvas"
    MOODLE = "moodle"
    BRIGHTSPACE = "brightspace"
    BLACKBOARD = "blackboard"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator wants of a filled table.

    assignment: its name, by which a column is found if none is named.
    column: the heading of the column for the points, its beginning or its number; None: it is found.
    feedback_column: of Moodle, the heading of the column for comments; None: it is found.
    scale: whether points are converted where the system's own maximum is another one.
    decimal_comma: how numbers are written where the table does not say it; None: nobody knows.
    missing_as_zero: whether who handed in nothing gets 0 points.
    """

    assignment: str = ""
    column: str | None = None
    feedback_column: str | None = None
    scale: bool = False
    decimal_comma: bool | None = None
    missing_as_zero: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """What a person gets: points, or None for somebody who is excused."""

    entry: Entry
    points: float | None

    @property
    def written(self) -> str:
        """The value as the log of what was published keeps it."""
        return EXCUSED if self.points is None else f"{self.points:.2f}"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Somebody who gets nothing in this table, and the reason, which completes "NAME: …"."""

    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Export:
    """An export that was read.

    column: the place of the column for the points.
    most: the greatest number in it by the system's own account; None: the export does not say it.
    people: the rows of people, each with the line of its row.
    feedback: the place of the column for comments; None: there is none.
    comma: whether its numbers have decimal commas; None: it does not show.
    locked: the lines of rows that the system does not change.
    own_most: the greatest number of a row, by the row's line, where each row says it.
    notes: sentences on what may surprise.
    """

    table: Table
    column: int
    most: float | None
    people: tuple[Person, ...]
    feedback: int | None = None
    comma: bool | None = None
    locked: frozenset[int] = frozenset()
    own_most: Mapping[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """What a person gets, and the person's row in the export."""

    given: Given
    row: Person


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled table, who is in it and who is not, and warnings about how the system imports it."""

    content: bytes
    placed: tuple[Placed, ...]
    left: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A report, and the people whose it is: one, or the members of a group."""

    content: bytes
    people: tuple[Placed, ...]

    @property
    def who(self) -> str:
        return TOGETHER.join(each.given.entry.name for each in self.people)

    @property
    def files(self) -> tuple[str, ...]:
        """The names under which the submission lay in the class's folder."""
        return self.people[0].given.entry.files


@dataclass(frozen=True, slots=True)
class Archive:
    """The members of an archive of feedback, who gets none, and sentences on what may surprise."""

    members: Mapping[str, bytes] = field(default_factory=dict)
    left: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
