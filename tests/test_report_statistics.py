"""The class's statistics: what is settled, points by question, items that all or none get, and times."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gengrade.choices import Profile
from gengrade.facts import CheckFact, Outcome
from gengrade.grade import Grade, score
from gengrade.marks.model import Mark
from gengrade.people import Handed, Person, people_of
from gengrade.report.index import index_page
from gengrade.report.lines import lines_of
from gengrade.report.statistics import FEWEST, ClassFigures, QuestionFigures, Spread, figures
from gengrade.report.text import percent, signed, unbroken
from tests.support import marked
from tests.support import report_examples as examples

MANUAL = {"1.1-sampling": 3.0, "1.9-description": 2.0}


def _grade(
    *changed: CheckFact, student: str = "doejane", manual: dict[str, float] | None = None, late: bool = False
) -> Grade:
    """Return a grade; `manual` are the points of manual items, which stay pending without."""
    given = marked.marks(examples.rubric(), {item: Mark(points=points) for item, points in (manual or {}).items()})
    facts = examples.facts(*changed, student=student)
    return score(facts, examples.rubric(), given, examples.standing(late))


def _failed(check: str) -> CheckFact:
    return examples.fact(check, Outcome.FAILED, "It differs.")


def _figures(*grades: Grade) -> ClassFigures:
    people = people_of({grade.student: Handed(name=grade.student) for grade in grades}, None, None).people
    return figures(grades, lines_of(grades, people, {}), people)


def _of(found: ClassFigures, id_: str) -> QuestionFigures:
    return next(each for each in found.questions if each.question.id == id_)


def _class(number: int, seed: int = 1) -> list[Grade]:
    """Return students whose every answer depends on one strength, and on chance."""
    rng = random.Random(seed)
    grades = []
    for place in range(number):
        strength = rng.random()
        wrong = [_failed(check) for check in examples.TITLES if rng.random() > 0.3 + 0.6 * strength]
        manual = {item: float(round(most * (strength + rng.random()) / 2)) for item, most in MANUAL.items()}
        grades.append(_grade(*wrong, student=f"student{place}", manual=manual))
    return grades


def _text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"<wbr>|</?span[^>]*>", "", page[page.index("<main") :])).split())


def test_what_is_pending_is_left_out() -> None:
    """Three of five have no mark yet: they count neither for the mean total nor as if they had lost the points."""
    marks = ({"1.1-sampling": 3.0, "1.9-description": 2.0}, {"1.1-sampling": 0.0, "1.9-description": 1.0})
    decided = [_grade(student=f"s{place}", manual=manual) for place, manual in enumerate(marks)]
    found = _figures(*decided, *(_grade(student=f"open{place}") for place in range(3)))
    assert (found.decided, found.people) == (2, 5)
    assert found.totals is not None
    assert found.totals.mean == found.totals.median == np.mean([grade.total for grade in decided])
    assert (found.settled, found.settled_of) == (2 * 25 + 3 * 20, 125)
    assert found.earned == sum(grade.points for grade in decided) + 3 * 20
    assert found.share == found.earned / found.settled
    sampling = _of(found, "1.1")
    assert (sampling.settled, sampling.of) == (2, 5)
    assert sampling.shares == Spread(0, 0.25, 0.5, 0.75, 1, 0.5)
    assert sum(found.tenths_of_totals) == 2
    assert sum(found.tenths_of_settled) == 5
    page = index_page([*decided, *(_grade(student=f"open{place}") for place in range(3))])
    assert "the 2 of 5 submissions whose total is decided" in page
    assert "The 3 whose total is not decided yet are left out." in page
    assert "2 of 5" in _text(page)


def test_a_lateness_that_is_not_decided_leaves_the_total_out_and_no_question() -> None:
    known, late = (_grade(student=name, manual=MANUAL) for name in ("known", "late"))
    late = late.model_copy(update={"lateness": late.lateness.model_copy(update={"share": None})})
    found = _figures(known, late)
    assert (found.decided, found.people) == (1, 2)
    assert {question.settled for question in found.questions} == {2}


def test_lateness_deducts_from_totals_and_from_no_question() -> None:
    found = _figures(_grade(student="a", manual=MANUAL, late=True), _grade(student="b", manual=MANUAL, late=True))
    assert found.totals is not None
    assert found.totals.mean == _grade(manual=MANUAL, late=True).total < _grade(manual=MANUAL).total
    shares = [question.shares.mean for question in found.questions if question.shares and question.question.id != "1.9"]
    assert shares == [1, 1, 1, pytest.approx(1)]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 30])
def test_quartiles_are_those_of_numpy(number: int) -> None:
    rng = np.random.default_rng(number)
    values = list(map(float, rng.random(number)))
    found = Spread.of(values)
    assert found is not None
    assert found == pytest.approx((*np.percentile(values, (0, 25, 50, 75, 100)), np.mean(values)))
    assert Spread.of([]) is None


def test_discrimination_leaves_the_question_out_of_the_total() -> None:
    grades = _class(40)
    found = _figures(*grades)
    assert all(question.discrimination for question in found.questions)
    for question in found.questions:
        own = [next(q.points + q.bonus for q in grade.questions if q.id == question.question.id) for grade in grades]
        rest = [grade.points + grade.bonus - points for grade, points in zip(grades, own, strict=True)]
        assert question.discrimination is not None
        low, high = question.discrimination[1:]
        assert question.discrimination.value == pytest.approx(np.corrcoef(own, rest)[0, 1], abs=1e-9)
        assert -1 < low < question.discrimination.value < high < 1
    page = _text(index_page(grades))
    one = _of(found, "1.9").discrimination
    assert one is not None
    assert f"{signed(one.value)} ({signed(one.low)} to {signed(one.high)})" in page


def test_discrimination_compares_with_what_is_settled() -> None:
    """Every second student's VAE waits for a mark, which is not as if they had lost its points."""
    grades = []
    for place, grade in enumerate(_class(24)):
        vae = grade.questions[2]
        pending = vae.model_copy(update={"points": 0.0, "pending": vae.possible})
        questions = tuple(pending if question is vae and place % 2 else question for question in grade.questions)
        grades.append(grade.model_copy(update={"questions": questions}))
    found = _figures(*grades)
    assert _of(found, "1.9").settled == 12
    own, rest = [], []
    for grade in grades:
        settled = [each for each in grade.questions if not each.pending]
        own.append(next(each.bonus / 3 for each in settled if each.id == "1.12"))
        others = [each for each in settled if each.id != "1.12"]
        possible = sum(each.possible + each.bonus_possible for each in others)
        rest.append(sum(each.points + each.bonus for each in others) / possible)
    discrimination = _of(found, "1.12").discrimination
    assert discrimination is not None
    assert discrimination.value == pytest.approx(np.corrcoef(own, rest)[0, 1])


