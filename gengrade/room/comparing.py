"""Compare the answers of a class in a thread of its own, so that no page waits.

Three properties are deliberate:

1. Texts are what `Documents` returns: parsed in a guest, checked and cleaned.
2. A student's texts are read again when the submission has changed, or a place in it was corrected; then the questions
   whose texts changed are compared again. Until then, pages show the earlier comparison.
3. Texts are kept compressed, and one question is compared at a time.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gengrade.course import NoSuchCourse, chosen
from gengrade.documents import DocumentError
from gengrade.paths import InputError
from gengrade.room import passages, similarity, written
from gengrade.room.documents import DocumentProblem, Documents
from gengrade.room.passages import Passage
from gengrade.room.similarity import Near, Similarity
from gengrade.rubric import ManualItem, Question, Rubric
from gengrade.sandbox import InfraError

_REST_SECONDS: Final = 0.02  # after each step, in which pages come first
_MOST_HANDED_OUT: Final = 1 << 20  # bytes of the reference that are read
_UNREADABLE: Final = (DocumentProblem, InfraError, InputError, OSError)
_HANDED_OUT: Final = (".py", ".md", ".txt", ".tex")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is known about the answers to one question."""

    similarity: Similarity
    passages: Mapping[str, tuple[Passage, ...]]


@dataclass(frozen=True, slots=True)
class _Read:
    """The compressed texts of a student's answers. `sha256`: of the submission that they were read from."""

    sha256: str = ""
    texts: Mapping[str, bytes] = field(default_factory=dict)


class Comparisons:
    """The comparisons of a class. Its methods may be called by any thread.

    documents: what was handed in.
    students: the ids of all students of the class.
    rubric: the marking scheme, whose texts students may quote.
    questions: the ids of the questions whose answers people mark.
    """

    def __init__(self, documents: Documents, students: Sequence[str], rubric: Rubric, questions: Sequence[str]) -> None:
        self._documents = documents
        self._class_size = len(students)
        self._rubric = rubric
        self._all = [question.id for question in rubric.questions()]
        self._questions = {question.id: question for question in rubric.questions() if question.id in set(questions)}
        self._read: dict[str, _Read] = {}
        self._found: dict[str, Comparison] = {}
        self._handed_out: tuple[str, ...] | None = None
        self._wanted_students = dict.fromkeys(students)  # to be read, in this order
        self._wanted_questions: dict[str, None] = {}  # to be compared
        self._changed = threading.Condition()  # guards the two

    def of(self, question: str) -> Comparison | None:
        """Return what is known about the answers to a question; None if they were not compared yet."""
        return self._found.get(question)

    def near(self, question: str, student: str) -> tuple[Near, ...]:
        """Return the students whose answers are near to a student's, the nearest first."""
        found = self.of(question)
        return found.similarity.near.get(student, ()) if found else ()

    def passages(self, question: str, student: str) -> tuple[Passage, ...]:
        """Return the passages that a student's answer shares with others."""
        found = self.of(question)
        return found.passages.get(student, ()) if found else ()

    def order(self, question: str, students: Sequence[str]) -> tuple[str, ...]:
        """Return the students with similar answers next to each other; those without a text come last, as given."""
        found = self.of(question)
        if found is None:
            return tuple(students)
        present = set(students)
        compared = [student for student in found.similarity.order if student in present]
        return (*compared, *(student for student in students if student not in set(compared)))

    def notice(self, student: str) -> None:
        """Have a student's texts read again if the submission has changed since."""
        read = self._read.get(student)
        with suppress(*_UNREADABLE):
            if read is not None and read.sha256 != self._documents.sha256(student):
                self.read_again(student)

    def read_again(self, student: str) -> None:
        """Have a student's texts read again, for instance since a place was corrected."""
        with self._changed:
            self._wanted_students[student] = None
            self._changed.notify()

    def run(self) -> None:
        """Read and compare whatever is wanted, for as long as the process lives."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted_students or self._wanted_questions)
            self._step()
            time.sleep(_REST_SECONDS)

    def catch_up(self) -> None:
        """Read and compare whatever is wanted now."""
        while self._step():
            pass

    def _step(self) -> bool:
        """Read one student's texts or, if all are read, compare the answers to one question."""
        with self._changed:
            student = next(iter(self._wanted_students), None)
            question = next(iter(self._wanted_questions), None)
            if student is not None:
                del self._wanted_students[student]
            elif question is not None:
                del self._wanted_questions[question]
        if student is not None:
            self._reread(student)
        elif question is not None:
            self._compare(question)
        return student is not None or question is not None

    def _reread(self, student: str) -> None:
        before, now = self._read.get(student, _Read()).texts, _Read()
        with suppress(*_UNREADABLE):  # it has no texts that can be compared
            sha256 = self._documents.sha256(student)
            texts = written.answers_of(self._documents, student, self._all, list(self._questions))
            now = _Read(sha256, {question: _packed(text) for question, text in texts.items()})
        self._read[student] = now
        with self._changed:
            for question in self._questions:
                if before.get(question) != now.texts.get(question):
                    self._wanted_questions[question] = None

    def _compare(self, question: str) -> None:
        packed = {student: read.texts[question] for student, read in self._read.items() if question in read.texts}
        texts = {student: _unpacked(each) for student, each in packed.items()}
        if self._handed_out is None:
            self._handed_out = tuple(_handed_out(self._rubric))
        known = (*_words_of(self._questions[question]), *self._handed_out)
        self._found[question] = Comparison(similarity.compare(texts), passages.shared(texts, self._class_size, known))


def _packed(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def _unpacked(packed: bytes) -> str:
    return zlib.decompress(packed).decode("utf-8", "surrogatepass")


def _words_of(question: Question) -> Iterable[str]:
    """Yield the texts of a question in the rubric, which answers may quote."""
    yield question.title
    for item in question.items:
        yield item.title or ""
        if isinstance(item, ManualItem):
            yield item.manual
            yield from (criterion.text for criterion in item.criteria)
        else:
            yield item.optional or ""


def _handed_out(rubric: Rubric) -> Iterable[str]:
    """Yield the texts of the course's reference, which holds the hand-out's own code and words."""
    left = _MOST_HANDED_OUT
    with suppress(DocumentError, NoSuchCourse, OSError):
        folder: Path = chosen(None, rubric.path)[0].reference
        for path in sorted(folder.rglob("*")):
            if path.suffix in _HANDED_OUT and path.is_file() and path.stat().st_size <= left:
                left -= path.stat().st_size
                yield path.read_text("utf-8", "replace")
