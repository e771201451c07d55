"""Facts, rubric and marks become points: faults of ours cost nothing, and the possible points never change."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gengrade.facts import CheckFact, Facts, Named, Outcome
from gengrade.grade import Grade, ItemGrade, MarkState, QuestionGrade, score
from gengrade.lateness import Lateness, LateSource, determined
from gengrade.marks import Mark, Marks
from gengrade.people import Member, Standing
from gengrade.rubric import Rubric
from tests.support import marked
from tests.support import report_examples as examples

STUDENTS_OWN = [each for each in Outcome if each not in (Outcome.PASSED, Outcome.UNDECIDED, Outcome.INFRA)]


def _item(grade: Grade, name: str) -> ItemGrade:
    return next(item for item in grade.items if name in (item.check, item.id))


def _score(*changed: CheckFact, marks: dict[str, Mark] | None = None, **facts: object) -> Grade:
    given = marked.marks(examples.rubric(), marks) if marks else None
    return score(examples.facts(*changed, **facts), examples.rubric(), given)  # type: ignore[arg-type]


def test_a_complete_submission_earns_all_that_is_not_manual() -> None:
    grade = _score()
    assert (grade.points, grade.possible, grade.pending) == (20, 25, 5)
    assert (grade.bonus, grade.bonus_possible, grade.bonus_pending) == (4, 4, 0)
    assert (grade.total, grade.penalty) == (24, 0)
    assert [question.points for question in grade.questions] == [0, 2, 10, 0, 8]
    assert not grade.needs_look


@pytest.mark.parametrize("outcome", STUDENTS_OWN)
def test_a_check_that_did_not_pass_earns_nothing(outcome: Outcome) -> None:
    item = _item(_score(examples.fact("gan.generator", outcome, "Why.")), "gan.generator")
    assert (item.outcome, item.points, item.pending, item.message) == (outcome, 0, 0, "Why.")


def test_what_is_our_fault_is_pending_and_flagged() -> None:
    grade = _score(examples.fact("gan.generator", Outcome.INFRA, "the fork failed"))
    item = _item(grade, "gan.generator")
    assert (item.points, item.pending) == (0, 3)
    assert "not your fault" in item.message
    assert item.cause == "the fork failed"
    assert grade.has_infra
    assert grade.needs_look == (item,)


@pytest.mark.parametrize(("value", "points"), [(0.05, 3), (0.2, 3), (0.3, 1.5), (0.34, 0.9), (0.4, 0), (7.5, 0)])
def test_a_measure_interpolates_between_its_thresholds(value: float, points: float) -> None:
    item = _item(_score(measures={"vae.train_bpd": value}), "vae.train_bpd")
    assert item.points == pytest.approx(points, abs=0.006)
    assert item.measures == {"vae.train_bpd": value}
    assert "full points at 0.2 or less" in item.message
    assert item.outcome is (Outcome.PASSED if points == 3 else Outcome.FAILED)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_measure_that_is_not_finite_earns_nothing(value: float) -> None:
    grade = _score(measures={"vae.train_bpd": value})
    item = _item(grade, "vae.train_bpd")
    assert (item.points, item.outcome, item.measures) == (0, Outcome.FAILED, {"vae.train_bpd": None})
    assert "not a finite number" in item.message
    json.loads(grade.to_json(), parse_constant=pytest.fail)


def test_a_measure_that_is_absent_has_its_checks_outcome() -> None:
    timeout = examples.fact("vae.train_bpd", Outcome.TIMEOUT, "Stopped after 180 s.")
    item = _item(_score(timeout, measures={}), "vae.train_bpd")
    assert (item.outcome, item.points, item.message) == (Outcome.TIMEOUT, 0, "Stopped after 180 s.")


def test_a_check_that_passed_without_its_measure_is_our_fault() -> None:
    item = _item(_score(measures={}), "vae.train_bpd")
    assert (item.outcome, item.points, item.pending) == (Outcome.INFRA, 0, 3)


def test_a_data_set_without_thresholds_is_our_fault() -> None:
    facts = examples.facts()
    other = facts.model_copy(update={"provenance": facts.provenance.model_copy(update={"data": "faces"})})
    item = _item(score(other, examples.rubric()), "vae.train_bpd")
    assert (item.outcome, item.pending) == (Outcome.INFRA, 3)
    assert "faces" in item.message


@pytest.mark.parametrize("outcome", STUDENTS_OWN)
def test_an_item_whose_need_failed_is_blocked(outcome: Outcome) -> None:
    item = _item(_score(examples.fact("vae.loss", outcome)), "vae.train_bpd")
    assert (item.outcome, item.points, item.pending) == (Outcome.BLOCKED, 0, 0)
    assert "vae.loss" in item.message


@pytest.mark.parametrize("outcome", [Outcome.INFRA, Outcome.UNDECIDED])
def test_an_item_whose_need_is_pending_is_pending(outcome: Outcome) -> None:
    item = _item(_score(examples.fact("vae.loss", outcome)), "vae.train_bpd")
    assert (item.outcome, item.points, item.pending) == (outcome, 0, 3)


def test_what_cannot_be_decided_waits_for_a_teacher() -> None:
    grade = _score(examples.fact("vae.loss", Outcome.UNDECIDED, "your code needs einops"))
    item = _item(grade, "vae.loss")
    assert (item.outcome, item.points, item.settled) == (Outcome.UNDECIDED, 0, False)
    assert item.message == "your code needs einops. A teacher decides; until then it costs no points."
    assert item in grade.needs_look
    assert not grade.has_infra


def _without(facts: Facts, check: str) -> Facts:
    return facts.model_copy(update={"checks": {name: fact for name, fact in facts.checks.items() if name != check}})


def test_a_check_that_the_profile_leaves_out_is_pending() -> None:
    grade = score(
        _without(examples.facts(measures={"gan.diversity": 1.0}, profile="unit"), "vae.train_bpd"), examples.rubric()
    )
    item = _item(grade, "vae.train_bpd")
    assert (item.outcome, item.points, item.pending) == (None, 0, 3)
    assert item.message == "This check is not run in the profile unit."
    assert not grade.has_infra


def test_a_check_that_should_have_run_is_our_fault() -> None:
    grade = score(_without(examples.facts(), "gan.generator"), examples.rubric())
    assert (_item(grade, "gan.generator").outcome, _item(grade, "gan.generator").pending) == (Outcome.INFRA, 3)
    empty = CheckFact(check="gan.generator", tests=())
    assert _item(_score(empty), "gan.generator").outcome is Outcome.INFRA


def test_an_optional_check_that_is_missing_waits_for_a_mark() -> None:
    missing = examples.fact("theory.kl_examples", Outcome.MISSING)
    item = _item(_score(missing), "theory.kl_examples")
    assert (item.outcome, item.points, item.pending) == (None, 0, 2)
    assert item.message.startswith("There was no program to check here, so a teacher will look at")
    told = _score(examples.fact("theory.kl_examples", Outcome.MISSING, "there is no kl_small"))
    assert _item(told, "theory.kl_examples").message.endswith("The reason: there is no kl_small")
    assert item.criterion == "one pair nearly equal, one pair far apart"
    item = _item(_score(missing, marks={"theory.kl_examples": Mark(points=1.5)}), "theory.kl_examples")
    assert (item.points, item.pending, item.comment) == (1.5, 0, "")
    failed = _item(_score(examples.fact("theory.kl_examples", Outcome.FAILED)), "theory.kl_examples")
    assert (failed.points, failed.pending) == (0, 0)


def test_a_wrong_answer_does_not_wait_because_another_is_missing() -> None:
    """A check of two answers: leaving one out must not turn the other's failure into a mark to come."""
    wrong, missing, right = (
        examples.fact("theory.kl_examples", outcome, str(outcome)).tests
        for outcome in (Outcome.FAILED, Outcome.MISSING, Outcome.PASSED)
    )
    mixed = _item(_score(CheckFact(check="theory.kl_examples", tests=wrong + missing)), "theory.kl_examples")
    assert (mixed.outcome, mixed.points, mixed.pending, mixed.message) == (Outcome.FAILED, 0, 0, "failed")
    waiting = _item(_score(CheckFact(check="theory.kl_examples", tests=right + missing)), "theory.kl_examples")
    assert (waiting.outcome, waiting.pending) == (None, 2)


