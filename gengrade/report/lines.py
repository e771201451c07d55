"""Make a line for each person of a class, or for each submission without a person, for the class's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from gengrade.grade import Grade
from gengrade.people import People, Status


@dataclass(frozen=True)
class Line:
    """A person, or a submission without one.

    grade: with the person's own deduction and total; None without a submission, or before it is graded.
    stray: whether it is a submission that belongs to nobody in the roster.
    """

    id: str
    name: str
    group: str
    status: Status
    grade: Grade | None
    submission: str | None
    stray: bool = False

    @cached_property
    def order(self) -> tuple[bool, str, str]:
        """The key by which lines are sorted: by the id, and what belongs to nobody last."""
        return self.stray, self.id.casefold(), self.id


def lines_of(grades: Iterable[Grade], people: People, names: Mapping[str, str]) -> list[Line]:
    """Return a line for each person and for each submission without one, in their order.

    grades: of the submissions that were graded.
    people: of the class.
    names: of the submissions, by their ids.
    """
    graded = {grade.student: grade for grade in grades}
    lines = [
        Line(
            member.id,
            member.name,
            member.group,
            _status(member.submission, graded, excused=member.excused, unclear=member.unclear),
            graded[member.submission].for_person(member.id) if member.submission in graded else None,
            member.submission,
        )
        for member in people.members
    ]
    owned = {member.submission for member in people.members}
    for id_, grade in graded.items():
        if id_ not in owned:
            status = _status_of(id_, people)
            lines.append(Line(id_, names.get(id_, id_), "", status, grade, id_, stray=people.roster))
    return sorted(lines, key=lambda line: line.order)


def _status_of(id_: str, people: People) -> Status:
    """Return what became of a submission without a person."""
    if id_ in people.doubtful:
        return Status.UNCLEAR
    if id_ in people.replaced:
        return Status.REPLACED
    return Status.UNLISTED if people.roster else Status.GRADED


def _status(submission: str | None, graded: Mapping[str, Grade], *, excused: bool, unclear: bool) -> Status:
    if excused:
        return Status.EXCUSED
    if submission is not None:
        return Status.GRADED if submission in graded else Status.WAITING
    return Status.UNCLEAR if unclear else Status.NOTHING
