"""The short validation: misconceptions are recognised, and variants are judged as stated, for one seed.

A part of them is among the default tests, the others are slow ones. `make validate` is the long one. The classes here
are of the course of 2020; other courses have theirs.
"""

from __future__ import annotations

import pytest

from gengrade.choices import CheckKind
from gengrade.grading.checks import known
from tests.support.validated import Validated
from validation.cases import cases
from validation.variants import COURSES, variants_of
from validation.workbench import DEFAULT_COURSE, library, unit_checks


class TestVae(Validated):
    family = "vae"


class TestGan(Validated):
    family = "gan"


class TestFlow(Validated):
    family = "flow"


class TestTheory(Validated):
    family = "theory"
    by_default = 4


def test_there_is_enough_of_everything() -> None:
    kinds = [case.kind for case in cases("caught", "right", "unnamed", courses=[DEFAULT_COURSE])]
    assert kinds.count("caught") >= 120
    assert kinds.count("right") >= 40
    assert kinds.count("unnamed") >= 20


@pytest.mark.parametrize("of", COURSES)
def test_misconceptions_name_unit_checks_of_one_part_and_have_sentences_of_their_own(of: str) -> None:
    asked = set(unit_checks("", course=of))
    for name, each in library(of).items():
        assert all(known()[check].kind is CheckKind.UNIT for check in each.fails), name
        assert set(each.fails) <= asked, name
        assert {check.partition(".")[0] for check in each.fails} <= set(variants_of(of).families), name
    # The same may be said of two networks, and never of two mistakes that one check has to tell apart.
    sentences = [(each.fails[0], each.sentence) for each in library(of).values()]
    assert len(set(sentences)) == len(sentences)
