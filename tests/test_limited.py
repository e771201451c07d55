"""The process that runs a test's own code: what ends it, what that means, and which results remain."""

from __future__ import annotations

import inspect
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gengrade.course import find
from gengrade.facts import Figure, Outcome
from gengrade.grading import Evidence, Mismatch, expect, fail, probes
from gengrade.grading.figures import Gallery, Show
from gengrade.grading.limited import Allowance, GraderFault, Report, TooMuch, confined
from gengrade.grading.subject import Circumstances, ProbeFailed, Subject
from gengrade.sandbox import InfraError, Request, Run
from tests.support.children import children
from tests.support.graders import graded

SHORT = Allowance(seconds=2, memory_mb=512)
PROBE = probes.vae.kld


class Answers:
    """Replaces the sandbox."""

    starting = 0.0

    def __init__(self, *answers: Run | BaseException) -> None:
        self._answers = list(answers)

    def run(self, request: Request) -> Run:
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def passed(evidence: Any) -> Run:
    return Run(Outcome.PASSED, evidence=evidence)


HERE = Circumstances(find("uva2020"), "", "cpu", 1, {})


def subject(*answers: Run | BaseException, ours: bool = False) -> Subject:
    return Subject(Path("/"), "tree", Answers(*answers), None, HERE, ours=ours)


def called(test: Callable[..., None], student: Subject | None = None, allowance: Allowance = SHORT) -> Report:
    arguments = {} if student is None else {"student": student}
    return confined(test, arguments, recorded={}, figures=[], allowance=allowance, symptoms_of=student)


@pytest.fixture(autouse=True)
def _no_child_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def sorts_for_ever() -> None:
    while True:  # each a call that does not come back to Python for a while
        np.sort(np.random.default_rng(0).random(30_000_000))


def counts_for_ever() -> None:
    numbers = iter(int, 1)
    for _ in numbers:
        pass


def survives_the_signal() -> None:
    try:
        counts_for_ever()
    except BaseException:
        counts_for_ever()


@pytest.mark.parametrize("test", [sorts_for_ever, counts_for_ever, survives_the_signal])
def test_an_endless_comparison_is_the_answers_fault(test: Callable[[], None]) -> None:
    report = called(test)
    assert isinstance(report.error, TooMuch)
    assert "too large, or takes too long" in report.error.message
    assert report.error.expected == "an answer that can be compared within 2 s of processor time"
    assert 1.5 < report.seconds < 6


def test_a_comparison_without_memory_is_the_answers_fault() -> None:
    report = called(lambda: expect(bool(np.ones((1 << 30,)).any()), "never said"))
    assert isinstance(report.error, TooMuch)
    assert report.error.expected == "an answer that can be compared within 0.5 GB of memory"


def test_what_uses_less_is_left_alone() -> None:
    report = called(lambda: expect(bool(np.ones((1 << 24,)).all()), "never said"))
    assert report.error is None
    assert report.memory_mb > 100


def test_who_waits_for_a_run_uses_no_time() -> None:
    class Slow(Answers):
        def run(self, request: Request) -> Run:
            until = time.process_time() + 1.5
            while time.process_time() < until:
                pass
            return passed(1.0)

    student = Subject(Path("/"), "tree", Slow(), None, Circumstances(find("uva2020"), "", "cpu", 1, {}))

    def test(student: Subject) -> None:
        expect(student.run(PROBE).number() + student.run(PROBE).number() == 2, "never said")

    report = called(test, student)
    assert report.error is None
    assert report.seconds < 1


def test_runs_are_the_parents() -> None:
    student, sent = subject(passed({"x": np.arange(3.0)}), passed(2.0)), np.ones((2, 2))

    def test(student: Subject) -> None:
        np.testing.assert_array_equal(student.run(PROBE, x=sent)["x"].tensor(), np.arange(3.0))
        fail("said", expected="1", got=f"{student.again(PROBE, given=Evidence({'w': sent})).number():g}")

    report = called(test, student)
    assert isinstance(report.error, Mismatch)
    assert (report.error.message, report.error.expected, report.error.got) == ("said", "1", "2")
    assert [request.seed for request, _ in student.runs] == [0, 0]
    np.testing.assert_array_equal(student.runs[0][0].inputs["x"], sent)
    assert [sorted(symptoms) for symptoms in report.symptoms] == [["result.x"], ["result"]]


