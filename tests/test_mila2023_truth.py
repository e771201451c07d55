"""The short proof for the edition of 2023 of the Université de Montréal: see test_truth."""

from __future__ import annotations

from collections import Counter

from tests.truths import Truth
from truth.proofs import proofs

EDITION = "mila2023"


class TestGaussianVae(Truth):
    edition = EDITION
    family = "gaussian_vae"
    every = 12


class TestGan(Truth):
    edition = EDITION
    family = "gan"
    every = 10


class TestDdpm(Truth):
    edition = EDITION
    family = "ddpm"
    every = 12


def test_there_is_enough_of_everything() -> None:
    found = Counter((proof.family, proof.kind) for proof in proofs("caught", "right", "unnamed", editions=[EDITION]))
    for family in ("gaussian_vae", "gan", "ddpm"):
        assert found[family, "caught"] >= 15
        assert found[family, "right"] >= 9
        assert found[family, "unnamed"] >= 4
