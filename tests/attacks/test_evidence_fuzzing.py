"""Evidence of any form only fails a check; `python -m tests.attacks.fuzzing.evidence` tries more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.fuzzing.evidence import faults, twisted_bench
from validation.variants import COURSES
from validation.workbench import unit_checks


@pytest.mark.parametrize("course", COURSES)
def test_no_grader_falls_over_twisted_evidence(tmp_path: Path, course: str) -> None:
    assert faults(twisted_bench(tmp_path, course, flooded=0.05), range(1), unit_checks("", course=course)) == []
