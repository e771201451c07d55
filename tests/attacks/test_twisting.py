"""Evidence of any form fails a check at worst; `python -m tests.attacks.twisting` tries more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.twisting import faults, twisted_bench
from truth.variants import EDITIONS
from truth.workbench import unit_checks


@pytest.mark.parametrize("edition", EDITIONS)
def test_no_grader_falls_over_twisted_evidence(tmp_path: Path, edition: str) -> None:
    assert faults(twisted_bench(tmp_path, edition, flooded=0.05), range(1), unit_checks("", edition=edition)) == []
