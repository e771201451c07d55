"""Hand answers out to several markers: no two get the same one, and a share of them is marked by a second person.

Five rules are deliberate:

1. An answer that one marker has open is handed to nobody else for half an hour after the last sign of life.
2. If the class is divided by question or by student, a marker gets the other answers only as a second marker, or to
   settle a conflict.
3. Which answers get a second mark follows from the operator's key, so nobody can know it while giving the first one.
4. Nobody gives the second mark of an answer of which they marked an item first.
5. A conflict goes to somebody who took no part in it or, if there is nobody else, to the person who opened the room.
   What they decide is final: nobody is asked for a second mark of that answer any more.
"""

from __future__ import annotations

import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gengrade.authenticity import Seal
from gengrade.choices import Assignment
from gengrade.marks.model import Head
from gengrade.room.work import State, Work

Heads = Mapping[tuple[str, str], Sequence[Head]]  # the current events in short, by student and item

HELD_SECONDS: Final = 1800.0
_MOST_NAME: Final = 80  # characters of a marker's name
_RANGE: Final = 1 << 64


class MarkerNameError(ValueError):
    """A person cannot mark under a name; the text says why, and what to do."""


def marker_name(given: str, others: Iterable[str]) -> str:
    """Return the name under which a person marks: what was given, with single spaces.

    others: the names of those who mark already. A name that differs from one of them by its letters' case alone would
        make two people of one, so it is refused.

    Raises MarkerNameError.
    """
    name = " ".join(unicodedata.normalize("NFC", given).split())
    if not 0 < len(name) <= _MOST_NAME or not name.isprintable():
        raise MarkerNameError(f"a marker needs a name of at most {_MOST_NAME} visible characters: give one")
    for other in others:
        if name != other and name.casefold() == other.casefold():
            raise MarkerNameError(f"{other} marks already: write the name as that, or give somebody else another one")
    return name


class Role(StrEnum):
    """What a marker does with an answer."""

    FIRST = "first"  # marks it, and sees all marks that there are
    SECOND = "second"  # marks it without seeing the first mark


@dataclass(frozen=True, slots=True)
class Plan:
    """How a class is marked.

    markers: the names of those who mark. The first one opened the room.
    assignment: how answers are divided between them.
    second: the share of answers that a second person marks as well, from 0 to 1.
    blind: whether markers see pseudonyms in place of names.
    """

    markers: tuple[str, ...]
    assignment: Assignment = Assignment.FREE
    second: float = 0.0
    blind: bool = False


@dataclass(slots=True)
class _Held:
    marker: str
    since: float


@dataclass(frozen=True, slots=True)
class Share:
    """What of a question is left for one marker: answers to mark or to settle, and answers to mark as the second."""

    first: int = 0
    second: int = 0


