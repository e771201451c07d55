"""Assemble the content of a student's report from grade and facts; the template only arranges it."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

from gengrade.facts import DIAGNOSIS, SEVERITY, Facts, Figure, Named, Outcome, TestFact
from gengrade.grade import Grade, ItemGrade, QuestionGrade
from gengrade.places import read_plain
from gengrade.report.text import NOT_ASKED, OUTCOMES, Word, mistake, public, word

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that the page contains; `uri` is None if its file is missing or is not the one that was drawn."""

    caption: str
    alt: str
    uri: str | None
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class TestView:
    """One test in the report; `repeated` if it was shown before, with its details."""

    fact: TestFact
    word: Word
    repeated: bool


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item with everything that its student may see of it."""

    grade: ItemGrade
    word: Word
    tests: tuple[TestView, ...]
    pictures: tuple[Picture, ...]
    message: str  # "" when the tests' messages already contain it
    mistake: Named | None  # the recognised misconception
    told: ItemGrade | None  # the item above in which this misconception is already explained


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question and its items."""

    grade: QuestionGrade
    items: tuple[ItemView, ...]


@dataclass(frozen=True, slots=True)
class PartView:
    """A part of the assignment and its questions."""

    name: str
    questions: tuple[QuestionView, ...]

    def total(self, field: Literal["points", "possible", "pending"]) -> float:
        """Return the sum of one field over all questions."""
        return round(math.fsum(getattr(question.grade, field) for question in self.questions), 2)


@dataclass(frozen=True, slots=True)
class Step:
    """A mistake to fix: an item, the number of items lost by the same misconception, and the points lost in all."""

    question: QuestionGrade
    item: ItemGrade
    lost: float
    items: int


@dataclass(slots=True)
class _Shown:
    """The tests, figures and misconceptions that the page has already shown."""

    tests: set[TestFact] = field(default_factory=set)
    figures: set[Figure] = field(default_factory=set)
    mistakes: dict[str, ItemGrade] = field(default_factory=dict)  # for each name, the item that explains it


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the run with its duration and its share, 0 to 1, of the time."""

    name: str
    seconds: float
    share: float


def parts(grade: Grade, facts: Facts, folder: Path) -> tuple[PartView, ...]:
    """Return the body of the report; pictures are read from `folder`."""
    shown = _Shown()
    views = []
    for name, questions in groupby(grade.questions, key=lambda question: question.part):
        seen = [
            QuestionView(question, tuple(_item(item, facts, folder, shown) for item in question.items))
            for question in questions
        ]
        views.append(PartView(name, tuple(seen)))
    return tuple(views)


def question(graded: QuestionGrade, facts: Facts, folder: Path) -> QuestionView:
    """Return one question as the report's body shows it; pictures are read from `folder`."""
    shown = _Shown()
    return QuestionView(graded, tuple(_item(item, facts, folder, shown) for item in graded.items))


def first_steps(grade: Grade, most: int = 5) -> tuple[Step, ...]:
    """Return at most `most` mistakes that cost the most points; all items with one misconception are one mistake.

    Hidden items, and items that were not judged, are left out, since the student cannot act on them.
    """
    found: dict[str, list[tuple[QuestionGrade, ItemGrade]]] = {}
    for question in grade.questions:
        for item in question.items:
            if item.lost and not item.hidden and item.outcome is not Outcome.BLOCKED:
                named = mistake(item)
                found.setdefault(f"mistake {named.name}" if named else f"item {item.id}", []).append((question, item))
    steps = [
        Step(*together[0], round(math.fsum(item.lost for _, item in together), 2), len(together))
        for together in found.values()
    ]
    return tuple(sorted(steps, key=lambda step: -step.lost)[:most])


def stages(grade: Grade) -> tuple[Stage, ...]:
    """Return the stages of the run, the longest first.

    If there are hidden checks, their stages and the diagnosis are left out: student code could run longer or shorter to
    reveal the inputs of a hidden check.
    """
    hidden = _hidden(grade)
    left_out = {*hidden, DIAGNOSIS} if hidden else set()
    seconds = {name: spent for name, spent in grade.provenance.stages.items() if name not in left_out}
    total = sum(seconds.values()) or 1.0
    return tuple(
        Stage(name, spent, spent / total) for name, spent in sorted(seconds.items(), key=lambda each: -each[1])
    )


def _hidden(grade: Grade) -> set[str]:
    """Return the checks that only hidden items refer to."""
    return {item.check for item in grade.items if item.hidden and item.check} - {
        item.check for item in grade.items if not item.hidden and item.check
    }


def _item(item: ItemGrade, facts: Facts, folder: Path, shown: _Shown) -> ItemView:
    seen = public(item)
    named = mistake(seen)
    above = shown.mistakes.get(named.name) if named else None
    if named is not None:
        shown.mistakes.setdefault(named.name, seen)
    # For a check that was not run, only the message is shown.
    fact = facts.checks.get(seen.check) if seen.check and seen.outcome is not Outcome.BLOCKED else None
    if fact is None:
        return ItemView(seen, word(seen), (), (), seen.message, named, above)
    tests = tuple(TestView(test, _word(test), test in shown.tests) for test in _distinct(fact.tests))
    figures = [figure for figure in facts.figures if figure.check == seen.check and figure not in shown.figures]
    shown.tests.update(fact.tests)
    shown.figures.update(figures)
    messages = {test.fact.message for test in tests}
    message = "" if seen.message in messages else seen.message
    pictures = tuple(_picture(figure, folder) for figure in figures)
    idle = seen.comment is None and bool(tests) and all(test.word is NOT_ASKED for test in tests)
    return ItemView(seen, NOT_ASKED if idle else word(seen), tests, pictures, message, named, above)


def _word(test: TestFact) -> Word:
    return NOT_ASKED if test.outcome is Outcome.PASSED and test.message else OUTCOMES[test.outcome]


def _distinct(tests: Iterable[TestFact]) -> Iterable[TestFact]:
    """Return for each title the test with the most severe outcome; tests with one title differ only in their inputs.

    Of those that passed, it is one that asked something, if there is one.
    """
    worst: dict[str, TestFact] = {}
    for test in tests:
        known = worst.get(test.title)
        if known is None or _weight(test) > _weight(known):
            worst[test.title] = test
    return worst.values()


def _weight(test: TestFact) -> tuple[int, bool]:
    return SEVERITY.index(test.outcome), test.outcome is Outcome.PASSED and not test.message


def _picture(figure: Figure, folder: Path) -> Picture:
    content = b""
    path = folder / figure.file
    with suppress(OSError):
        content = read_plain(path) if path.resolve().is_relative_to(folder.resolve()) else b""
    if hashlib.sha256(content).hexdigest() != figure.sha256:
        content = b""  # the file is not the one that was drawn
    if not content.startswith(_PNG) or len(content) < 24:
        return Picture(figure.caption, figure.alt, None, 0, 0)
    width, height = struct.unpack(">II", content[16:24])
    uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return Picture(figure.caption, figure.alt, uri, width, height)
