"""What there is to mark in a class: the answers to each question, their state, and the order in which they come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gengrade.engine import GradedClass
from gengrade.grade import Grade, ItemKind
from gengrade.marks.model import Head, deciding, is_for_other_files
from gengrade.rubric import Entry, ManualItem, Question


class State(StrEnum):
    """How far the marking of an answer, or of an item, is."""

    OPEN = "open"
    MARKED = "marked"
    CONFIRM = "to confirm"  # it was marked for an earlier wording, or for files that were handed in before
    CONFLICT = "in conflict"


_WORST_FIRST = (State.CONFLICT, State.CONFIRM, State.OPEN, State.MARKED)


@dataclass(frozen=True, slots=True)
class QuestionWork:
    """One question on the class page."""

    question: Question
    part: str
    answers: int
    counts: Mapping[State, int]
    markers: Mapping[str, int]  # the number of items that each person marked

    @property
    def left(self) -> int:
        """The number of answers that still need a person."""
        return self.answers - self.counts.get(State.MARKED, 0)


class Work:
    """The items of a class that people mark: all manual ones, and the automatic ones that are pending.

    graded: the class.
    grades: the grades of its last run by the student's id, which say what is pending.
    """

    def __init__(self, graded: GradedClass, grades: Mapping[str, Grade]) -> None:
        entries = tuple(graded.rubric.entries())
        self._of_question: dict[str, list[Entry]] = {}
        for entry in entries:
            self._of_question.setdefault(entry.question.id, []).append(entry)
        self._questions = {question.id: question for question in graded.rubric.questions()}
        self._waiting = {student: _waiting(grade) for student, grade in grades.items()}
        self._contents = {student: grade.provenance.content for student, grade in grades.items()}
        self._fingerprints = {entry.id: entry.wording.fingerprint for entry in entries}
        self.students = tuple(sorted(grades))
        self.questions = tuple(self._of_question)  # their ids, in the order of the rubric
        self.items = {entry.id: entry for entry in entries}

    def question(self, id_: str) -> Question | None:
        """Return a question by its id, or None."""
        return self._questions.get(id_)

    def entries(self, student: str, question: str) -> tuple[Entry, ...]:
        """Return the items of a question that a person marks for this student."""
        if student not in self._waiting:
            return ()
        waiting = self._waiting[student]
        return tuple(
            entry
            for entry in self._of_question.get(question, ())
            if isinstance(entry.item, ManualItem) or entry.id in waiting
        )

    def state(self, student: str, question: str, heads: Mapping[tuple[str, str], Sequence[Head]]) -> State:
        """Return the state of an answer: that of its item which needs a person most."""
        states = {
            self.state_of(student, entry.id, heads.get((student, entry.id), ()))
            for entry in self.entries(student, question)
        }
        return next((state for state in _WORST_FIRST if state in states), State.MARKED)

    def state_of(self, student: str, item: str, heads: Sequence[Head]) -> State:
        """Return the state of one student's item by its current events."""
        decisive = deciding(heads, lambda head: head)
        if len(decisive) > 1:
            return State.CONFLICT
        if not decisive or not decisive[0].settles:
            return State.OPEN
        (head,) = decisive
        stands = head.fingerprint == self._fingerprints[item] and not self.is_for_other_files(student, head.content)
        return State.MARKED if stands else State.CONFIRM

    def is_for_other_files(self, student: str, content: str | None) -> bool:
        """Return whether a mark was given for other files than those that the student handed in now, by their hash."""
        return is_for_other_files(content, self._contents.get(student))

    def overview(self, heads: Mapping[tuple[str, str], Sequence[Head]]) -> list[QuestionWork]:
        """Return all questions with something to mark, in the order of the rubric."""
        found = []
        for first, *_ in self._of_question.values():
            question, part = first.question, first.part.name
            counts: dict[State, int] = {}
            markers: dict[str, int] = {}
            for student in self.students:
                entries = self.entries(student, question.id)
                if not entries:
                    continue
                state = self.state(student, question.id, heads)
                counts[state] = counts.get(state, 0) + 1
                for entry in entries:
                    for head in heads.get((student, entry.id), ()):
                        markers[head.by] = markers.get(head.by, 0) + bool(head.settles)
            if counts:
                markers = {name: number for name, number in sorted(markers.items()) if number}
                found.append(QuestionWork(question, part, sum(counts.values()), counts, markers))
        return found

    def order(self, question: str, marker: str) -> tuple[str, ...]:
        """Return the students with an answer to a question, in this marker's own order.

        The order differs between questions and markers, so that no student always comes first or last: whoever reads
        many answers grows stricter or milder on the way.
        """
        students = [student for student in self.students if self.entries(student, question)]
        return tuple(
            sorted(students, key=lambda student: hashlib.sha256(f"{question}\0{marker}\0{student}".encode()).digest())
        )


def _waiting(grade: Grade) -> frozenset[str]:
    """Return the automatic items of a grade that were not decided, or that a person has marked already."""
    return frozenset(
        item.id for item in grade.items if item.kind is not ItemKind.MANUAL and (item.pending or item.mark_state)
    )
