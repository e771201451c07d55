"""Say for each person of a class what they get: points, the reason where these are not decided yet, and a report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from gengrade.engine.people import KeptPeople, found_again
from gengrade.facts import Frozen, Outcome
from gengrade.grade import Grade, ItemGrade
from gengrade.people import Handed, Person, Status
from gengrade.report.lines import Line, lines_of
from gengrade.report.text import points
from gengrade.texts import listed

REPORT: Final = "report.html"
_NAMED: Final = 3  # checks in a sentence


class Entry(Frozen):
    """What one person gets; of a class without a roster, and for a stray submission, what one submission gets.

    id: in the roster; without one, the submission's id.
    listed: whether it is a person in the roster.
    stray: whether it is a submission that belongs to nobody in the roster, and so is given to nobody.
    submission: the id of the submission that counts, which names its folder of results; None: there is none.
    numbers, logins, sortable: as in the roster (`gengrade.people.Person`), to find the person in other tables.
    origin: what the submission's name says: a learning management system, and its name and id of the student.
    files: the names under which the submission lay in the class's folder.
    total: the points with bonus, less the deduction for lateness; None: they are not decided, or there are none.
    penalty: the deduction; None as for the total.
    open: why the total is not decided, in words; empty if it is, or if there is no submission.
    infra: whether a fault of the grader left something undecided.
    digest: a hash over what the report shows of the grade; None without a grade.
    """

    id: str
    name: str
    group: str = ""
    status: Status
    listed: bool = False
    stray: bool = False
    submission: str | None = None
    numbers: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    sortable: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    total: float | None = None
    penalty: float | None = None
    possible: float | None = None
    open: str = ""
    infra: bool = False
    digest: str | None = None

    @property
    def settled(self) -> bool:
        """Whether there is a grade that can be given to the person."""
        return self.total is not None and not self.stray

    @property
    def report(self) -> str | None:
        """The path of the report below the folder of results, or of a release."""
        return f"{self.submission}/{REPORT}" if self.digest is not None else None


def entries_of(grades: Mapping[str, Grade], kept: KeptPeople, names: Mapping[str, str]) -> tuple[Entry, ...]:
    """Return an entry for each person of the class, and for each submission without one, ordered by their ids.

    grades: of the submissions that were graded, by their ids.
    kept: what the last run kept of roster and submissions.
    names: of the submissions, by their ids.
    """
    rows = {row.id: row for row in (kept.roster.people or () if kept.roster else ())}
    lines = lines_of(grades.values(), found_again(kept).people, names)
    return tuple(
        _entry(line, None if line.stray else rows.get(line.id), kept.handed.get(line.submission or ""))
        for line in lines
    )


def _entry(line: Line, row: Person | None, handed: Handed | None) -> Entry:
    grade = line.grade
    given: dict[str, Any] = {}
    if grade is not None:
        given = {
            "total": None if grade.open else grade.total,
            "penalty": None if grade.open else grade.penalty,
            "possible": grade.possible,
            "open": _reason(grade) if grade.open else "",
            "infra": bool(_faults(grade)),
            "digest": digest_of(grade),
        }
    if row is not None:
        given |= {"listed": True, "numbers": row.numbers, "logins": row.logins, "sortable": row.sortable}
    if handed is not None:
        given |= {"origin": handed.origin, "files": handed.files}
    return Entry(
        id=line.id,
        name=line.name,
        group=line.group,
        status=line.status,
        stray=line.stray,
        submission=line.submission,
        **given,
    )


def _reason(grade: Grade) -> str:
    reasons = []
    if faults := _faults(grade):
        reasons.append(f"a fault of the grader left {listed(faults, _NAMED)} undecided")
    if pending := grade.pending + grade.bonus_pending:
        reasons.append(f"{points(pending)} points are pending")
    if grade.undecided:
        reasons.append("it is not decided what lateness costs")
    return " and ".join(reasons)


def _faults(grade: Grade) -> list[str]:
    """Return the checks that a fault of the grader left undecided, and that nobody has marked since."""
    return [item.check or item.id for item in grade.needs_look if item.outcome is Outcome.INFRA]


def digest_of(grade: Grade) -> str:
    """Return a hash over what a report shows of a grade, except how it was made: versions, seeds and times."""
    document = {
        "total": grade.total,
        "penalty": grade.penalty,
        "lateness": grade.lateness.model_dump(mode="json"),
        "items": [_shown(item) for item in grade.items],
        "notes": grade.notes,
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _shown(item: ItemGrade) -> dict[str, Any]:
    shown = item.model_dump(mode="json", exclude={"marks", "seconds", "cause"})
    criteria = [each.model_dump(mode="json") for mark in item.marks for each in mark.criteria] if item.marked else []
    return {**shown, "criteria": criteria}
