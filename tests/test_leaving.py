"""A test that leaves a mistake to another check passes only if that check found one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gengrade.course import courses
from gengrade.facts import Outcome
from gengrade.grading.checks import known, with_needs
from gengrade.home import HOME
from gengrade.rubric import Rubric
from tests.support.graders import graded

# Tests that may end without a question and name no check that judges the mistake: why nothing is left to be judged.
NOTHING_TO_ASK = {
    "the generator has an architecture of its own": "an architecture for 28×28 pixels is right",
    "sample takes no noise as an argument": "noise as an argument is not asked for",
    "interpolate takes no ends as arguments": "ends as arguments are not asked for",
    "the logits of a pixel are normalised": "normalised logits are right, and another test of the check judges them",
    "visualize_manifold failed": "the test draws a picture for the report, and judges nothing",
    "the encoder draws numbers in training mode": "other tests of the check ask in eval mode and with given noise",
    "the loop does not call p_sample": "another test of the check judges the images of such a loop",
}


LEFT = """
    @check("one", leaves_to=("two",))
    def test_one() -> None:
        not_asked("it is left to the other", unless=("two",))
"""
ASKED = """
    @check("one", leaves_to=("two",))
    def test_one(passed: Passed) -> None:
        expect(not passed("two"), "the other passed")
"""
RIGHT = """
    @check("two")
    def test_two() -> None:
        pass
"""
WRONG = RIGHT.replace("pass", "fail('it is wrong')")
UNDECIDED = """
    @check("two", leaves_to=("one",))
    def test_two() -> None:
        not_asked("nobody knows", unless=("one",))
"""
FAULTY = RIGHT.replace("pass", "raise InfraError('no disk')")
BLOCKED = """
    @check("two", needs=("four",))
    def test_two() -> None:
        pass

    @check("four")
    def test_four() -> None:
        fail("it is wrong")
"""
PARTLY = (
    BLOCKED
    + """
    @check("two")
    def test_two_again() -> None:
        fail("it is wrong, too")
"""
)


@pytest.mark.parametrize(
    ("left", "other", "outcome", "words"),
    [
        (LEFT, WRONG, Outcome.PASSED, "it is left to the other"),
        (LEFT, RIGHT, Outcome.UNDECIDED, "two passed, so that a person has to decide: it is left to the other"),
        (LEFT, FAULTY, Outcome.INFRA, "not your fault"),
        (LEFT, BLOCKED, Outcome.BLOCKED, "not run, since two did not pass"),
        (LEFT, PARTLY, Outcome.PASSED, "it is left to the other"),
        (ASKED, WRONG, Outcome.PASSED, ""),
        (ASKED, RIGHT, Outcome.FAILED, "the other passed"),
        (ASKED, FAULTY, Outcome.INFRA, "not your fault"),
    ],
    ids=[
        "left, wrong",
        "left, right",
        "left, faulty",
        "left, ended early",
        "left, partly ended early",
        "asked, wrong",
        "asked, right",
        "asked, faulty",
    ],
)
def test_what_is_left_to_another_check_depends_on_its_outcome(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: str, other: str, outcome: Outcome, words: str
) -> None:
    facts, _ = graded(monkeypatch, tmp_path, left + other, wanted=frozenset({"one", "two", "four"}))
    (fact,) = facts["one"]
    assert fact.outcome is outcome
    assert words in fact.message


def test_a_check_that_waits_for_a_person_keeps_what_is_left_to_it_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    third = """
    @check("three")
    def test_three() -> None:
        pass
"""
    undecided = UNDECIDED.replace('"one"', '"three"')
    for left in (LEFT, ASKED):
        facts, _ = graded(monkeypatch, tmp_path, left + undecided + third, wanted=frozenset({"one", "two", "three"}))
        assert [fact.outcome for fact in facts["one"]] == [Outcome.UNDECIDED]
        assert "nobody knows" in facts["one"][0].message


def test_a_check_that_is_not_run_here_judges_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for left in (LEFT, ASKED):
        facts, _ = graded(monkeypatch, tmp_path, left + RIGHT, wanted=frozenset({"one"}))
        assert [fact.outcome for fact in facts["one"]] == [Outcome.PASSED]


@pytest.mark.parametrize("left", [LEFT, ASKED])
def test_a_check_that_is_not_declared_is_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: str
) -> None:
    facts, faults = graded(monkeypatch, tmp_path, left.replace(', leaves_to=("two",)', "") + RIGHT)
    assert [fact.outcome for fact in facts["one"]] == [Outcome.INFRA]
    assert "leaves_to" in faults[0]


def test_checks_that_judge_what_is_left_to_them_are_run_too() -> None:
    assert with_needs({"vae.loss"}) >= {"vae.loss", "vae.kld", "vae.bpd", "vae.reparameterize"}
    assert all(other in known() for each in known().values() for other in (*each.leaves_to, *each.needs))


@pytest.mark.parametrize("name", sorted(courses()))
def test_a_courses_rubric_asks_for_the_checks_that_judge_what_is_left_to_them(name: str) -> None:
    asked = set(Rubric.load(courses()[name].rubric).checks())
    assert {judge for check in asked for judge in known()[check].leaves_to} <= asked


def test_every_test_that_asks_nothing_names_a_check_or_has_a_reason() -> None:
    reasons = []
    for file in sorted((HOME / "graders").rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        for call in calls:
            named = isinstance(call.func, ast.Name) and call.func.id == "not_asked"
            if named and not any(keyword.arg == "unless" for keyword in call.keywords):
                assert isinstance(call.args[0], ast.Constant), f"{file}:{call.lineno}"
                reasons.append(str(call.args[0].value))
    assert len(reasons) == len(NOTHING_TO_ASK)
    assert all(any(reason.startswith(known_one) for known_one in NOTHING_TO_ASK) for reason in reasons)
