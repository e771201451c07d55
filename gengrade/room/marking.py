"""The state of a marking room: the class, its marks, and what follows from a new mark."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from gengrade.choices import Assignment
from gengrade.engine import GradedClass, grades_of, rescore, rewrite_class_pages
from gengrade.grade import Grade
from gengrade.marks import Change, Event, EventKind, Mark, Store
from gengrade.marks.amendments import Amended, amended, not_alone
from gengrade.marks.model import SECOND, Asked, Head, Marks, completed, confirmed, deciding, problem_with
from gengrade.paths import from_here, printable
from gengrade.room.handing import Handing, Plan, Role
from gengrade.room.naming import Names
from gengrade.room.work import State, Work
from gengrade.rubric import Entry, ManualItem, Rubric

SOURCE: Final = "marking room"
_SOURCES: Final = {Role.FIRST: SOURCE, Role.SECOND: SECOND}
_MOST_KEPT: Final = 200  # comments that are offered again


class Refused(ValueError):
    """A mark cannot be given; the text says why."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What an item's marks are after a change: those that decide it, and all that another mark would replace."""

    heads: tuple[Event, ...]
    standing: tuple[Event, ...]
    state: State


class Room:
    """A class that is being marked. Its methods may be called from several threads.

    graded: the class, with the rubric as its file says.
    store: its open store of marks.
    plan: who marks, and how the work is divided.
    """

    def __init__(self, graded: GradedClass, store: Store, plan: Plan) -> None:
        self._as_graded = graded
        self._store = store
        self._lock = threading.RLock()
        self._refreshing = threading.Lock()  # one at a time, or older pages could be written over newer ones
        self._grades = grades_of(graded)
        self._stale: set[str] = set()  # students whose pages do not show their newest marks yet
        self._newest: int | None = None  # the amendment up to which the following three are known
        self._amended: Amended
        self._graded: GradedClass
        self._work: Work
        self._follow()
        self._handing = Handing(self._work, plan, graded.seal)
        self.names = Names(
            {student: graded.known_as(student) for student in self._work.students},
            graded.seal,
            blind=plan.blind,
        )

    @property
    def rubric(self) -> Rubric:
        """The rubric as its file says."""
        return self._as_graded.rubric

    @property
    def graded(self) -> GradedClass:
        """The class, with the criteria as they are now."""
        with self._lock:
            self._follow()
            return self._graded

    @property
    def work(self) -> Work:
        """What there is to mark, by the criteria as they are now."""
        with self._lock:
            self._follow()
            return self._work

    @property
    def handing(self) -> Handing:
        """Who marks which answer, by the criteria as they are now."""
        with self._lock:
            self._follow()
            self._handing.follow(self._work)
            return self._handing

    @property
    def unfit(self) -> Mapping[str, str]:
        """By the item's id, a sentence on changes of its criteria that do not fit the rubric any more."""
        with self._lock:
            self._follow()
            return self._amended.unfit

    @property
    def outdated(self) -> str:
        """A sentence if the rubric or the class is not as the room read it, which then goes on as before; else ""."""
        try:
            now = f"sha256:{hashlib.sha256(self.rubric.path.read_bytes()).hexdigest()}"
        except OSError:
            now = ""
        if now != self.rubric.sha256:
            return (
                f"{printable(str(from_here(self.rubric.path)))} has changed since the class was graded, and this room "
                "does not follow it: stop it, grade again, and open it anew; no mark is lost"
            )
        if self._as_graded.was_graded_again():
            return (
                "the class was graded again since this room was opened, and its marks are for what was handed in "
                "before: stop it, and open it anew; no mark is lost"
            )
        return ""

    def _follow(self) -> None:
        """Take over the criteria that somebody has changed, here or by a command."""
        newest = self._store.last_amendment()
        if newest != self._newest:
            self._amended = amended(self._as_graded.rubric, self._store.amendments())
            self._graded = replace(self._as_graded, rubric=self._amended.rubric)
            self._work = Work(self._graded, self._grades)
            self._newest = newest

    def questions(self, student: str | None = None) -> list[Asked]:
        """Return the questions of all students, or of one, the oldest first."""
        with self._lock:
            return self._store.questions(student)

    def may_amend(self, marker: str) -> bool:
        """Return whether a person may change criteria and comments for all, and so sees what all students got.

        Second markers must not see first marks, nor anybody whom a class is divided by student for those of the others.
        """
        plan = self._handing.plan
        return marker == plan.markers[0] or (not plan.second and plan.assignment is not Assignment.STUDENT)

    @contextmanager
    def stored(self) -> Iterator[Store]:
        """Give the store to one thread at a time."""
        with self._lock:
            yield self._store

    def changed(self, students: Iterable[str]) -> None:
        """Note that the marks of these students have changed, so that `refresh` writes their pages."""
        with self._lock:
            self._stale.update(student for student in students if student in self._grades)

    def heads(self, student: str = "") -> dict[tuple[str, str], list[Head]]:
        """Return the current events in short, by student and item: of one student or, without a name, of everybody."""
        with self._lock:
            return self._store.states(student)

    def marks(self, student: str) -> Marks:
        """Return a student's current marks."""
        with self._lock:
            return self._store.current(student)

    def current(self, student: str) -> Mapping[str, tuple[Event, ...]]:
        """Return the events that decide a student's items, by item."""
        return self.marks(student).items

    def seconds(self, student: str, marker: str) -> Mapping[str, tuple[Event, ...]]:
        """Return a person's current second marks of a student, by item."""
        with self._lock:
            found = self._store.current(student).seconds
        return {item: tuple(event for event in events if event.by == marker) for item, events in found.items()}

    def events(self, student: str, item: str, ids: Sequence[int]) -> list[Event]:
        """Return these events of an item."""
        with self._lock:
            return [event for event in self._store.history(student, item) if event.id in ids]

    def twice_marked(self) -> list[list[Event]]:
        """Return the history of each student's item that has ever got a second mark."""
        with self._lock:
            return self._store.twice_marked()

    def grade(self, student: str) -> Grade:
        """Return a student's grade as it was computed last."""
        return self._grades[student]

    def comments(self, item: str, without: str = "") -> list[tuple[str, int, float | None]]:
        """Return comments that were given for an item, the most frequent first: text, number, mean points.

        without: a student whose marks are left out.
        """
        with self._lock:
            return self._store.comments(item, without)[:_MOST_KEPT]

    def mark(
        self,
        student: str,
        item: str,
        mark: Mark | None,
        seen: Sequence[int],
        request: str,
        *,
        by: str,
        role: Role = Role.FIRST,
        wording: str = "",
    ) -> Saved:
        """Store a mark, or withdraw it if it is None; when this returns, it is on the disk.

        seen: the events that the marker's page showed, which the new one replaces.
        wording: the fingerprint of the wording that the page showed, which the mark is for; "" for the present one.
        request: a text that is the same when a browser repeats the request.
        by: who gives the mark.
        role: what the marker does with this answer.

        Raises Refused.
        """
        entry = self._as_read(self._entry(student, item), wording)
        if role is Role.FIRST and not seen:
            # Somebody who opened the answer before it was marked has not seen that mark, and so gives the second one.
            role = self._handing.role(by, entry.question.id, student, self.heads(student))
        with self._lock:
            history = self._store.history(student, item)
            shown = deciding([event for event in history if event.id in seen], lambda event: event.head)
            if mark is None and len(shown) > 1:
                raise Refused("there are several marks: choose one, or say which points are right")
            amended = self._amended_since(seen, history)
            mark = _with_changed_comment(mark, shown, amended)
            confirms = self._confirmed(mark, shown, entry)
            if confirms is not None:
                mark = confirms
            elif mark is not None:
                mark = completed(mark, entry)
                if reason := problem_with(mark, entry):
                    raise Refused(reason)
            known = {event.id for event in history if role is Role.FIRST or (event.second and event.by == by)}
            if not set(seen) <= known:
                raise Refused("this page shows marks of another item or person: load it again")
            read, kind = (entry.wording, EventKind.MARK) if mark else (None, EventKind.WITHDRAWAL)
            if confirms is not None:
                kind = EventKind.CONFIRMATION
            replaced = tuple(dict.fromkeys((*seen, *(event.id for event in amended))))
            change = Change(student, item, mark, read, replaced, kind)
            self._store.add_once(change, by=by, source=_SOURCES[role], request=request)
            return self._saved(student, entry, by, role)

    def _confirmed(self, mark: Mark | None, seen: Sequence[Event], entry: Entry) -> Mark | None:
        """Return the mark that confirms the only one that a page showed; None if it is changed, or needs no confirming.

        Marks are confirmed that were given for an earlier wording, or for files that were handed in before.
        """
        if mark is None or len(seen) != 1 or seen[0].mark is None:
            return None
        if seen[0].wording == entry.wording and not self.work.is_for_other_files(seen[0].student, seen[0].content):
            return None
        kept = confirmed(seen[0].mark, entry)
        given = mark if mark.points is not None else completed(mark, entry)
        same = given.points == kept.points and given.comment == kept.comment
        return kept if same and set(given.criteria or ()) == set(kept.criteria or ()) else None

    def _amended_since(self, seen: Sequence[int], history: Sequence[Event]) -> list[Event]:
        """Return what changes for all have made of the events that a page showed, the oldest first."""
        known, found = set(seen), list[Event]()
        for event in history:
            grown = event.replaces and known.issuperset(event.replaces) and event.id not in known
            if grown and self._store.amendment_that_led_to(event.id) is not None:
                known.add(event.id)
                found.append(event)
        return found

    def undo(self, student: str, item: str, *, by: str, role: Role = Role.FIRST) -> Saved:
        """Take back the last change of an item. Raises Refused if there is none."""
        entry = self._entry(student, item)
        with self._lock:
            if role is Role.FIRST and (reason := not_alone(self._store, student, item)):
                raise Refused(reason)
            if not self._store.undo(student, item, by=by, source=_SOURCES[role]):
                raise Refused("there is nothing to take back, or several marks: give the right one instead")
            return self._saved(student, entry, by, role)

    def _entry(self, student: str, item: str) -> Entry:
        if student not in self._grades or item not in self.work.items:
            raise Refused("there is no such student or item in this class")
        return self.work.items[item]

    def _as_read(self, entry: Entry, wording: str) -> Entry:
        """Return an item with the criteria that a marker's page showed, if they have been changed since."""
        with self._lock:
            read = self._store.wording(wording) if wording not in ("", entry.wording.fingerprint) else None
        if read is None or not isinstance(entry.item, ManualItem):
            return entry
        now = {"manual": read.text, "points": read.points, "criteria": read.criteria}
        return entry._replace(item=entry.item.model_copy(update=now))

    def _saved(self, student: str, entry: Entry, by: str, role: Role) -> Saved:
        self._stale.add(student)
        if role is Role.SECOND:
            heads = self.seconds(student, by).get(entry.id, ())
            return Saved(heads, heads, State.MARKED if any(event.head.settles for event in heads) else State.OPEN)
        marks = self._store.current(student)
        heads = marks.items.get(entry.id, ())
        state = self.work.state_of(student, entry.id, [event.head for event in heads])
        return Saved(heads, marks.standing(entry.id), state)

    def refresh(self) -> None:
        """Score again, and write the pages of, all students whose marks have changed."""
        with self._refreshing:
            while self._stale:
                with self._lock:
                    student = self._stale.pop()
                    marks, graded = self._store.current(student), self.graded
                grade = rescore(graded, student, marks)
                if grade is not None:
                    self._grades[student] = grade

    def close(self) -> None:
        """Write all pages that are not up to date, also those of the class."""
        self.refresh()
        rewrite_class_pages(self.graded)


def _with_changed_comment(mark: Mark | None, shown: Sequence[Event], amended: Sequence[Event]) -> Mark | None:
    """Return a mark with the comment as it was changed for all since its page was loaded, unless its author changed it.

    shown: the events that the page showed.
    amended: what changes for all have made of them.
    """
    before = {event.mark.comment for event in shown if event.mark is not None}
    now = amended[-1].mark if amended else None
    if mark is None or now is None or mark.comment not in before:
        return mark
    return mark.model_copy(update={"comment": now.comment})
