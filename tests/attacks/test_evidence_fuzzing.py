"""Evidence of any form only fails a check; `python -m tests.attacks.fuzzing.evidence` tries more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.fuzzing.evidence import faults, twisted_bench
from validation.variants import COURSES
from validation.workbench import unit_checks

# The two smallest courses; the others are among the slow tests.
_BY_DEFAULT = ("uva2021", "duke2017")
_EACH = [pytest.param(name, marks=[] if name in _BY_DEFAULT else [pytest.mark.slow]) for name in COURSES]


@pytest.mark.parametrize("course", _EACH)
def test_no_grader_falls_over_twisted_evidence(tmp_path: Path, course: str) -> None:
    assert faults(twisted_bench(tmp_path, course, flooded=0.05), range(1), unit_checks("", course=course)) == []