def test_an_optional_measure_waits_for_a_mark_where_there_is_no_program_to_measure() -> None:
    text = examples.RUBRIC.replace("needs: [vae.loss]}", "needs: [vae.loss], optional: the curve}")
    lenient = Rubric.parse(text, Path("rubric.yaml"))
    for missing in ("vae.train_bpd", "vae.loss"):
        facts = examples.facts(examples.fact(missing, Outcome.MISSING, "there is no VAE"), measures={})
        lost, waiting = (_item(score(facts, rubric), "vae.train_bpd") for rubric in (examples.rubric(), lenient))
        assert lost.points == lost.pending == 0
        assert (waiting.points, waiting.pending, waiting.criterion) == (0, 3, "the curve")
        assert waiting.message.endswith("The reason: there is no VAE")


def test_marks_settle_manual_items_and_replace_automatic_ones() -> None:
    marks = {
        "1.1-sampling": Mark(points=2, comment="Good."),
        "gan.alternation": Mark(points=3, comment="It does alternate."),
    }
    grade = _score(examples.fact("gan.alternation", Outcome.TIMEOUT), marks=marks)
    manual, automatic = _item(grade, "1.1-sampling"), _item(grade, "gan.alternation")
    assert (manual.points, manual.pending, manual.comment) == (2, 0, "Good.")
    assert (automatic.points, automatic.outcome) == (3, Outcome.TIMEOUT)
    assert automatic.message == "A teacher's mark replaces the automatic result, which was 0 of 3 points."
    assert (manual.overridden, automatic.overridden) == (False, True)
    assert not grade.needs_look
    assert grade.provenance.marks == marked.marks(examples.rubric(), marks).sha256


