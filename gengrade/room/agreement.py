"""Measure how well first and second marks agree, for each question and each marker.

An answer counts once, with the sum of its items that both people marked. The mark of the first is the one that stood
when the second began; the mark of the second is the last one before somebody who saw both decided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gengrade.arrays import Array
from gengrade.marks import Event
from gengrade.rubric import Entry

CONFIDENCE: Final = 0.95
_FEWEST: Final = 5  # answers, before a marker is said to differ from others


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people's marks of one answer, as shares of the points that could be had."""

    question: str
    student: str
    first_by: str
    first: float
    second_by: str
    second: float


@dataclass(frozen=True, slots=True)
class Figures:
    """How well two people's marks agree on `number` answers.

    equal: the share of answers with equal marks.
    kappa: Cohen's κ with quadratic weights; None where all marks are equal, so that agreement shows nothing.
    difference: the mean difference in shares of the points, with the ends `low` and `high` of its interval, which are
        None for a single answer.
    """

    name: str
    number: int
    equal: float
    kappa: float | None
    difference: float
    low: float | None
    high: float | None
    differs: bool = False  # whether chance hardly explains the difference


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of first and second marks.

    questions: for each question, second marks compared with first ones.
    markers: for each marker, their own marks compared with those of others.
    waiting: the number of items in which the two differ and nobody has decided yet.
    """

    questions: Sequence[Figures]
    markers: Sequence[Figures]
    waiting: int

    @classmethod
    def of(cls, histories: Iterable[Sequence[Event]], items: Mapping[str, Entry]) -> Self:
        """Return the agreement from the history of each student's item that has ever got a second mark."""
        kept = [history for history in histories if history[0].item in items]
        pairs = pairs_of(kept, items)
        by_question: dict[str, list[Pair]] = defaultdict(list)
        for pair in pairs:
            by_question[pair.question].append(pair)
        questions = [
            _figures(question, [(question, pair.second, pair.first) for pair in some])
            for question, some in by_question.items()
        ]
        names = sorted({name for pair in pairs for name in (pair.first_by, pair.second_by)})
        markers = [_figures(name, _of_marker(name, pairs), tests=len(names)) for name in names]
        return cls(questions, markers, sum(_is_waiting(history) for history in kept))


def pairs_of(histories: Iterable[Sequence[Event]], items: Mapping[str, Entry]) -> list[Pair]:
    """Return the pairs of marks, in the order of the rubric's questions."""
    sums: dict[tuple[str, str, str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for history in histories:
        found = _both(history)
        if found is not None:
            first, second = found
            entry = items[first.item]
            assert first.mark is not None
            assert second.mark is not None
            assert first.mark.points is not None
            assert second.mark.points is not None
            key = (entry.question.id, first.student, first.by, second.by)
            sums[key].append((first.mark.points, second.mark.points, entry.item.points))
    order = {entry.question.id: place for place, entry in enumerate(items.values())}
    pairs = []
    for (question, student, first_by, second_by), parts in sums.items():
        one, other, possible = (sum(each) for each in zip(*parts, strict=True))
        if possible > 0:
            pairs.append(Pair(question, student, first_by, one / possible, second_by, other / possible))
    return sorted(pairs, key=lambda pair: (order[pair.question], pair.student))


def _both(history: Sequence[Event]) -> tuple[Event, Event] | None:
    """Return the first mark and the second mark of an item, or None if one of them gives no points."""
    seconds = [event for event in history if event.second]
    decided = _decided(history)
    kept = [event for event in seconds if event.head.settles and (decided is None or event.id < decided.id)]
    firsts = [event for event in history if not event.second and event.id < seconds[0].id]
    if not kept or not firsts or not firsts[-1].head.settles:
        return None
    return firsts[-1], kept[-1]


def _decided(history: Sequence[Event]) -> Event | None:
    """Return the event by which somebody decided between a first and a second mark."""
    seconds = {event.id for event in history if event.second}
    return next((event for event in history if not event.second and seconds & set(event.replaces)), None)


def _is_waiting(history: Sequence[Event]) -> bool:
    found = _both(history)
    return found is not None and _decided(history) is None and found[0].head.points != found[1].head.points


def _of_marker(name: str, pairs: Iterable[Pair]) -> list[tuple[str, float, float]]:
    own = [(pair.question, pair.first, pair.second) for pair in pairs if pair.first_by == name]
    return own + [(pair.question, pair.second, pair.first) for pair in pairs if pair.second_by == name]


def _figures(name: str, marks: Sequence[tuple[str, float, float]], tests: int = 1) -> Figures:
    """Return the figures of pairs (question, one mark, the other mark).

    tests: how many such groups are looked at, over which the risk of a false alarm is divided (Bonferroni).
    """
    one = np.array([mark for _, mark, _ in marks])
    other = np.array([mark for _, _, mark in marks])
    differences = one - other
    low, high = _interval(differences, CONFIDENCE)
    wide = _interval(differences, 1 - (1 - CONFIDENCE) / tests)
    differs = len(marks) >= _FEWEST and wide[0] is not None and wide[1] is not None and not wide[0] <= 0 <= wide[1]
    equal = float(np.mean(np.isclose(differences, 0)))
    groups = np.array([question for question, _, _ in marks])
    return Figures(name, len(marks), equal, _kappa(one, other, groups), float(differences.mean()), low, high, differs)


def _kappa(one: Array, other: Array, groups: NDArray[np.str_]) -> float | None:
    """Return Cohen's κ with quadratic weights, 1 − Σ (observed squared difference) / Σ (expected one), over groups.

    By chance, the two marks of an answer are drawn independently from the marks of its question: Fleiss & Cohen 1973,
    "The equivalence of weighted kappa and the intraclass correlation coefficient as measures of reliability".
    """
    expected = 0.0
    for group in np.unique(groups):
        a, b = one[groups == group], other[groups == group]
        expected += len(a) * float(a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    if expected < np.finfo(np.float64).eps:
        return None
    return 1 - float(((one - other) ** 2).sum()) / expected


def _interval(differences: Array, confidence: float) -> tuple[float | None, float | None]:
    """Return the ends of Student's interval for the mean, within the values that a mean of shares can have."""
    number = len(differences)
    if number < 2:
        return None, None
    half = float(stats.t.ppf((1 + confidence) / 2, number - 1)) * float(differences.std(ddof=1)) / sqrt(number)
    mean = float(differences.mean())
    return max(mean - half, -1.0), min(mean + half, 1.0)
