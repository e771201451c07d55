"""Runs a grader that a test writes, as a session does."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from gengrade.choices import CheckKind
from gengrade.course import find
from gengrade.facts import Outcome, TestFact
from gengrade.grading import session
from gengrade.grading.checks import Known
from gengrade.grading.plugin import GradingPlugin
from gengrade.grading.subject import Circumstances, Subject
from gengrade.sandbox import Limits, Request, Run


class Answers:
    """Replaces a sandbox: gives the same evidence to every run."""

    starting = 0.0

    def __init__(self, evidence: Any) -> None:
        self._evidence = evidence

    def run(self, request: Request) -> Run:
        return Run(Outcome.PASSED, evidence=self._evidence)


def graded(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    code: str,
    *,
    wanted: frozenset[str] = frozenset({"one", "two"}),
    student: Any = None,
    reference: Any = None,
) -> tuple[dict[str, list[TestFact]], list[str]]:
    """Return the facts of the tests of a grader that decides the checks "one" and "two", and the faults.

    student, reference: the evidence of their runs.
    """
    file = tmp_path / "grader.py"
    file.write_text(
        "from gengrade.grading import Passed, Subject, check, expect, fail, not_asked, probes\n"
        "from gengrade.sandbox import InfraError\n" + dedent(code)
    )
    monkeypatch.setattr(session, "known", lambda: {each: Known(each, "grader", CheckKind.UNIT, ()) for each in wanted})
    monkeypatch.setattr(session, "module_path", lambda module: file)
    here = Circumstances(find("uva2020"), "", "cpu", 1, {})
    plugin = GradingPlugin(
        Subject(Path("/"), "tree", Answers(student), None, here),
        Subject(Path("/"), "tree", Answers(reference), None, here, ours=True),
        lambda: None,  # type: ignore[arg-type, return-value]
        wanted=wanted,
        secret=b"",
        limits=lambda check, kind: Limits(),
        folder=tmp_path,
        tell=lambda message: None,
        names={},
        needs={},
    )
    observed = session.run_session(plugin, wanted)
    return observed.tests, observed.faults
