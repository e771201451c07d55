"""Evidence of any form fails a check at worst; `python -m tests.attacks.twisting` tries more of it."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.twisting import faults, twisted_bench
from truth.workbench import unit_checks


def test_no_grader_falls_over_twisted_evidence(tmp_path: Path) -> None:
    assert faults(twisted_bench(tmp_path), range(2), unit_checks("")) == []
