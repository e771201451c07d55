"""The short proof: each misconception is caught and recognised, each variant is judged as it should be, for one seed.

`make truth` is the long one. The classes are there to be spread over processes.
"""

from __future__ import annotations

from typing import ClassVar

import pytest

from gengrade.grading.checks import known
from truth.proofs import Proof, proofs, prove
from truth.variants import FAMILIES
from truth.workbench import Workbench, library


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.cls is not None:
        found = [proof for proof in proofs("caught", "right", "unnamed") if proof.family == metafunc.cls.family]
        metafunc.parametrize("proof", found, ids=[proof.key for proof in found])


class Truth:
    family: ClassVar[str]

    def test_it_holds(self, direct: Workbench, proof: Proof) -> None:
        verdict = prove(direct, proof, briefly=True)
        assert verdict.judged, verdict.problem
        assert verdict.named, verdict.problem


class TestVae(Truth):
    family = "vae"


class TestGan(Truth):
    family = "gan"


class TestFlow(Truth):
    family = "flow"


class TestTheory(Truth):
    family = "theory"


def test_there_is_enough_of_everything() -> None:
    kinds = [proof.kind for proof in proofs("caught", "right", "unnamed")]
    assert kinds.count("caught") >= 120
    assert kinds.count("right") >= 40
    assert kinds.count("unnamed") >= 20


def test_misconceptions_name_unit_checks_of_one_part_and_have_sentences_of_their_own() -> None:
    for name, each in library().items():
        assert all(known()[check].kind == "unit" for check in each.fails), name
        assert {check.partition(".")[0] for check in each.fails} <= set(FAMILIES), name
    # The same may be said of two networks, and never of two mistakes that one check has to tell apart.
    sentences = [(each.fails[0], each.sentence) for each in library().values()]
    assert len(set(sentences)) == len(sentences)
