"""The short proof: misconceptions are caught and recognised, variants are judged as they should be, for one seed.

A part of them is among the default tests, the others are slow ones. `make truth` is the long one. The classes here are
of the edition of 2020; other editions have theirs.
"""

from __future__ import annotations

import pytest

from gengrade.grading.checks import known
from tests.truths import Truth
from truth.proofs import proofs
from truth.variants import EDITIONS, edition
from truth.workbench import LAYOUT, library, unit_checks


class TestVae(Truth):
    family = "vae"
    every = 30


class TestGan(Truth):
    family = "gan"
    every = 30


class TestFlow(Truth):
    family = "flow"
    every = 20


class TestTheory(Truth):
    family = "theory"


def test_there_is_enough_of_everything() -> None:
    kinds = [proof.kind for proof in proofs("caught", "right", "unnamed", editions=[LAYOUT])]
    assert kinds.count("caught") >= 120
    assert kinds.count("right") >= 40
    assert kinds.count("unnamed") >= 20


@pytest.mark.parametrize("of", EDITIONS)
def test_misconceptions_name_unit_checks_of_one_part_and_have_sentences_of_their_own(of: str) -> None:
    asked = set(unit_checks("", edition=of))
    for name, each in library(of).items():
        assert all(known()[check].kind == "unit" for check in each.fails), name
        assert set(each.fails) <= asked, name
        assert {check.partition(".")[0] for check in each.fails} <= set(edition(of).families), name
    # The same may be said of two networks, and never of two mistakes that one check has to tell apart.
    sentences = [(each.fails[0], each.sentence) for each in library(of).values()]
    assert len(set(sentences)) == len(sentences)
