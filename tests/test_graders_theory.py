"""The written answers' checks beyond the validation of variants: absent answers are missing, not wrong."""

from __future__ import annotations

from courses.uva2020.variants.theory import ANSWERS
from gengrade.facts import Outcome
from validation.workbench import REFERENCE, Workbench


def test_the_reference_passes(workbench: Workbench) -> None:
    assert workbench.failing(REFERENCE, "theory.") == {}


def test_absent_answers_are_missing(workbench: Workbench) -> None:
    folder = workbench.variant({ANSWERS: ("gan_value = ", "_ = ")})
    failing = workbench.failing(folder, "theory.")
    assert {id_: fact.outcome for id_, fact in failing.items()} == {"theory.gan_value": Outcome.MISSING}
    (folder / ANSWERS).unlink()
    failing = workbench.failing(folder, "theory.")
    assert {fact.outcome for fact in failing.values()} == {Outcome.MISSING}