def test_a_mark_that_replaces_a_result_needs_a_reason() -> None:
    grade = _score(examples.fact("gan.alternation", Outcome.FAILED), marks={"gan.alternation": Mark(points=3)})
    item = _item(grade, "gan.alternation")
    assert (item.points, item.mark_state, item.comment) == (0, MarkState.NO_REASON, None)
    assert "says why" in (item.cause or "")
    assert grade.open_marks == (item,)
    for outcome in (Outcome.INFRA, Outcome.UNDECIDED):
        item = _item(
            _score(examples.fact("gan.alternation", outcome), marks={"gan.alternation": Mark(points=3)}), item.id
        )
        assert (item.points, item.pending, item.overridden) == (3, 0, False), "there was no result to replace"


def test_a_comment_alone_settles_nothing() -> None:
    marks = {"1.1-sampling": Mark(comment="See me."), "gan.alternation": Mark(comment="Nearly.")}
    grade = _score(examples.fact("gan.alternation", Outcome.FAILED), marks=marks)
    manual, automatic = _item(grade, "1.1-sampling"), _item(grade, "gan.alternation")
    assert (manual.points, manual.pending, manual.comment) == (0, 3, "See me.")
    assert (automatic.points, automatic.pending, automatic.comment) == (0, 0, "Nearly.")
    assert not grade.open_marks


@pytest.mark.parametrize("change", [("right order", "wrong order"), ("order", "order, and why")])
def test_a_mark_for_an_earlier_wording_waits_for_a_confirmation(change: tuple[str, str]) -> None:
    given = marked.marks(examples.rubric(), {"1.1-sampling": Mark(points=2)})
    changed = Rubric.parse(examples.RUBRIC.replace(*change), Path("rubric.yaml"))
    grade = score(examples.facts(), changed, given)
    item = _item(grade, "1.1-sampling")
    assert (item.points, item.pending, item.mark_state) == (0, 3, MarkState.EARLIER)
    assert "in the right order”" in (item.cause or "")
    assert f"{change[1]}” (3 points)" in (item.cause or "")


def test_a_mark_does_not_move_when_items_are_added() -> None:
    given = marked.marks(examples.rubric(), {"1.1-sampling": Mark(points=2), "1.9-description": Mark(points=1)})
    new = '- {id: 1.1-first, manual: "A new first item", points: 1}\n          - {id: 1.1-sampling'
    text = examples.RUBRIC.replace("- {id: 1.1-sampling", new).replace(
        "points: 3\n        items", "points: 4\n        items", 1
    )
    text = text.replace("right order", "right   order")  # line breaks and spaces are no other wording
    grade = score(examples.facts(), Rubric.parse(text, Path("rubric.yaml")), given)
    assert [_item(grade, id_).points for id_ in ("1.1-first", "1.1-sampling", "1.9-description")] == [0, 2, 1]
    assert not grade.open_marks