def test_a_test_can_ask_for_every_kind_of_run() -> None:
    """Two trainings' measures waited for a person, for everybody: the child had no `on_theirs`."""
    kinds = [name for name, each in inspect.getmembers(Subject, inspect.isfunction) if not name.startswith("_")]
    runs = [name for name in kinds if "probe" in inspect.signature(getattr(Subject, name)).parameters]
    assert set(runs) >= {"run", "again", "once", "on_theirs"}

    def test(student: Subject) -> None:
        student.run(PROBE)
        for name in runs:
            assert getattr(student, name)(PROBE).text() == name

    ours = subject(passed("first"), *(passed(name) for name in runs), ours=True)
    assert called(test, ours).error is None


def test_what_a_run_raises_ends_the_test() -> None:
    infra = InfraError("no sandbox")
    for raised in (infra, OSError("full")):
        report = called(lambda student: student.run(PROBE), subject(raised))
        assert report.error is raised


def test_a_run_without_evidence_ends_the_test_and_is_a_symptom() -> None:
    run = Run(Outcome.ERROR, message="ZeroDivisionError")
    report = called(lambda student: student.run(PROBE), subject(run))
    assert isinstance(report.error, ProbeFailed)
    assert report.error.run is run
    assert [*report.symptoms[0]] == ["error: ZeroDivisionError"]


def test_what_was_recorded_and_shown_comes_back(tmp_path: Path) -> None:
    recorded: dict[str, float] = {}
    show = Show(tmp_path, "vae.kld", Gallery())

    def test() -> None:
        recorded["vae.train_bpd"] = 0.2
        show.images("an image", np.zeros((1, 28, 28)))
        show.images("one beyond all bounds", np.zeros((1, 1, 10_000_000)))
        show.curves("a curve", {"x": ([0, 1], [1e308, -1e308])}, xlabel="x", ylabel="y")

    report = confined(test, {}, recorded=recorded, figures=show.figures, allowance=Allowance(), symptoms_of=None)
    assert report.error is None
    assert report.recorded == {"vae.train_bpd": 0.2}
    assert [figure.caption for figure in report.figures] == ["an image", "a curve"]
    assert all((tmp_path / figure.file).is_file() for figure in report.figures if isinstance(figure, Figure))
    assert recorded == {}


def dies() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leaves() -> None:
    os._exit(0)


def divides() -> None:
    _ = 1 / 0


def skips() -> None:
    pytest.skip("never")


@pytest.mark.parametrize(
    ("test", "words"),
    [(dies, "-11"), (leaves, "and no report"), (divides, "ZeroDivisionError"), (skips, "never")],
)
def test_any_other_end_is_our_fault(test: Callable[[], None], words: str) -> None:
    report = called(test)
    assert isinstance(report.error, GraderFault)
    assert words in str(report.error)


EMPTY = """
    @check("one")
    def test_one(student: Subject) -> None:
        found = [each.number() for each in student.run(probes.vae.kld).list()]
        expect({}, "another number")
"""


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        ("max(found) == 1", Outcome.FAILED),
        ("found[0] == 1", Outcome.FAILED),
        ("1 / sum(found) == 1", Outcome.FAILED),
        ("found.size == 1", Outcome.INFRA),  # which fails for the reference, too
        ("{1.0: True}[sum(found)]", Outcome.INFRA),  # nothing that computing with arrays raises
    ],
)
def test_an_answer_of_another_length_is_the_students_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: str, outcome: Outcome
) -> None:
    """A student could turn a failure into a fault of ours, by a list of another length."""
    tests, _ = graded(
        monkeypatch, tmp_path, EMPTY.format(asked), wanted=frozenset({"one"}), student=[], reference=[1.0]
    )
    assert [test.outcome for test in tests["one"]] == [outcome]


def test_a_verdict_stands_whatever_its_symptoms_take(monkeypatch: pytest.MonkeyPatch) -> None:
    def test(student: Subject) -> None:
        student.run(PROBE)

    for reading, faults in ((counts_for_ever, 0), (divides, 1)):
        monkeypatch.setattr("gengrade.grading.limited.read", lambda *_, reading=reading: reading())
        report = called(test, subject(passed(1.0)))
        assert (report.error, report.symptoms, len(report.faults)) == (None, (), faults)


def test_the_limits_are_the_childs_alone() -> None:
    before = [resource.getrlimit(which) for which in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_CORE)]
    called(lambda: None)
    after = [resource.getrlimit(which) for which in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_CORE)]
    assert before == after


def test_an_interrupted_parent_ends_its_child() -> None:
    with pytest.raises(KeyboardInterrupt):
        called(lambda student: student.run(PROBE), subject(KeyboardInterrupt()))
