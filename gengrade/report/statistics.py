"""Compute a class's statistics from its grades: its totals, its questions, its items, and how long its checks took.

Three properties are deliberate:

1. What is pending is left out everywhere, and counts neither as won nor as lost. Each number says what it is about.
2. Totals are people's: a person with a submission counts once, as does a submission without a person, after the
   deduction for lateness. All else is about the work: a submission counts once, also that of a group, and lateness
   deducts nothing, since it is no property of a question.
3. What cannot be said is None, with the reason in words: of an empty class, of one student, of a question without
   points.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from gengrade.grade import Grade, ItemGrade, QuestionGrade
from gengrade.people import NOBODY, People, Status
from gengrade.report.lines import Line

FEWEST: Final = 10  # submissions, below which a correlation says hardly anything
FEWEST_ALIKE: Final = 3  # submissions, before "everybody" and "nobody" are worth a word
_NORMAL: Final = 1.96  # the half width of a 95 % interval, in standard errors


class Spread(NamedTuple):
    """Where numbers lie: their ends, quartiles and mean."""

    low: float
    lower: float
    median: float
    upper: float
    high: float
    mean: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Return where these numbers lie, or None if there are none.

        A quartile between two numbers is interpolated linearly: definition 7 of Hyndman & Fan 1996, "Sample quantiles
        in statistical packages", which spreadsheets and numpy use as well.
        """
        if not values:
            return None
        some = [values[0], values[0]] if len(values) == 1 else list(values)
        lower, median, upper = statistics.quantiles(some, n=4, method="inclusive")
        return cls(min(some), lower, median, upper, max(some), statistics.fmean(some))


class Correlation(NamedTuple):
    """Pearson's correlation of pairs of numbers, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class QuestionFigures:
    """What a class got for one question.

    question: one student's, for its id, title and possible points.
    settled: the number of submissions for which all of the question is decided; the others are left out.
    of: the number of all submissions.
    shares: of the points that these earned, bonus included, in shares of those that can be had; None without any.
    discrimination: the correlation of the question with the rest; None for the reason that `unknown` gives.
    """

    question: QuestionGrade
    settled: int
    of: int
    shares: Spread | None
    discrimination: Correlation | None
    unknown: str = ""

    @property
    def worth(self) -> float:
        """The points that can be had, bonus included."""
        return _worth(self.question)


@dataclass(frozen=True, slots=True)
class ItemFigures:
    """An item that all of the `settled` submissions got in full, or none of them got a point for."""

    question: QuestionGrade
    item: ItemGrade
    settled: int


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a check took, in seconds, in the submissions for which it was run."""

    check: str
    runs: int
    median: float
    longest: float
    slowest: Grade
    total: float


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """The statistics of a class.

    possible: the points of the assignment, without bonus.
    totals: of the people whose total is decided, in points; None if nobody's is.
    decided: how many these are, of `people`, who are all that have a total.
    settled: the points, without bonus, that are decided, of all submissions together, of `settled_of`.
    earned: how many of these were earned.
    tenths_of_totals: how many of the decided totals lie in each tenth of the possible points; the last one holds all
        from 90 %.
    tenths_of_settled: the same of the submissions, by the share that each earned of what is settled of it.
    durations: of the checks, those first that took most time in all.
    """

    possible: float
    totals: Spread | None
    decided: int
    people: int
    settled: float
    settled_of: float
    earned: float
    tenths_of_totals: tuple[int, ...]
    tenths_of_settled: tuple[int, ...]
    questions: tuple[QuestionFigures, ...]
    by_everybody: tuple[ItemFigures, ...]
    by_nobody: tuple[ItemFigures, ...]
    durations: tuple[Duration, ...]

    @property
    def share(self) -> float | None:
        """The share of the settled points that was earned; None if nothing is settled."""
        return self.earned / self.settled if self.settled else None


def figures(grades: Iterable[Grade], lines: Iterable[Line], people: People = NOBODY) -> ClassFigures:
    """Return the statistics of a class.

    grades: of its submissions.
    lines: of its people, as its tables have them.
    people: of the class. Submissions in whose place the roster names others are left out.
    """
    counted = [grade for grade in grades if grade.student not in people.replaced]
    totals = [line.grade for line in lines if line.grade is not None and line.status is not Status.REPLACED]
    decided = [grade for grade in totals if not grade.open]
    settled = [(grade.points, round(grade.possible - grade.pending, 2)) for grade in counted]
    everybody, nobody = _alike(counted)
    return ClassFigures(
        possible=max((grade.possible for grade in counted), default=0.0),
        totals=Spread.of([grade.total for grade in decided]),
        decided=len(decided),
        people=len(totals),
        settled=round(math.fsum(whole for _, whole in settled), 2),
        settled_of=round(math.fsum(grade.possible for grade in counted), 2),
        earned=round(math.fsum(points for points, _ in settled), 2),
        tenths_of_totals=_tenths((grade.total, grade.possible) for grade in decided),
        tenths_of_settled=_tenths(settled),
        questions=tuple(_question(id_, counted) for id_ in _ids(counted)),
        by_everybody=everybody,
        by_nobody=nobody,
        durations=_durations(counted),
    )