def test_the_interval_of_a_correlation_covers_it_as_often_as_it_says() -> None:
    """In 95 of 100 classes whose other points do not depend on the question, the interval holds 0."""
    covered = []
    for seed in range(100):
        rng = random.Random(seed)
        grades = []
        for place in range(25):
            wrong = [_failed(check) for check in examples.TITLES if rng.random() > 0.5]
            grades.append(_grade(*wrong, student=f"s{place}", manual=MANUAL))
        found = _of(_figures(*grades), "1.12").discrimination
        covered.append(found is None or found.low <= 0 <= found.high)
    assert 88 <= sum(covered) <= 100


def test_a_question_of_which_the_weak_get_more_has_a_negative_discrimination() -> None:
    strong = [_grade(_failed("vae.cnn_encoder"), student=f"strong{place}", manual=MANUAL) for place in range(6)]
    weak = [
        _grade(_failed("vae.kld"), _failed("vae.loss"), student=f"weak{place}", manual=MANUAL) for place in range(6)
    ]
    found = _of(_figures(*strong, *weak), "1.12").discrimination
    assert found is not None
    assert found.value == pytest.approx(-1)
    assert "−1.00" in _text(index_page([*strong, *weak]))


@pytest.mark.parametrize(
    ("grades", "id_", "reason"),
    [
        (_class(FEWEST - 1), "1.9", "settled for fewer than 10"),
        ([_grade(student=f"s{place}", manual=MANUAL) for place in range(FEWEST)], "1.9", "all have the same points"),
        (
            [
                _grade(*([_failed("vae.cnn_encoder")] if place % 2 else []), student=f"s{place}", manual=MANUAL)
                for place in range(FEWEST)
            ],
            "1.12",
            "all have the same points elsewhere",
        ),
    ],
)
def test_why_there_is_no_discrimination_is_said(grades: list[Grade], id_: str, reason: str) -> None:
    found = _of(_figures(*grades), id_)
    assert (found.discrimination, found.unknown) == (None, reason)
    assert reason in _text(index_page(grades))


def test_one_settled_question_alone_has_nothing_to_be_compared_with() -> None:
    def alone(grade: Grade) -> Grade:
        return grade.model_copy(update={"questions": grade.questions[:1]})

    found = _of(_figures(*(alone(grade) for grade in _class(20))), "1.1")
    assert (found.discrimination, found.unknown) == (None, "no other question is settled for 10 of them")


