"""The budget of all runs of a submission: what counts, and what happens when it is used up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gengrade.authenticity import Seal
from gengrade.course import find
from gengrade.facts import CheckFact, Outcome, TestFact
from gengrade.grading.budget import Allowance, Budget
from gengrade.grading.diagnosis import Call, Diagnosis, Tested
from gengrade.grading.misconceptions import Mistake
from gengrade.grading.probes import Probe
from gengrade.grading.subject import BudgetUsedUp, Circumstances, ProbeFailed, Subject
from gengrade.rubric import Rubric, RubricError
from gengrade.sandbox import InfraError, Limits, Request, Run
from gengrade.store import EvidenceStore
from tests.support.operator import RUBRIC

CIRCUMSTANCES = Circumstances(find("uva2020"), "none", "cpu", 1, {})
PROBE = Probe("vae", "kld")
SEAL = Seal.temporary()


class Recorded:
    """A sandbox whose runs use given resources, and which counts them."""

    starting = 0.0

    def __init__(self, *runs: Run) -> None:
        self._runs = list(runs)
        self.started = 0

    def run(self, request: Request) -> Run:
        self.started += 1
        return self._runs[(self.started - 1) % len(self._runs)]


def _ran(subject: Subject, times: int) -> list[str]:
    """Return the messages of so many runs in order."""
    seeds = iter(range(times))
    subject.begin(lambda: next(seeds), Limits())
    said = []
    for _ in range(times):
        try:
            subject.run(PROBE)
            said.append("")
        except ProbeFailed as failed:
            said.append(f"{failed.run.outcome}: {failed.run.message}")
    return said


ENDLESS = Run(Outcome.TIMEOUT, "stopped after 20 s: the limit of this check", seconds=20.0)
USED_UP = "timeout: stopped: the submission's budget of 30 minutes is used up"


def test_runs_that_never_end_are_not_started_for_ever(tmp_path: Path) -> None:
    """Of 94 runs of 20 s, 90 use up half an hour."""
    runner = Recorded(ENDLESS)
    said = _ran(Subject(tmp_path, "", runner, None, CIRCUMSTANCES, budget=Budget(Allowance())), 94)
    assert runner.started == 90
    assert said[89] != said[90] == said[93] == USED_UP


def test_a_flood_of_evidence_is_stopped(tmp_path: Path) -> None:
    runner = Recorded(Run(Outcome.PASSED, evidence=1.0, received=64 << 20))
    said = _ran(Subject(tmp_path, "", runner, None, CIRCUMSTANCES, budget=Budget(Allowance())), 20)
    assert runner.started == 16
    assert said[15] == ""
    assert set(said[16:]) == {"error: stopped: the submission's budget of 1,024 MB of evidence is used up"}


def test_an_honest_submission_never_meets_it(tmp_path: Path) -> None:
    """A hundred unit checks of a second and five trainings of three minutes, each as large as images are."""
    runs = [Run(Outcome.PASSED, evidence=1.0, seconds=1.0, received=1 << 20)] * 20
    runner = Recorded(*runs, Run(Outcome.PASSED, evidence=1.0, seconds=180.0, received=40 << 20))
    assert set(_ran(Subject(tmp_path, "", runner, None, CIRCUMSTANCES, budget=Budget(Allowance())), 105)) == {""}
    assert runner.started == 105


def test_our_own_solution_has_none(tmp_path: Path) -> None:
    runner = Recorded(Run(Outcome.PASSED, evidence=1.0, seconds=1000.0, received=1 << 30))
    assert set(_ran(Subject(tmp_path, "", runner, None, CIRCUMSTANCES, ours=True), 50)) == {""}


def test_a_grading_that_goes_on_ends_as_it_would_have(tmp_path: Path) -> None:
    """A cached run counts as much as when it was carried out."""
    runner = Recorded(ENDLESS)
    ends = []
    for _ in range(2):
        store = EvidenceStore(tmp_path, SEAL, "doe")
        ends.append(_ran(Subject(tmp_path, "", runner, store, CIRCUMSTANCES, budget=Budget(Allowance(seconds=60))), 5))
    assert ends[0] == ends[1]
    assert ends[0][3:] == ["timeout: stopped: the submission's budget of 1 minute is used up"] * 2
    assert runner.started == 3


def test_a_run_that_was_not_started_is_not_kept(tmp_path: Path) -> None:
    budget = Budget(Allowance(seconds=1))
    budget.charge(Run(Outcome.PASSED, seconds=1.0))
    store = EvidenceStore(tmp_path, SEAL, "doe")
    subject = Subject(tmp_path, "", Recorded(ENDLESS), store, CIRCUMSTANCES, budget=budget)
    assert _ran(subject, 1) == ["timeout: stopped: the submission's budget of 1 second is used up"]
    assert subject.runs == []
    assert not list(tmp_path.glob("*.evidence"))


@pytest.mark.parametrize(("cut", "tried"), [(False, 1), (True, 0)])
def test_no_misconception_is_looked_for_where_the_budget_ended_a_check(cut: bool, tried: int) -> None:
    request = Request(str(PROBE), Path(), {}, 0, Limits())
    test = TestFact(name="test", title="A test", outcome=Outcome.ERROR)
    tested = Tested("test", ("vae.kld",), True, (Call(request, {"x": (np.float64(1), 0.0)}),), cut)
    mistake = Mistake("kld.x", "It is x.", ("vae.kld",), raises=True)
    compared = []

    def same(mistake: Mistake | None, call: Call) -> bool:
        compared.append(mistake)
        return False

    facts = {"vae.kld": CheckFact(check="vae.kld", tests=(test,))}
    found = Diagnosis(facts, [tested], {"kld.x": mistake}, same).conclude()
    assert len(compared) == tried
    assert bool(found["vae.kld"].symptoms) is not cut


def test_a_fault_of_ours_is_none_of_the_budgets(tmp_path: Path) -> None:
    class Broken(Recorded):
        def run(self, request: Request) -> Run:
            raise InfraError("the sandbox failed")

    subject = Subject(tmp_path, "", Broken(), None, CIRCUMSTANCES, budget=Budget(Allowance(seconds=1)))
    for _ in range(3):
        with pytest.raises(InfraError):
            _ran(subject, 1)
    assert issubclass(BudgetUsedUp, ProbeFailed)


# --- in the rubric ---------------------------------------------------------------------------------------------------


def _limited(limits: str) -> Rubric:
    return Rubric.parse(RUBRIC.replace("limits: {unit: {seconds: 15}}", f"limits: {limits}"), Path("rubric.yaml"))


def test_a_rubric_changes_it() -> None:
    rubric = _limited("{submission: {seconds: 90, evidence_mb: 64}}")
    rubric.verify(rubric.checks())
    assert rubric.limits["submission"].seconds == 90
    values = rubric.limits["submission"].model_dump(exclude_none=True)
    assert Allowance().changed(values) == Allowance(90, 64)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("{submission: {memory_mb: 5}}", 'a submission has no limit "memory_mb", only seconds and evidence_mb'),
        ("{submission: {seconds: 0}}", "greater than 0"),
        ("{submision: {seconds: 9}}", 'did you mean "submission"'),
    ],
)
def test_a_wrong_one_is_refused_with_its_line(limits: str, words: str) -> None:
    def load() -> None:
        rubric = _limited(limits)
        rubric.verify(rubric.checks())

    with pytest.raises(RubricError) as refused:
        load()
    assert words in str(refused.value)
    assert refused.value.line == 3
