"""Symptoms, and the misconceptions that explain them: with made-up runs, and once with the whole command."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gengrade.choices import Device, Profile
from gengrade.course import find
from gengrade.facts import CheckFact, Named, Outcome, TestFact
from gengrade.grade import Grade
from gengrade.grading import Evidence, Mismatch, diagnosis, symptoms
from gengrade.grading.diagnosis import Call, Diagnosis
from gengrade.grading.misconceptions import Mistake
from gengrade.grading.plugin import Observed
from gengrade.grading.suspects import Suspects
from gengrade.grading.symptoms import Symptoms, agree, close, digest, read
from gengrade.job import Grader, Job
from gengrade.job import grader as grader_module
from gengrade.messages import CheckMessage, DiagnosisBegan, read_message, write_message
from gengrade.report.alike import same_evidence
from gengrade.sandbox import InfraError, Limits, Request, Run, Tier
from validation.workbench import Workbench, library

ROOT = Path(__file__).resolve().parents[1]
NOWHERE = Path("/nowhere")

# Symptoms ------------------------------------------------------------------------------------------------------------


def ran(evidence: Any) -> Run:
    return Run(outcome=Outcome.PASSED, evidence=evidence)


def seen(evidence: Any) -> Symptoms:
    return read("nothing:special", {}, ran(evidence))


def test_all_evidence_counts_where_nothing_else_is_said() -> None:
    evidence = {"mean": np.ones(3), "steps": [1.0, np.zeros(2)], "name": "adam", "flag": True, "none": None}
    found = seen(evidence)
    assert set(found) == {
        "result.mean",
        "length of result.steps",
        "result.steps[0]",
        "result.steps[1]",
        "result.name is 'adam'",
        "result.flag",
        "result.none is None",
    }
    assert agree(found, seen(evidence))
    for key, other in (("mean", np.zeros(3)), ("mean", np.ones(2)), ("steps", [1.0]), ("name", "sgd"), ("flag", False)):
        assert not agree(found, seen({**evidence, key: other})), key


def test_what_was_raised_is_a_symptom() -> None:
    def raised(message: str, outcome: Outcome = Outcome.ERROR) -> Symptoms:
        return read("nothing:special", {}, Run(outcome=outcome, message=message))

    assert agree(raised("ValueError: no"), raised("ValueError: no"))
    assert not agree(raised("ValueError: no"), raised("ValueError: yes"))
    assert not agree(raised("stopped"), raised("stopped", Outcome.TIMEOUT))
    assert not agree(raised("ValueError: no"), seen(1.0))


def test_a_reading_keeps_what_it_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    def scale(inputs: Mapping[str, Any], got: Evidence) -> Symptoms:
        """Return the factor between the input and the answer."""
        return {"factor": (got.tensor("y") / inputs["x"], 0.1)}

    monkeypatch.setattr(symptoms, "_known", lambda: {"made:up": scale})
    one = read("made:up", {"x": np.ones(2)}, ran({"y": 2 * np.ones(2), "size": 3}))
    other = read("made:up", {"x": 5 * np.ones(2)}, ran({"y": 10.2 * np.ones(2), "size": 4}))
    assert list(one) == ["factor"]
    assert agree(one, other)
    assert "result.size" in read("made:up", {"x": np.ones(2)}, ran({"size": 3})), "evidence that it cannot read"


def test_readings_of_all_families_are_known() -> None:
    names = {path.parent.name for path in ROOT.glob("graders/*/*symptoms.py")}
    assert names == {probe.partition(":")[0].partition(".")[0] for probe in symptoms._known()}


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1.0, 1.05, True),
        (1.0, 1.2, False),
        (1000.0, 1000.9, True),  # relative
        (1000.0, 1002.0, False),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.inf, 1.0, False),
        (1e308, -1e308, False),
    ],
)
def test_numbers_agree_within_their_tolerance(left: float, right: float, same: bool) -> None:
    assert agree({"x": (left, 0.1)}, {"x": (right, 0.1)}) is same
    assert agree({"x": (np.array([0, left]), 0.0)}, {"x": (np.array([0, right]), 0.1)}) is same, "the wider one counts"
    if not math.isnan(left):
        assert close(left, right, 0.1) is same


def test_names_and_shapes_must_agree() -> None:
    one: Symptoms = {"x": (1.0, 0.1)}
    assert not agree(one, {"y": (1.0, 0.1)})
    assert not agree(one, {"x": (1.0, 0.1), "y": (1.0, 0.1)})
    assert not agree(one, {"x": (np.ones(1), 0.1)})
    assert agree({"x": (np.ones((0, 2)), 0.0)}, {"x": (np.ones((0, 2)), 0.0)})


def test_a_digest_is_short_and_keeps_tolerances() -> None:
    found = digest({"x": (np.arange(6.0).reshape(2, 3), 0.5), "y": (3.0, 0.0), "none": (np.zeros(0), 0.1)})
    assert found == {
        "x [2, 3]": (2.5, 0.5),
        "x, first": (0.0, 0.5),
        "x, last": (5.0, 0.5),
        "y []": (3.0, 0.0),
        "none [0]": (0.0, 0.1),
    }
    many = digest({f"x{number}": (np.ones(9), 0.0) for number in range(1000)})
    assert 10 < len(many) < 30
    alike = [digest(seen({"name": "z" * 1_000_000 + last})) for last in "aab"]
    assert all(len(name) < 300 for each in alike for name in each)
    assert alike[0] == alike[1] != alike[2]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.sampled_from(
        [np.array(math.nan), np.full(3, math.inf), np.zeros((0, 3)), np.array([True]), np.full(2, 1e308)]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.filterwarnings("error")
@given(VALUES)
def test_any_evidence_agrees_with_itself_and_fits_into_json(evidence: Any) -> None:
    found = seen(evidence)
    assert agree(found, seen(evidence))
    numbers = digest(found)
    assert numbers == digest(seen(evidence))
    json.dumps(numbers, allow_nan=False)


# Diagnosis -----------------------------------------------------------------------------------------------------------

Behaviour = Callable[[str, float], float]  # what a package returns, for a probe and an input


class Course:
    """A made-up course: each check has tests, each test calls a probe with some numbers.

    The right answer to every probe is its input.
    """

    def __init__(self, **tests: tuple[str, str, tuple[float, ...]]) -> None:
        """Take tests by name: the check that each decides, its probe, and the inputs of its calls."""
        self.tests = tests
        self.library: dict[str, Mistake] = {}
        self.mistakes: dict[str, Behaviour] = {}
        self.repeated: list[tuple[str, str, float]] = []

    def add(self, name: str, fails: str, mistake: Behaviour) -> None:
        self.library[name] = Mistake(name, f"You did {name}.", tuple(fails.split()), raises=False)
        self.mistakes[name] = mistake

    def same(self, mistake: Mistake | None, call: Call) -> bool:
        probe, x = call.request.probe, call.request.inputs["x"]
        if mistake is None:
            return symptoms.agree(seen(x), call.symptoms)
        self.repeated.append((mistake.name, probe, x))
        return symptoms.agree(seen(self.mistakes[mistake.name](probe, x)), call.symptoms)

    def session(self, student: Behaviour) -> tuple[dict[str, CheckFact], list[diagnosis.Tested]]:
        facts: dict[str, list[TestFact]] = {}
        tested = []
        for name, (check, probe, inputs) in self.tests.items():
            failed = any(student(probe, x) != x for x in inputs)
            calls = [
                Call(Request(probe, NOWHERE, {"x": x}, 0, Limits(), "cpu", 1), seen(student(probe, x))) for x in inputs
            ]
            outcome = Outcome.FAILED if failed else Outcome.PASSED
            facts.setdefault(check, []).append(TestFact(name=name, title=name, outcome=outcome))
            tested.append(diagnosis.Tested(name, (check,), failed, tuple(calls)))
        return {check: CheckFact(check=check, tests=tuple(tests)) for check, tests in facts.items()}, tested

    def diagnose(self, student: Behaviour) -> dict[str, CheckFact]:
        facts, tested = self.session(student)
        return Diagnosis(facts, tested, self.library, self.same).conclude()

    def names(self, student: Behaviour) -> dict[str, str | None]:
        """Return the misconception that is reported for each check that failed."""
        facts = self.diagnose(student)
        return {
            check: fact.misconception.name if fact.misconception else None
            for check, fact in facts.items()
            if fact.outcome is Outcome.FAILED
        }


def on(probe: str, mistake: Callable[[float], float]) -> Behaviour:
    """Return answers that are right for all probes but one."""
    return lambda asked, x: mistake(x) if asked == probe else x


@pytest.fixture
def course() -> Course:
    """Return a course of two checks, in both of which a mistake in `f` shows."""
    made = Course(
        test_f=("f", "f", (1.0, 2.0)),
        test_f_at_zero=("f", "f", (0.0,)),
        test_g=("g", "g", (3.0,)),
        test_h=("g", "f", (5.0,)),
    )
    made.add("negated", "f g", on("f", lambda x: -x))
    made.add("doubled", "f g", on("f", lambda x: 2 * x))
    made.add("shifted", "g", on("g", lambda x: x + 1))
    return made


def test_the_mistake_that_does_the_same_is_named(course: Course) -> None:
    facts = course.diagnose(on("f", lambda x: -x))
    assert [fact.misconception and fact.misconception.sentence for fact in facts.values()] == ["You did negated."] * 2
    assert all(fact.symptoms == {} for fact in facts.values())


def test_nothing_is_looked_for_where_all_passed(course: Course) -> None:
    facts = course.diagnose(lambda probe, x: x)
    assert course.repeated == []
    assert all(fact.misconception is None and fact.symptoms == {} for fact in facts.values())


def test_an_unknown_mistake_has_no_name_but_symptoms(course: Course) -> None:
    facts = course.diagnose(on("f", lambda x: x**2 + 7))
    assert all(fact.misconception is None for fact in facts.values())
    assert facts["f"].symptoms["test_f 1: result []"][0] == 11
    assert {name.split()[0] for name in facts["g"].symptoms} == {"test_h"}, "only of the tests that failed"


def test_every_call_must_show_the_same(course: Course) -> None:
    """At 1 the two mistakes give the same answer; at 2 they do not."""
    assert course.names(on("f", lambda x: x**2 + 1)) == {"f": None, "g": None}


def test_tests_that_passed_count_too(course: Course) -> None:
    """The code negates except at zero, which another test of the same check uses."""
    course.mistakes["negated"] = on("f", lambda x: -x if x else 4.0)
    assert course.names(on("f", lambda x: -x))["f"] is None


def test_the_check_that_a_mistake_is_about_speaks_against_it_by_passing(course: Course) -> None:
    """`f` passes, although negating makes it fail."""
    assert course.names(lambda probe, x: -x if probe == "f" and x == 5 else x) == {"g": None}
    assert {name for name, _, _ in course.repeated} == {"shifted"}, "candidates that cannot be it are not even run"


def test_symptoms_of_a_right_answer_explain_nothing(course: Course) -> None:
    """The test of `f` failed for something that no symptom shows, and "late" shows only in runs that never happened."""
    course.add("late", "f", on("f", lambda x: x if x < 3 else -x))
    facts, tested = course.session(lambda probe, x: x)
    failed = [diagnosis.Tested(each.name, each.checks, "f" in each.checks, each.calls) for each in tested]
    test = TestFact(name="test_f", title="f", outcome=Outcome.FAILED)
    facts["f"] = facts["f"].model_copy(update={"tests": (test,)})
    found = Diagnosis(facts, failed, course.library, course.same).conclude()["f"]
    assert found.misconception is None
    assert found.symptoms


def test_other_checks_that_passed_leave_it_its_name(course: Course) -> None:
    """`g` passes, although negating `f` should make it fail."""
    assert course.names(lambda probe, x: -x if probe == "f" and x != 5 else x) == {"f": "negated"}


def test_two_mistakes_at_once_have_their_own_names() -> None:
    course = Course(test_f=("f", "f", (1.0, 2.0)), test_g=("g", "g", (3.0,)))
    course.add("negated", "f", on("f", lambda x: -x))
    course.add("shifted", "g", on("g", lambda x: x + 1))
    assert course.names(lambda probe, x: -x if probe == "f" else x + 1) == {"f": "negated", "g": "shifted"}


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_names_do_not_depend_on_how_many_are_looked_at_at_once(course: Course, threads: int) -> None:
    """The first mistake of the library answers last, and as many are asked at once as there are threads."""
    facts, tested = course.session(on("f", lambda x: -x))
    asked: set[int] = set()
    met = threading.Barrier(min(threads, 2))

    def same(mistake: Mistake | None, call: Call) -> bool:
        if mistake is not None and threading.get_ident() not in asked:
            asked.add(threading.get_ident())
            if len(asked) <= met.parties:
                met.wait(30)
            time.sleep(0.05 if mistake.name == "negated" else 0)
        return course.same(mistake, call)

    found = Diagnosis(facts, tested, course.library, same, threads=threads).conclude()
    assert found == course.diagnose(on("f", lambda x: -x))
    assert len(asked) >= met.parties


def test_the_one_that_explains_the_most_is_named() -> None:
    course = Course(test_f=("f", "f", (1.0,)), test_g=("g", "g", (1.0,)))
    course.add("small", "f", on("f", lambda x: -x))
    course.add("large", "g f", lambda probe, x: -x)
    course.add("other", "g", on("g", lambda x: -x))
    assert course.names(lambda probe, x: -x) == {"f": "large", "g": "large"}
    assert course.names(on("f", lambda x: -x)) == {"f": "small"}


def test_of_equals_the_one_that_is_about_the_check_is_named() -> None:
    course = Course(test_f=("f", "f", (1.0,)), test_g=("g", "g", (1.0,)))
    course.add("in_f", "f g", lambda probe, x: -x)
    course.add("in_g", "g f", lambda probe, x: -x)
    assert course.names(lambda probe, x: -x) == {"f": "in_f", "g": "in_g"}


def test_nobody_is_named_on_a_tie(course: Course) -> None:
    course.add("negated_too", "f g", on("f", lambda x: -x))
    facts = course.diagnose(on("f", lambda x: -x))
    assert all(fact.misconception is None for fact in facts.values())
    assert facts["f"].symptoms, "who has it can still be found"


@pytest.mark.parametrize("outcome", [each for each in Outcome if each not in (Outcome.FAILED, Outcome.ERROR)])
def test_only_wrong_answers_are_diagnosed(course: Course, outcome: Outcome) -> None:
    facts, tested = course.session(on("f", lambda x: -x))
    test = TestFact(name="t", title="t", outcome=outcome)
    facts = {check: fact.model_copy(update={"tests": (test,)}) for check, fact in facts.items()}
    assert Diagnosis(facts, tested, course.library, course.same).conclude() == facts


def test_a_test_that_called_nothing_is_not_explained() -> None:
    course = Course(test_f=("f", "f", (1.0,)))
    course.add("negated", "f", on("f", lambda x: -x))
    facts, _ = course.session(on("f", lambda x: -x))
    tested = [diagnosis.Tested("test_f", ("f",), True, ())]
    fact = Diagnosis(facts, tested, course.library, course.same).conclude()["f"]
    assert (fact.misconception, fact.symptoms) == (None, {})


def test_a_suspect_that_fails_otherwise_is_not_it(course: Course) -> None:
    """The mistake may end a run in any way; only a fault of the harness is raised to the session."""

    def crashes(mistake: Mistake | None, call: Call) -> bool:
        run = Run(outcome=Outcome.CRASHED, message="signal 11")
        return symptoms.agree(symptoms.read(call.request.probe, call.request.inputs, run), call.symptoms)

    def breaks(mistake: Mistake | None, call: Call) -> bool:
        raise InfraError("the sandbox did not start")

    facts, tested = course.session(on("f", lambda x: -x))
    found = Diagnosis(facts, tested, course.library, crashes).conclude()
    assert all(fact.misconception is None and fact.symptoms for fact in found.values())
    with pytest.raises(InfraError):
        Diagnosis(facts, tested, course.library, breaks).conclude()


def test_evidence_that_a_reading_refuses_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(inputs: Mapping[str, Any], got: Evidence) -> Symptoms:
        raise Mismatch("no")

    monkeypatch.setattr(symptoms, "_known", lambda: {"f:f": refuses})
    assert list(read("f:f", {}, ran(3.0))) == ["result"]


@pytest.mark.parametrize("error", [InfraError("no sandbox"), ZeroDivisionError("in a reading of ours")])
def test_a_fault_of_ours_costs_no_verdict(
    course: Course, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def breaks(*arguments: object) -> bool:
        raise error

    facts, tested = course.session(on("f", lambda x: -x))
    observed = Observed(tests={check: list(fact.tests) for check, fact in facts.items()}, tested=tested)
    monkeypatch.setattr(grader_module, "library", lambda of: course.library)
    monkeypatch.setattr(Suspects, "same", breaks)
    grader = Grader(_job(tmp_path))
    try:
        assert grader._diagnosed(observed) == facts
    finally:
        grader.close()
    assert str(error) in observed.faults[0]


@pytest.mark.parametrize(("student", "told"), [(lambda probe, x: -x, [DiagnosisBegan()]), (lambda probe, x: x, [])])
def test_it_is_told_that_mistakes_are_looked_for(
    course: Course, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, student: Behaviour, told: list[DiagnosisBegan]
) -> None:
    """It may take as long as the checks, and nothing else moves meanwhile."""
    facts, tested = course.session(student)
    monkeypatch.setattr(grader_module, "library", lambda of: course.library)
    monkeypatch.setattr(Suspects, "same", lambda self, mistake, call: course.same(mistake, call))
    heard: list[CheckMessage] = []
    grader = Grader(_job(tmp_path), heard.append)
    try:
        grader._diagnosed(Observed(tests={check: list(fact.tests) for check, fact in facts.items()}, tested=tested))
    finally:
        grader.close()
    assert heard == told
    assert [read_message(write_message(message).encode()) for message in told] == told


def _job(folder: Path) -> Job:
    """Return a job that is never run."""
    return Job(
        out=folder,
        work=folder,
        key=bytes(32),
        drawn=b"",
        course_folder=find("uva2020").folder,
        checks=(),
        profile=Profile.UNIT,
        part=None,
        public=False,
        data=None,
        data_name="digits",
        data_hash="",
        tier=Tier.PROCESS,
        device=Device.CPU,
        cache=False,
        seed=0,
        entry={},
        kept=(),
        needs={},
        limits={},
    )


# The command ---------------------------------------------------------------------------------------------------------

RUBRIC = """\
assignment: A small one
course: uva2020
parts:
  - name: Variational auto-encoders
    questions:
      - {id: "1.9", title: Build a VAE, points: 2, items: [{check: vae.kld, points: 2}]}
