"""Take roster and deadline from the command line or from the last run, and find out whose each submission is.

A roster with mistakes is left out as a whole: they are all named, and what was read from a roster before stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import Field

from gengrade.engine.errors import UsageError
from gengrade.facts import Frozen
from gengrade.grade import TOGETHER
from gengrade.lateness import parsed_time
from gengrade.paths import from_here, printable
from gengrade.people import Found, Handed, Person, people_of, read_roster
from gengrade.submissions import Discovery, Submission
from gengrade.texts import listed

NONE: Final = "none"  # on the command line: without what the last run had
_MOST_BYTES: Final = 16 << 20
_NAMED: Final = 8


class KeptRoster(Frozen):
    """A roster, and what was last read from it without mistakes."""

    path: Path
    sha256: str | None = None  # of the content that the rows are from; None: nothing was read yet
    people: tuple[Person, ...] | None = None


class KeptPeople(Frozen):
    """What a run keeps for later ones, and for marking: from it the class's people are found again."""

    handed: dict[str, Handed] = Field(default_factory=dict)  # by the submission's id
    roster: KeptRoster | None = None
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadPeople:
    """The people of a run, what is kept of them, and sentences about mistakes and doubts."""

    kept: KeptPeople
    found: Found
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def deadline_given(text: str | None) -> datetime | None:
    """Return the deadline that the command line names, if it names one. Raises UsageError."""
    if text is None or text == NONE:
        return None
    try:
        return parsed_time(text)
    except ValueError:
        raise UsageError(
            f"--deadline {text}: it is not a time: write one such as 2026-11-20T23:59, or a day such as 2026-11-20, "
            "at whose end it lies"
        ) from None


def roster_given(text: str | None) -> Path | None:
    """Return the roster that the command line names, if it names one. Raises UsageError if there is no such file."""
    if text is None or text == NONE:
        return None
    path = Path(text).resolve()
    if not path.is_file():
        raise UsageError(f"--roster {text}: there is no such file; check the path")
    return path


def known_from(earlier: KeptPeople | None, roster: str | None, deadline: str | None) -> KeptPeople:
    """Return what the last run kept, with what the command line says instead.

    earlier: what the last run over the same rubric kept; None: there was none.
    roster, deadline: of the command line; None: as in the last run.
    """
    kept = earlier or KeptPeople()
    if deadline is not None:
        kept = kept.model_copy(update={"deadline": deadline_given(deadline)})
    if roster == NONE:
        kept = kept.model_copy(update={"roster": None})
    elif path := roster_given(roster):
        before = kept.roster.model_copy(update={"path": path}) if kept.roster else KeptRoster(path=path)
        kept = kept.model_copy(update={"roster": before})
    return kept


def read_people(known: KeptPeople, discovery: Discovery, kept_ids: Collection[str] = ()) -> ReadPeople:
    """Return the people of the class, with the roster as its file says now.

    known: what is known of them, without this run's submissions.
    discovery: the submissions. A run over one student's files keeps what is known of the others.
    kept_ids: the ids of submissions that are not among them, and of which it keeps what is known as well.
    """
    now = {each.id: _handed(each) for each in discovery.submissions}
    others = {id_: each for id_, each in known.handed.items() if discovery.single or id_ in kept_ids}
    kept = known.model_copy(update={"handed": {**others, **now}})
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    before = kept.roster
    if before is not None:
        roster, problems, notes = _read(before)
        kept = kept.model_copy(update={"roster": roster})
    found = found_again(kept, whole=not discovery.single)
    if before is not None:
        shown = printable(str(from_here(before.path)))
        problems += tuple(f"{shown}, {problem}" for problem in found.problems)
        if found.problems and roster.sha256 != before.sha256 and before.people is not None:
            kept, notes = kept.model_copy(update={"roster": before}), _stands(before)
            found = found_again(kept, whole=not discovery.single)
        notes += () if discovery.single else (*_summary(found), *found.people.unclear)
    return ReadPeople(kept, found, problems, (*notes, *found.notes))


def found_again(kept: KeptPeople, *, whole: bool = True) -> Found:
    """Return the people of a class by what was kept of them. Nothing is read for it."""
    rows = kept.roster.people if kept.roster else None
    return people_of(kept.handed, rows, kept.deadline, whole=whole)


def shown_names(found: Found, names: Mapping[str, str]) -> dict[str, str]:
    """Return the submissions' names, of which those by the roster replace others."""
    shown = dict(names)
    by_roster: dict[str, list[str]] = {}
    for member in found.people.members:
        if member.submission is not None:
            by_roster.setdefault(member.submission, []).append(member.name)
    shown.update({id_: TOGETHER.join(who) for id_, who in by_roster.items() if id_ in shown})
    return shown


def named(submission: Submission, names: Mapping[str, str]) -> Submission:
    """Return the submission with the name that is shown to people."""
    return replace(submission, name=names.get(submission.id, submission.name))


def _handed(submission: Submission) -> Handed:
    return Handed(
        name=_clean(submission.name),
        origin=tuple(map(_clean, submission.origin)),
        late=submission.late,
        at=datetime.fromisoformat(submission.handed_in) if submission.handed_in else None,
        files=tuple(_clean(path.name) for path in (submission.source, *submission.attachments)),
    )


def _clean(text: str) -> str:
    """Return the text without lone surrogates, which stand for bytes in file names and are no JSON."""
    return text.encode(errors="replace").decode()


def _read(roster: KeptRoster) -> tuple[KeptRoster, tuple[str, ...], tuple[str, ...]]:
    """Return the roster as its file says now, or as before if it has mistakes; sentences about these, and notes."""
    stands = _stands(roster)
    try:
        with roster.path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        shown = printable(str(from_here(roster.path)))
        reason = f"the roster cannot be read ({error.strerror}): give --roster its new path, or --roster {NONE}"
        return roster, (f"{shown}: {reason}",), stands
    if len(content) > _MOST_BYTES:
        return roster, (f"{printable(str(from_here(roster.path)))}: the roster is larger than 16 MiB",), stands
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    read = read_roster(content, from_here(roster.path))
    if read.mistakes:
        return roster, tuple(map(str, read.mistakes)), stands
    return KeptRoster(path=roster.path, sha256=digest, people=read.people), (), read.notes


def _stands(roster: KeptRoster) -> tuple[str, ...]:
    """Return a note that a roster with mistakes was left out, if there is an earlier one."""
    return () if roster.people is None else ("the roster was not taken over; what was read from it before stands",)


def _summary(found: Found) -> list[str]:
    """Return sentences on who handed in nothing, and on submissions of nobody."""
    people = found.people
    nothing = [
        each.name for each in people.members if each.submission is None and not each.unclear and not each.excused
    ]
    notes = []
    if nothing:
        more = f" and {len(nothing) - _NAMED} more" if len(nothing) > _NAMED else ""
        who = "; ".join(nothing[:_NAMED]) + more  # names may hold commas
        notes.append(f"{len(nothing)} of {len(people.members)} handed in nothing: {who}")
    if people.unlisted:
        notes.append(f"in no row of the roster: {listed(list(people.unlisted), _NAMED)}")
    return notes