class Handing:
    """Says which answer a marker gets next, and which answers they may see. Any thread may call its methods.

    work: what there is to mark.
    plan: how it is divided.
    seal: the operator's, from which chance is drawn.
    clock: returns the present time in seconds.
    """

    def __init__(self, work: Work, plan: Plan, seal: Seal, clock: Callable[[], float] = time.monotonic) -> None:
        self._work = work
        self._seal = seal
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], _Held] = {}  # by question and student
        self._plan = plan
        self._owners = _Division(work, plan, self._chance)

    def follow(self, work: Work) -> None:
        """Go on with the same answers after somebody has changed criteria."""
        self._work = work

    @property
    def plan(self) -> Plan:
        """How the class is marked, with everybody who was invited so far."""
        return self._plan

    def join(self, marker: str) -> None:
        """Let one more person mark; what is divided is divided anew."""
        with self._lock:
            if marker not in self._plan.markers:
                markers = (*self._plan.markers, marker)
                self._plan = Plan(markers, self._plan.assignment, self._plan.second, self._plan.blind)
                self._owners = _Division(self._work, self._plan, self._chance)

    def may_see(self, marker: str, question: str, student: str, heads: Heads) -> bool:
        """Return whether a marker may open an answer: it is theirs, waits for them, or was marked by them."""
        authors = {
            head.by for entry in self._work.entries(student, question) for head in heads.get((student, entry.id), ())
        }
        return (
            marker == self._plan.markers[0]
            or self._owners.owner(question, student) in (marker, None)
            or marker in authors
            or self._is_due(marker, question, student, heads) is not None
        )

    def may_read(self, marker: str, student: str, heads: Callable[[], Heads]) -> bool:
        """Return whether a marker may see what a student handed in: they may see some answer of theirs."""
        if self._plan.assignment is not Assignment.STUDENT or marker == self._plan.markers[0]:
            return True
        if self._owners.owner("", student) == marker:
            return True
        current = heads()
        return any(self.may_see(marker, question, student, current) for question in self._work.questions)

    def role(self, marker: str, question: str, student: str, heads: Heads) -> Role:
        """Return what a marker does with an answer that they open."""
        entries = self._work.entries(student, question)
        current = [head for entry in entries for head in heads.get((student, entry.id), ())]
        if any(head.decided for head in current):
            return Role.FIRST  # the second mark has served
        settled = [head for head in current if head.settles]
        first = {head.by for head in settled if not head.second}
        second = {head.by for head in settled if head.second}
        is_second = first and marker not in first and second <= {marker} and self._is_chosen(question, student)
        begun = marker in second
        if not is_second or not (begun or self._is_marked(question, student, heads)):
            return Role.FIRST
        # Who gave the second mark may be the one who settles a conflict, for want of others, and then has to see both.
        finished = begun and not self._lacks_second(marker, question, student, heads)
        conflict = self._work.state(student, question, heads) is State.CONFLICT
        return Role.FIRST if finished and conflict and self._settles(marker, question, student, heads) else Role.SECOND

    def next(
        self,
        question: str,
        marker: str,
        heads: Heads,
        after: str | None = None,
        order: Sequence[str] | None = None,
    ) -> str | None:
        """Return the student whose answer a marker gets next, and keep it for them; None if nothing is left.

        Answers that nobody has marked come before those that are marked a second time.

        after: the student whose answer the marker leaves.
        order: of the students; None: this marker's own.
        """
        order = self._work.order(question, marker) if order is None else order
        start = order.index(after) + 1 if after in order else 0
        around = [student for student in (*order[start:], *order[:start]) if student != after]
        with self._lock:
            self._let_go(question, marker)
            for wanted in Role:
                for student in around:
                    if (
                        self._holder(question, student) in (None, marker)
                        and self._is_due(marker, question, student, heads) is wanted
                    ):
                        self._held[question, student] = _Held(marker, self._clock())
                        return student
        return None

    def hold(self, question: str, student: str, marker: str) -> str | None:
        """Keep an answer for a marker who opens it, and who so leaves the one of this question that was open before.

        Returns the name of another marker who has it open already, or None.
        """
        with self._lock:
            holder = self._holder(question, student)
            if holder not in (None, marker):
                return holder
            self._let_go(question, marker)
            self._held[question, student] = _Held(marker, self._clock())
            return None

    def leave(self, marker: str) -> None:
        """Forget all answers that a marker had open."""
        with self._lock:
            self._held = {place: held for place, held in self._held.items() if held.marker != marker}

    def shares(self, marker: str, heads: Heads) -> dict[str, Share]:
        """Return what is left for a marker, by question; questions of which nothing is left are missing."""
        found: dict[str, Share] = {}
        for question in self._work.questions:
            due = [self._is_due(marker, question, student, heads) for student in self._work.students]
            share = Share(due.count(Role.FIRST), due.count(Role.SECOND))
            if share != Share():
                found[question] = share
        return found

    def _is_due(self, marker: str, question: str, student: str, heads: Heads) -> Role | None:
        """Return in which role an answer waits for a marker, or None."""
        state = self._work.state(student, question, heads)
        if self.role(marker, question, student, heads) is Role.SECOND:
            return Role.SECOND if self._lacks_second(marker, question, student, heads) else None
        if state is State.MARKED:
            return None
        if state is State.CONFLICT:
            return Role.FIRST if self._settles(marker, question, student, heads) else None
        return Role.FIRST if self._owners.owner(question, student) in (marker, None) else None

    def _is_marked(self, question: str, student: str, heads: Heads) -> bool:
        return bool(self._work.entries(student, question)) and (
            self._work.state(student, question, heads) is State.MARKED
        )

    def _lacks_second(self, marker: str, question: str, student: str, heads: Heads) -> bool:
        """Return whether this second marker has not marked all items of an answer yet."""
        return any(
            not any(head.second and head.settles and head.by == marker for head in heads.get((student, entry.id), ()))
            for entry in self._work.entries(student, question)
        )

    def _settles(self, marker: str, question: str, student: str, heads: Heads) -> bool:
        authors: set[str] = set()
        for entry in self._work.entries(student, question):
            current = heads.get((student, entry.id), ())
            if self._work.state_of(student, entry.id, current) is State.CONFLICT:
                authors |= {head.by for head in current}
        others = set(self._plan.markers) - authors
        return marker in others if others else marker == self._plan.markers[0]

    def _is_chosen(self, question: str, student: str) -> bool:
        """Return whether an answer is among those that a second person marks."""
        return self._chance("second marking", question, student) < self._plan.second

    def _chance(self, kind: str, question: str, student: str) -> float:
        """Return a number from 0 to 1 that follows from the operator's key alone."""
        code = self._seal.code(kind, f"{question}\0{student}", b"")
        return int.from_bytes(code[:8], "big") / _RANGE

    def _holder(self, question: str, student: str) -> str | None:
        held = self._held.get((question, student))
        return held.marker if held is not None and self._clock() < held.since + HELD_SECONDS else None

    def _let_go(self, question: str, marker: str) -> None:
        """Forget the answers to a question that this marker had open: they leave them for another one."""
        mine = [place for place, held in self._held.items() if held.marker == marker and place[0] == question]
        for place in mine:
            del self._held[place]


@dataclass(slots=True)
class _Division:
    """Which marker each question or student belongs to."""

    work: Work
    plan: Plan
    chance: Callable[[str, str, str], float]
    _of: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        if self.plan.assignment is Assignment.QUESTION:
            self._of = self._by_load()
        elif self.plan.assignment is Assignment.STUDENT:
            mixed = sorted(self.work.students, key=lambda student: self.chance("division", "", student))
            self._of = {student: self.plan.markers[i % len(self.plan.markers)] for i, student in enumerate(mixed)}
        else:
            self._of = {}

    def _by_load(self) -> dict[str, str]:
        """Return the marker of each question: the one with the fewest items so far, in the order of the rubric."""
        loads = dict.fromkeys(self.plan.markers, 0)
        found = {}
        for question in self.work.questions:
            marker = min(loads, key=loads.__getitem__)
            found[question] = marker
            loads[marker] += sum(len(self.work.entries(student, question)) for student in self.work.students)
        return found

    def owner(self, question: str, student: str) -> str | None:
        """Return the marker whose answer this is; None: anybody's."""
        return self._of.get(question if self.plan.assignment is Assignment.QUESTION else student)