def test_items_that_everybody_or_nobody_gets() -> None:
    grades = [
        _grade(
            _failed("vae.kld"),
            *([_failed("gan.generator")] if place else []),
            student=f"s{place}",
            manual={"1.1-sampling": 3.0} if place > 1 else {},
        )
        for place in range(4)
    ]
    found = _figures(*grades)
    assert [(each.item.id, each.settled) for each in found.by_nobody] == [("vae.kld", 4)]
    everybody = {each.item.id: each.settled for each in found.by_everybody}
    assert everybody["vae.loss"] == 4
    assert "gan.generator" not in everybody, "one has it"
    assert "vae.kld" not in everybody
    assert "1.1-sampling" not in everybody, "it is settled for two only, and two are not everybody"
    page = _text(index_page(grades))
    nobody, all_ = page.index("Items that nobody gets"), page.index("Items that everybody gets")
    assert nobody < page.index("vae.kld", nobody) < all_ < page.index("vae.loss", all_)


def test_part_of_the_points_is_neither_all_nor_none() -> None:
    grades = [_grade(student=f"s{place}", manual={"1.1-sampling": 1.0}) for place in range(5)]
    found = _figures(*grades)
    assert "1.1-sampling" not in [each.item.id for each in (*found.by_nobody, *found.by_everybody)]


def test_times_are_those_of_checks_that_were_run() -> None:
    def slow(check: str, seconds: float) -> CheckFact:
        fact = examples.passed(check)
        return fact.model_copy(update={"tests": (fact.tests[0].model_copy(update={"seconds": seconds}),)})

    grades = [
        _grade(slow("vae.train_bpd", 10.0), student="a"),
        _grade(slow("vae.train_bpd", 70.0), student="b"),
        _grade(slow("vae.train_bpd", 20.0), student="c"),
        _grade(slow("vae.train_bpd", 0.0), student="d"),
    ]
    first, *others = _figures(*grades).durations
    assert (first.check, first.runs, first.median, first.longest, first.slowest.student, first.total) == (
        *("vae.train_bpd", 3, 20.0, 70.0, "b", 100.0),
    )
    assert {each.runs for each in others} == {4}
    assert all(before.total >= after.total for before, after in pairwise(others))
    assert "vae.train_bpd 3 20 s 1 min 10 s b 1 min 40 s" in _text(index_page(grades))


def test_items_that_share_a_check_count_its_time_once() -> None:
    grade = _grade()
    twice = grade.questions[2].model_copy(update={"items": grade.questions[2].items * 2})
    shared = grade.model_copy(update={"questions": (twice,)})
    assert [each.total for each in _figures(shared).durations] == [0.25] * 4


def test_people_count_for_totals_and_submissions_for_questions() -> None:
    """Two of a group share one submission; what the roster replaced counts for nobody."""
    rows = (("1", "Blue", "a"), ("2", "Blue", "a"), ("3", "", "c"), ("4", "", ""))
    roster = [Person(line=2, id=id_, name=f"P{id_}", group=group, submission=sent) for id_, group, sent in rows]
    handed = {name: Handed(name=name) for name in ("a", "c", "stray")}
    people = people_of(handed, roster, None).people
    given = {"a": {"1.1-sampling": 0.0, "1.9-description": 2.0}, "c": MANUAL, "stray": {}}
    grades = [
        score(
            examples.facts(student=name),
            examples.rubric(),
            marked.marks(examples.rubric(), {item: Mark(points=points) for item, points in manual.items()}),
            people.standing(name),
        )
        for name, manual in given.items()
    ]
    found = figures(grades, lines_of(grades, people, {}), people)
    assert (found.people, found.decided) == (4, 3), "P1, P2, P3 and the stray submission; its total is not decided"
    totals = {grade.student: grade.total for grade in grades}
    assert found.totals is not None
    assert found.totals.mean == pytest.approx((2 * totals["a"] + totals["c"]) / 3)
    assert (_of(found, "1.1").settled, _of(found, "1.1").of) == (2, 3)
    assert "3 of 4 people whose total is decided" in index_page(grades, {}, people)


def test_a_submission_in_whose_place_the_roster_names_another_counts_nowhere() -> None:
    rows = (("1", "b"), ("2", "b"))
    roster = [Person(line=2, id=id_, name="Jane", group="Blue", submission=sent) for id_, sent in rows]
    people = people_of({"a": Handed(name="Jane"), "b": Handed(name="Jane")}, roster, None).people
    people = replace(people, replaced=("a",))
    grades = [_grade(student=name, manual=MANUAL) for name in ("a", "b")]
    found = figures(grades, lines_of(grades, people, {}), people)
    assert found.people == 2
    assert {question.of for question in found.questions} == {1}


