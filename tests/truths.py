"""What the short proofs of all editions share: each misconception and each variant of a family is a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from truth.proofs import Proof, proofs, prove
from truth.workbench import LAYOUT, Workbench


class Truth:
    """One family of an edition; a class of its own, so that families are spread over processes.

    Of its proofs every so many are among the default tests, and the others are slow ones.
    """

    edition: ClassVar[str] = LAYOUT
    family: ClassVar[str]
    every: ClassVar[int] = 1

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        of_edition = proofs("caught", "right", "unnamed", editions=[self.edition])
        found = [proof for proof in of_edition if proof.family == self.family]
        slow = [[pytest.mark.slow] if index % self.every else [] for index in range(len(found))]
        cases = [pytest.param(proof, id=proof.key, marks=marks) for proof, marks in zip(found, slow, strict=True)]
        metafunc.parametrize("proof", cases)

    def test_it_holds(self, benches: Callable[[str], Workbench], proof: Proof) -> None:
        verdict = prove(benches(self.edition), proof, briefly=True)
        assert verdict.judged, verdict.problem
        assert verdict.named, verdict.problem
