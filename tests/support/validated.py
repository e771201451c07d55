"""Run the short validation of a course: each misconception and each variant is a test case, and there are enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import ClassVar

import pytest

from validation.cases import Case, cases, judge
from validation.workbench import DEFAULT_COURSE, Workbench


class Validated:
    """One family of a course; a class of its own, so that families are spread over processes.

    A few of its cases, evenly spread over mistakes and right variants, are among the default tests. Others are slow.
    """

    course: ClassVar[str] = DEFAULT_COURSE
    family: ClassVar[str]
    by_default: ClassVar[int] = 2

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        of_course = cases("caught", "right", "unnamed", courses=[self.course])
        found = [case for case in of_course if case.family == self.family]
        few = self.by_default
        default = {len(found) * (2 * place + 1) // (2 * few) for place in range(few)}
        slow = [[] if index in default else [pytest.mark.slow] for index in range(len(found))]
        parameters = [pytest.param(case, id=case.key, marks=marks) for case, marks in zip(found, slow, strict=True)]
        metafunc.parametrize("case", parameters)

    def test_it_holds(self, benches: Callable[[str], Workbench], case: Case) -> None:
        verdict = judge(benches(self.course), case, briefly=True)
        assert verdict.judged, verdict.problem
        assert verdict.named, verdict.problem


def expect_enough(course: str, **least: int) -> None:
    """Fail unless a course has at least so many cases of each kind."""
    found = Counter(case.kind for case in cases("caught", "right", "unnamed", courses=[course]))
    for kind, count in least.items():
        assert found[kind] >= count, kind
