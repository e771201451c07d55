"""Runs of our own code on what a student's run returned: whose fault it is if they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengrade.course import find
from gengrade.facts import Outcome
from gengrade.grading import Mismatch
from gengrade.grading.probes import Probe
from gengrade.grading.subject import Circumstances, Subject
from gengrade.sandbox import InfraError, Limits, Request, Run


class Failing:
    """A sandbox in which every run ends like this."""

    starting = 0.0

    def __init__(self, run: Run) -> None:
        self._run = run

    def run(self, request: Request) -> Run:
        return self._run


def ours(tmp_path: Path, outcome: Outcome) -> Subject:
    runner = Failing(Run(outcome, "RuntimeError: Unexpected key(s) in state_dict"))
    subject = Subject(tmp_path, "", runner, None, Circumstances(find("mit_flow"), "none", "cpu", 1, {}), ours=True)
    subject.begin(lambda: 0, Limits())
    return subject


PROBE = Probe("flow_matching.training", "predict")


def test_weights_that_do_not_fit_are_the_students_fault(tmp_path: Path) -> None:
    """One more entry among the weights of our own network made a check wait for a person."""
    with pytest.raises(Mismatch, match="not those of the network that was trained"):
        ours(tmp_path, Outcome.ERROR).on_theirs(PROBE)


def test_other_failures_of_our_own_code_are_ours(tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="the reference failed"):
        ours(tmp_path, Outcome.ERROR).run(PROBE)
    with pytest.raises(InfraError, match="the reference failed"):
        ours(tmp_path, Outcome.TIMEOUT).on_theirs(PROBE)