def test_two_marks_that_did_not_see_each_other_are_in_conflict() -> None:
    wording = next(examples.rubric().entries()).wording
    first = marked.event("1.1-sampling", Mark(points=2), wording, 1, "Ann")
    second = marked.event("1.1-sampling", Mark(points=3, comment="All."), wording, 2, "Bob")
    item = _item(score(examples.facts(), examples.rubric(), Marks({"1.1-sampling": (first, second)})), "1.1-sampling")
    assert (item.points, item.pending, item.mark_state) == (0, 3, MarkState.CONFLICT)
    assert "2 by Ann and 3 by Bob" in (item.cause or "")
    assert [(mark.by, mark.points) for mark in item.marks] == [("Ann", 2), ("Bob", 3)]


def test_a_withdrawn_mark_is_none() -> None:
    withdrawn = marked.event("1.1-sampling", None, None)
    item = _item(score(examples.facts(), examples.rubric(), Marks({"1.1-sampling": (withdrawn,)})), "1.1-sampling")
    assert (item.pending, item.mark_state, item.marks) == (3, None, ())


@pytest.mark.parametrize(("late", "penalty"), [(True, 2.4), (False, 0), (None, 0)])
def test_lateness_costs_a_fraction_of_what_was_earned(late: bool | None, penalty: float) -> None:
    grade = score(examples.facts(), examples.rubric(), standing=examples.standing(late))
    assert (grade.late, grade.lateness.source) == (late, None if late is None else LateSource.NAME)
    assert grade.penalty == penalty
    assert grade.total == round(24 - penalty, 2)
    assert grade.points == 20


def _together(*lateness: Lateness, rule: str = "{penalty: 0.1, per: day}") -> Grade:
    rubric = Rubric.parse(examples.RUBRIC.replace("{penalty: 0.1}", rule), Path("rubric.yaml"))
    members = tuple(Member(id=str(number), name=f"N{number}", lateness=each) for number, each in enumerate(lateness))
    return score(examples.facts(), rubric, standing=Standing(members=members))


def test_members_of_a_group_pay_for_their_own_lateness() -> None:
    day = timedelta(days=1)
    due = datetime(2026, 11, 20, 18)
    on_time, late, later, unknown = (
        determined(named, at, due)
        for named, at in ((None, due), (None, due + day), (None, due + 2 * day), (True, None))
    )
    for group, cost, differs, undecided in (
        ((late,), (True, 2.4, 21.6), False, False),
        ((late, late), (True, 2.4, 21.6), False, False),
        ((on_time, late), (None, 0, 24), True, False),
        ((late, later), (None, 0, 24), True, False),
        ((unknown, unknown), (True, 0, 24), False, True),
        ((on_time, unknown), (None, 0, 24), True, True),
    ):
        grade = _together(*group)
        assert (grade.late, grade.penalty, grade.total) == cost
        assert (grade.differs, grade.undecided) == (differs, undecided)
    assert [each.penalty for each in _together(on_time, late, later).people] == [0, 2.4, 4.8]
    alike = _together(late, later, rule="{penalty: 0.1}")
    assert (alike.late, alike.lateness.seconds, alike.penalty, alike.differs) == (None, None, 2.4, False)
    assert _together(on_time, late).for_person("1").total == 21.6
    assert Grade.model_validate_json(_together(on_time, unknown).to_json()) == _together(on_time, unknown)


def test_a_grade_survives_its_file(tmp_path: Path) -> None:
    grade = score(examples.struggling(), examples.rubric())
    path = tmp_path / "grade.json"
    path.write_text(grade.to_json())
    assert Grade.read(path) == grade
    content = json.loads(path.read_text())
    assert {"student", "assignment", "points", "possible", "bonus", "pending", "questions"} <= set(content)
    item = content["questions"][2]["items"][0]
    assert {"check", "outcome", "points", "possible", "message", "misconception", "measures"} <= set(item)
    assert content["provenance"]["rubric"] == examples.rubric().sha256


def test_what_explains_a_failure_comes_with_it() -> None:
    failed = examples.fact("vae.kld", Outcome.FAILED, "It differs.", expected="1", got="2")
    item = _item(_score(examples.explained(failed)), "vae.kld")
    assert (item.misconception, item.symptoms) == (examples.LOG_VARIANCE, {})
    assert (item.expected, item.got) == ("1", "2")
    item = _item(_score(examples.unexplained(failed, mean=0.5)), "vae.kld")
    assert (item.misconception, item.symptoms) == (None, {"mean": (0.5, 0.01)})
    assert all(not other.symptoms for other in _score(failed).items)


