"""The VAE of 4-bit images of 2021 to 2023: its truth for one seed, its rubric and its examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gengrade.engine import Options, run
from gengrade.grade import Grade
from gengrade.grading.checks import known
from gengrade.rubric import Rubric
from graders.vae_levels import level_losses
from tests.truths import Truth

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples" / "uva2021"
RUBRIC = ROOT / "rubrics" / "uva2021.yaml"
EXPECTED: dict[str, Any] = yaml.safe_load((EXAMPLES / "expected_points.yaml").read_text())


class TestVae(Truth):
    edition, family = "uva2021", "vae"


def test_the_rubric_is_whole() -> None:
    rubric = Rubric.load(RUBRIC)
    rubric.verify(known())
    assert sum(question.points for question in rubric.questions()) == 30


def test_losses_of_levels_are_those_of_a_categorical_distribution() -> None:
    levels = np.array([[[0, 2], [1, 1]]])
    probabilities = np.array([0.5, 0.2, 0.3])
    logits = np.broadcast_to(np.log(probabilities)[None, :, None, None] + 7, (1, 3, 2, 2))
    assert level_losses(levels, logits) == pytest.approx(-np.log(0.5 * 0.3 * 0.2 * 0.2))


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    out = tmp_path_factory.mktemp("uva2021")
    result = run(Options(EXAMPLES, out / "results", RUBRIC, profile="unit", data="digits", seed=1))
    return {one.grade.student: one.grade for one in result.graded}


@pytest.mark.parametrize("student", EXPECTED)
def test_examples_earn_what_is_stated(grades: Mapping[str, Grade], student: str) -> None:
    checks = [item for item in grades[student].items if item.kind == "check"]
    lost = {item.check: item.misconception.name if item.misconception else None for item in checks if item.lost}
    assert (grades[student].points, lost) == (EXPECTED[student]["points"], EXPECTED[student]["lost"])
    assert not grades[student].has_infra
