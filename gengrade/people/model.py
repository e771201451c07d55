"""Define the people of a class, what they handed in, and what is known about both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gengrade.facts import Frozen
from gengrade.lateness import UNKNOWN, Lateness


class Person(Frozen):
    """A row of a roster."""

    line: int  # of the file, from 1
    id: str
    name: str = ""
    numbers: tuple[str, ...] = ()  # other ids, such as a student number beside the system's own id
    logins: tuple[str, ...] = ()  # user names and addresses
    sortable: tuple[str, ...] = ()  # the name in other exact forms, such as "Doe, Jane"
    group: str = ""
    extension: datetime | float | None = None  # until a time, or by a number of days
    excused: bool = False
    free_days: int | None = None
    handed_in: datetime | None = None
    submission: str = ""  # the id of what this person handed in, where nothing else says it

    @property
    def shown(self) -> str:
        """The name, or the id of somebody without one."""
        return self.name or self.id

    @property
    def row(self) -> str:
        """The name, and the line on which it stands."""
        return f"{self.shown} (line {self.line})"


class Handed(Frozen):
    """What the names of a submission's files say about who handed it in, and when."""

    name: str
    origin: tuple[str, ...] = ()  # a learning management system, and its name and id of the student
    late: bool | None = None
    at: datetime | None = None
    files: tuple[str, ...] = ()  # the names under which it lay in the class's folder


class Status(StrEnum):
    """What became of a person's, or a submission's, work."""

    GRADED = "graded"
    WAITING = "not graded yet"
    NOTHING = "nothing handed in"
    EXCUSED = "excused"
    UNCLEAR = "unclear"  # the roster does not say which submission is whose
    UNLISTED = "not in the roster"  # a submission that belongs to nobody
    REPLACED = "does not count"  # a submission in whose place the roster names another one


class Member(Frozen):
    """A person with the submission that counts for them, and how late it is for them."""

    id: str
    name: str
    group: str = ""
    submission: str | None = None
    excused: bool = False
    unclear: bool = False
    lateness: Lateness = UNKNOWN


class Standing(Frozen):
    """What is known about the people behind one submission.

    lateness: of the submission itself, for whoever handed it in without a row in a roster.
    members: the people that it counts for, in the order of the roster.
    """

    lateness: Lateness = UNKNOWN
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class People:
    """The people of a class, and how late each submission is.

    roster: whether there is one; without it, there are no members.
    unclear: for each doubt, a sentence with what to write into the roster.
    """

    lateness: dict[str, Lateness]  # by the submission's id
    members: tuple[Member, ...] = ()
    roster: bool = False
    unlisted: tuple[str, ...] = ()  # ids of submissions that belong to nobody
    doubtful: tuple[str, ...] = ()  # ids of submissions whose owner is unclear
    replaced: tuple[str, ...] = ()  # ids of submissions in whose place the roster names others
    unclear: tuple[str, ...] = ()

    def standing(self, submission: str) -> Standing:
        """Return what is known about a submission's people."""
        members = tuple(each for each in self.members if each.submission == submission)
        return Standing(lateness=self.lateness.get(submission, UNKNOWN), members=members)

    def only(self, submissions: Collection[str]) -> People:
        """Return the people behind these submissions alone."""
        members = tuple(each for each in self.members if each.submission in submissions)
        return replace(self, members=members, unlisted=(), unclear=())


NOBODY = People({})