def test_an_item_has_the_title_of_its_tests_where_they_have_one() -> None:
    fact = examples.passed("vae.kld")
    twice = fact.model_copy(update={"tests": fact.tests * 2})
    assert _item(_score(twice), "vae.kld").title == examples.TITLES["vae.kld"]
    other = fact.tests[0].model_copy(update={"title": "Something else"})
    two = fact.model_copy(update={"tests": (*fact.tests, other)})
    assert _item(_score(two), "vae.kld").title == "vae.kld"


def test_an_item_that_is_not_judged_explains_nothing() -> None:
    facts = examples.facts(examples.explained(examples.fact("vae.train_bpd", Outcome.FAILED)), measures={})
    needed = examples.fact("vae.loss", Outcome.FAILED)
    blocked = facts.model_copy(update={"checks": {**facts.checks, "vae.loss": needed}})
    assert _item(score(facts, examples.rubric()), "vae.train_bpd").misconception == examples.LOG_VARIANCE
    item = _item(score(blocked, examples.rubric()), "vae.train_bpd")
    assert (item.outcome, item.misconception) == (Outcome.BLOCKED, None)


outcomes = st.sampled_from(list(Outcome))
symptoms = st.dictionaries(st.text(max_size=3), st.tuples(st.floats(), st.floats()), max_size=2)
misconceptions = st.none() | st.builds(Named, name=st.text(max_size=3), sentence=st.text(max_size=3))
measures = st.dictionaries(st.sampled_from(["vae.train_bpd", "gan.diversity", "other"]), st.floats())


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """Return any facts that a session could report, plausible or not."""
    checks = [
        CheckFact(
            check=check,
            tests=tuple(examples.fact(check, outcome).tests[0] for outcome in draw(st.lists(outcomes, max_size=3))),
            misconception=draw(misconceptions),
            symptoms=draw(symptoms),
        )
        for check in draw(st.lists(st.sampled_from([*examples.TITLES, "unknown"]), unique=True))
    ]
    facts = examples.facts(measures=draw(measures))
    profile = draw(st.sampled_from(["unit", "smoke"]))
    provenance = facts.provenance.model_copy(update={"profile": profile})
    return facts.model_copy(update={"checks": {check.check: check for check in checks}, "provenance": provenance})


@given(any_facts(), st.none() | st.booleans())
def test_nothing_in_a_submission_moves_the_denominator(facts: Facts, late: bool | None) -> None:
    grade = score(facts, examples.rubric(), standing=examples.standing(late))
    assert (grade.possible, grade.bonus_possible) == (25, 4)
    records: tuple[Grade | QuestionGrade, ...] = (grade, *grade.questions)
    for record in records:
        assert 0 <= record.points <= record.points + record.pending <= record.possible
        assert 0 <= record.bonus <= record.bonus + record.bonus_pending <= record.bonus_possible
    assert 0 <= grade.total <= grade.points + grade.bonus
    assert grade.penalty == (round((grade.points + grade.bonus) * 0.1, 2) if late else 0), "nothing of pending points"
    for item in grade.items:
        assert 0 <= item.points <= item.possible
        assert item.pending in (0, item.possible)
        assert item.points == 0 or item.pending == 0
        assert (item.outcome in (None, Outcome.UNDECIDED, Outcome.INFRA)) == (item.pending > 0)
        assert round(item.points, 2) == item.points
    assert Grade.model_validate_json(grade.to_json()) == grade


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted))
def test_a_better_measure_never_earns_less(values: list[float]) -> None:
    better, worse = (_item(_score(measures={"vae.train_bpd": value}), "vae.train_bpd") for value in values)
    assert better.points >= worse.points


def test_no_name_in_a_students_own_words_is_replaced() -> None:
    """Replacing names in a student's text would tell which of the guessed names are hidden checks."""
    words = "ValueError: vae.kld, vae.secret, vae.public"
    item = _item(_score(examples.fact("gan.generator", Outcome.ERROR, words)), "gan.generator")
    assert item.message == words