def test_bonus_questions_and_questions_without_points() -> None:
    grades = [_grade(student=f"s{place}", manual=MANUAL) for place in range(3)]
    bonus = _of(_figures(*grades), "1.12")
    assert bonus.worth == 3
    assert bonus.shares == Spread(1, 1, 1, 1, 1, 1)

    def without_points(grade: Grade) -> Grade:
        items = tuple(
            item.model_copy(update={"points": 0.0, "possible": 0.0, "pending": 0.0})
            for item in grade.questions[0].items
        )
        first = grade.questions[0].model_copy(update={"points": 0.0, "possible": 0.0, "pending": 0.0, "items": items})
        return grade.model_copy(update={"questions": (first, *grade.questions[1:])})

    some = list(map(without_points, _class(12)))
    found = _figures(*some)
    nothing = _of(found, "1.1")
    assert (nothing.shares, nothing.discrimination, nothing.unknown) == (None, None, "it has no points")
    assert "1.1-sampling" not in [each.item.id for each in (*found.by_nobody, *found.by_everybody)]
    assert "it has no points" in _text(index_page(some))
    only = [
        grade.model_copy(update={"questions": grade.questions[:1], "possible": 0.0, "pending": 0.0}) for grade in some
    ]
    found = _figures(*only)
    assert (found.share, sum(found.tenths_of_totals)) == (None, 0)
    index_page(only)


def test_a_class_without_anybody_or_anything_settled_has_a_page() -> None:
    found = _figures()
    assert (found.totals, found.share, found.questions, found.durations) == (None, None, (), ())
    page = _text(index_page([]))
    assert "There are no questions yet." in page
    assert "No check was run." in page
    nothing = [
        score(examples.facts(student=f"s{place}", profile=Profile.UNIT, measures={}), examples.rubric())
        for place in range(2)
    ]
    pending = [
        grade.model_copy(
            update={
                "points": 0.0,
                "pending": grade.possible,
                "questions": tuple(
                    question.model_copy(update={"points": 0.0, "pending": question.possible, "bonus": 0.0})
                    for question in grade.questions
                ),
            }
        )
        for grade in nothing
    ]
    found = _figures(*pending)
    assert (found.totals, found.share, found.settled) == (None, None, 0)
    page = index_page(pending)
    assert "nothing is settled" in page
    assert "No total is decided yet." in page


def test_one_student_is_no_class_and_no_reason_to_fail() -> None:
    found = _figures(_grade(manual=MANUAL))
    assert found.totals is not None
    assert found.totals.mean == found.totals.median == found.totals.low == _grade(manual=MANUAL).total
    assert (found.by_everybody, found.by_nobody) == ((), ())
    assert {question.unknown for question in found.questions} == {"settled for fewer than 10"}
    assert "None of those that are settled for at least 3 submissions." in _text(index_page([_grade(manual=MANUAL)]))


@pytest.mark.parametrize(
    ("points", "possible", "tenth"),
    [(0, 1, 0), (0.29, 1, 2), (0.3, 1, 3), (0.7, 7, 1), (1.4, 7, 2), (5.6, 7, 8), (6.99, 7, 9), (7, 7, 9), (8, 7, 9)],
)
def test_a_share_lies_in_its_own_tenth(points: float, possible: float, tenth: int) -> None:
    """Also 0.7 of 7 points, of which a computer's division makes a little less than 10 %."""
    changed = {"total": points, "points": points, "possible": possible}
    found = _figures(_grade(manual=MANUAL).model_copy(update=changed))
    assert found.tenths_of_totals[tenth] == found.tenths_of_settled[tenth] == 1


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50 %"),
        (0.004, "0.4 %"),
        (0.9996, "99.9 %"),
        (0.00001, "0.1 %"),
        (0.996, "99.6 %"),
    ],
)
def test_only_all_is_all(share: float, shown: str) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.424, "0.42"), (-0.066, "−0.07"), (-0.001, "0.00"), (1, "1.00")])
def test_correlations_have_a_true_minus_sign(value: float, shown: str) -> None:
    assert signed(value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1.10", '<span class="id">1.10</span>'),
        ("doe_4711", 'doe_<wbr><span class="id">4711</span>'),
        ("gan.alternation", "gan.<wbr>alternation"),
        ("1.9-description", '<span class="id">1.9</span>-description'),
        ("Jane <b>", "Jane &lt;b&gt;"),
        ("9" * 40, "9" * 40),
        ("Half. Of 2.", 'Half. Of <span class="id">2</span>.'),
    ],
)
def test_no_line_breaks_within_a_number(text: str, shown: str) -> None:
    assert unbroken(text) == shown