"""
NAMED = "kld.log_std_as_log_variance"


@pytest.mark.slow
def test_a_class_is_told_what_it_shares(workbench: Workbench, tmp_path: Path) -> None:
    """One student has a known misconception; two have the same unnamed mistake in different words."""
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    odd = {
        "ada": "def KLD(mean, log_std): return (0.3 * mean + log_std).sum(dim=-1)\n\n\ndef unused(",
        "bob": "def KLD(m, log_std):\n    part = 0.3 * m\n    return torch.sum(part + log_std, -1)\n\n\ndef unused(",
    }
    handed_in = {name: workbench.variant({"part1/utils.py": ("def KLD(", text)}) for name, text in odd.items()}
    handed_in |= {"cyd": workbench.planted(NAMED), "dee": workbench.variant({})}
    for name, folder in handed_in.items():
        shutil.copytree(folder, tmp_path / "class" / name)
    (tmp_path / "rubric.yaml").write_text(RUBRIC)
    out = tmp_path / "results"
    command = [sys.executable, str(ROOT / "run_grading.py"), str(tmp_path / "class"), "--out", str(out)]
    command += ["--rubric", str(tmp_path / "rubric.yaml"), "--profile", "unit", "--data", "digits"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=240)
    assert run.returncode == 0, run.stdout + run.stderr
    grades = {name: Grade.read(out / name / "grade.json") for name in handed_in}
    assert {name: grade.points for name, grade in grades.items()} == {"ada": 0, "bob": 0, "cyd": 0, "dee": 2}
    sentence = library()[NAMED].sentence
    assert grades["cyd"].items[0].misconception == Named(name=NAMED, sentence=sentence)
    assert sentence in (out / "cyd" / "report.html").read_text()
    assert all(grades[name].items[0].misconception is None for name in ("ada", "bob", "dee"))
    (group,) = same_evidence(grades.values())
    assert [case.grade.student for case in group.cases] == ["ada", "bob"]
    page = (out / "index.html").read_text().replace("<wbr>", "")
    assert f'{NAMED} <span class="quiet">1 of 4</span>' in page
    assert sentence in page
    assert 'vae.kld <span class="quiet">2 of 4</span>' in page
