"""Put together the submissions of a class, its roster and its deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gengrade.lateness import UNKNOWN, Lateness, comparable, determined
from gengrade.people.matching import matched
from gengrade.people.model import Handed, Member, People, Person
from gengrade.texts import listed

_NAMED = 8


@dataclass(frozen=True, slots=True)
class Found:
    """The people of a class, sentences on mistakes that only show beside the submissions, and further sentences."""

    people: People
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def people_of(
    handed: Mapping[str, Handed], roster: Sequence[Person] | None, deadline: datetime | None, *, whole: bool = True
) -> Found:
    """Return the people of a class.

    handed: for each submission's id, what its name says.
    roster: the rows of a roster; None: there is none.
    deadline: of the class; None: none was given.
    whole: whether all submissions of the class are known, so that a row which names another one is a mistake.
    """
    own = {id_: determined(each.late, each.at, deadline) for id_, each in handed.items()}
    if roster is None:
        return Found(People(own), notes=tuple(_zones([(handed[id_].name, each) for id_, each in own.items()])))
    matching = matched(roster, handed)
    members = []
    for row, person in enumerate(roster):
        submission = matching.submissions.get(row)
        members.append(
            Member(
                id=person.id,
                name=person.shown,
                group=person.group,
                submission=submission,
                excused=person.excused,
                unclear=row in matching.undecided,
                lateness=_lateness(person, handed.get(submission) if submission else None, deadline),
            )
        )
    problems = [*(matching.problems if whole else ()), *_early(roster, deadline)]
    people = People(
        own, tuple(members), True, matching.unlisted, matching.doubtful, matching.replaced, matching.unclear
    )
    latenesses = [(each.name, each.lateness) for each in members if each.submission]
    latenesses += [(handed[id_].name, own[id_]) for id_ in matching.unlisted]
    return Found(people, tuple(problems), (*matching.notes, *_zones(latenesses), *_no_deadline(roster, deadline)))


def _lateness(person: Person, handed: Handed | None, deadline: datetime | None) -> Lateness:
    if handed is None:
        return UNKNOWN
    return determined(
        handed.late,
        person.handed_in or handed.at,
        deadline,
        excused=person.excused,
        extension=person.extension,
        free_days=person.free_days,
    )


def _early(roster: Sequence[Person], deadline: datetime | None) -> list[str]:
    """Return a sentence on each extension that ends before the deadline."""
    if deadline is None:
        return []
    return [
        f"line {person.line}: the extension of {person.shown} ends at {person.extension:%Y-%m-%d %H:%M}, before the "
        "deadline, which counts instead: correct one of them"
        for person in roster
        if isinstance(person.extension, datetime)
        and comparable(person.extension, deadline)
        and person.extension < deadline
    ]


def _no_deadline(roster: Sequence[Person], deadline: datetime | None) -> list[str]:
    rows = [f"{person.shown} (line {person.line})" for person in roster if isinstance(person.extension, float)]
    if deadline is not None or not rows:
        return []
    return [f"there is no deadline that days could be added to: give --deadline for {listed(rows, _NAMED)}"]


def _zones(latenesses: Sequence[tuple[str, Lateness]]) -> list[str]:
    """Return a sentence on whose times cannot be compared, since only some of them name a time zone."""
    mixed = [
        f"{name} (until {_shown(each.due)}, handed in {_shown(each.handed_in)})"
        for name, each in latenesses
        if each.due is not None and each.handed_in is not None and not comparable(each.due, each.handed_in)
    ]
    if not mixed:
        return []
    who = listed(list(dict.fromkeys(mixed)), _NAMED, "; ")
    return [
        "some times name a time zone and others do not, so that they cannot be compared: write the deadline and the "
        f"extensions as the learning management system writes its times. It is unknown whether these are late: {who}"
    ]


def _shown(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="minutes")
