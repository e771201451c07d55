"""The short validation of the Université de Montréal's course of 2023 (see test_validation)."""

from __future__ import annotations

from collections import Counter

from tests.support.validated import Validated
from validation.cases import cases

COURSE = "mila2023"


class TestGaussianVae(Validated):
    course = COURSE
    family = "gaussian_vae"
    by_default = 1  # its networks take longest


class TestGan(Validated):
    course = COURSE
    family = "gan"


class TestDdpm(Validated):
    course = COURSE
    family = "ddpm"


def test_there_is_enough_of_everything() -> None:
    found = Counter((case.family, case.kind) for case in cases("caught", "right", "unnamed", courses=[COURSE]))
    for family in ("gaussian_vae", "gan", "ddpm"):
        assert found[family, "caught"] >= 15
        assert found[family, "right"] >= 9
        assert found[family, "unnamed"] >= 4