def _tenths(pairs: Iterable[tuple[float, float]]) -> tuple[int, ...]:
    """Return how many of the pairs (points, possible points) lie in each tenth; those without possible points in none.

    The share is rounded, so that 0.7 of 7 points are 10 %, although the computer's division gives a little less.
    """
    counts = [0] * 10
    for points, possible in pairs:
        if possible > 0:
            counts[max(0, min(int(round(points / possible * 10, 9)), 9))] += 1
    return tuple(counts)


def _ids(grades: Iterable[Grade]) -> list[str]:
    """Return the ids of all questions, in the order of the rubric."""
    return list(dict.fromkeys(question.id for grade in grades for question in grade.questions))


def _worth(question: QuestionGrade) -> float:
    return round(question.possible + question.bonus_possible, 2)


def _is_settled(question: QuestionGrade) -> bool:
    return not question.pending and not question.bonus_pending


def _question(id_: str, grades: Sequence[Grade]) -> QuestionFigures:
    found = [(grade, question) for grade in grades for question in grade.questions if question.id == id_]
    first, possible = found[0][1], _worth(found[0][1])
    settled = [(grade, question) for grade, question in found if _is_settled(question)]
    if not possible:
        return QuestionFigures(first, len(settled), len(grades), None, None, "it has no points")
    shares = [_earned(question) / possible for _, question in settled]
    rests = [_rest(id_, grade) for grade, _ in settled]
    pairs = [(share, rest) for share, rest in zip(shares, rests, strict=True) if rest is not None]
    discrimination, unknown = _discrimination(pairs, len(settled))
    return QuestionFigures(first, len(settled), len(grades), Spread.of(shares), discrimination, unknown)


def _earned(question: QuestionGrade) -> float:
    return question.points + question.bonus


def _rest(id_: str, grade: Grade) -> float | None:
    """Return the share of points that a submission earned in its other settled questions; None if these have none."""
    others = [question for question in grade.questions if question.id != id_ and _is_settled(question)]
    possible = math.fsum(map(_worth, others))
    return math.fsum(map(_earned, others)) / possible if possible else None


def _discrimination(pairs: Sequence[tuple[float, float]], settled: int) -> tuple[Correlation | None, str]:
    """Return how well a question tells strong from weak submissions, or the reason why this cannot be said.

    pairs: for each submission, the share of the question's points and the share of those of all its other settled
        questions. A share serves where not the same questions are settled for all; otherwise the correlation is the
        same as with the sum of points.
    settled: the number of submissions for which the question is settled.

    This is the corrected item-total correlation: a question is left out of the total that it is compared with, since it
    would correlate with itself there (Henrysson 1963, "Correction of item-total correlations in item analysis",
    Psychometrika 28:211-218). The interval is Fisher's: the inverse hyperbolic tangent of the correlation has a
    standard error of 1 / √(n - 3).
    """
    if settled < FEWEST:
        return None, f"settled for fewer than {FEWEST}"
    if len(pairs) < FEWEST:
        return None, f"no other question is settled for {FEWEST} of them"
    own, rest = zip(*pairs, strict=True)
    if _is_constant(own):
        return None, "all have the same points"
    if _is_constant(rest):
        return None, "all have the same points elsewhere"
    value = max(-1.0, min(statistics.correlation(own, rest), 1.0))
    if abs(value) > 1 - 1e-12:
        return Correlation(value, value, value), ""
    half = _NORMAL / math.sqrt(len(pairs) - 3)
    middle = math.atanh(value)
    return Correlation(value, math.tanh(middle - half), math.tanh(middle + half)), ""


def _is_constant(values: Sequence[float]) -> bool:
    """Return whether numbers differ by no more than rounding, so that their correlation would be noise."""
    return max(values) - min(values) < 1e-9


def _alike(grades: Iterable[Grade]) -> tuple[tuple[ItemFigures, ...], tuple[ItemFigures, ...]]:
    """Return the items that everybody got in full, and those that nobody got a point for, where they are settled."""
    found: dict[tuple[str, str], list[tuple[QuestionGrade, ItemGrade]]] = {}
    for grade in grades:
        for question in grade.questions:
            for item in question.items:
                if item.settled and item.possible:
                    found.setdefault((question.id, item.id), []).append((question, item))

    def those(are: Callable[[ItemGrade], bool]) -> tuple[ItemFigures, ...]:
        return tuple(
            ItemFigures(*cases[0], len(cases))
            for cases in found.values()
            if len(cases) >= FEWEST_ALIKE and all(are(item) for _, item in cases)
        )

    return those(lambda item: item.points >= item.possible), those(lambda item: item.points <= 0)


def _durations(grades: Iterable[Grade]) -> tuple[Duration, ...]:
    """Return how long each check took; items that share a check count once, and a check that was not run does not."""
    seconds: dict[str, dict[str, tuple[float, Grade]]] = {}
    for grade in grades:
        for item in grade.items:
            if item.check is not None and item.seconds > 0:
                seconds.setdefault(item.check, {})[grade.student] = item.seconds, grade
    found = [_duration(check, took) for check, took in seconds.items()]
    return tuple(sorted(found, key=lambda each: (-each.total, each.check)))


def _duration(check: str, took: Mapping[str, tuple[float, Grade]]) -> Duration:
    all_ = [spent for spent, _ in took.values()]
    longest, slowest = max(took.values(), key=lambda each: each[0])
    return Duration(check, len(all_), statistics.median(all_), longest, slowest, math.fsum(all_))
