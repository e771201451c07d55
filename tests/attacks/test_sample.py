"""A few of the attacks, on the theory's checks alone; `make attacks` runs all of them, on everything."""

from __future__ import annotations

import ast
import textwrap

import pytest

from gengrade.sandbox import Isolation, Tier, choose
from gengrade.submissions.names import identify, safe_id
from tests.attacks.__main__ import attacks, survey

SAMPLE = (
    "01-exit-in-a-call",
    "18-evidence-in-a-call",
    "51-every-way-out",
    "61-the-folder-of-another-student",
)


@pytest.mark.timeout(600)  # where it is not alone
def test_a_sample_of_attacks_gains_and_spills_nothing() -> None:
    tier = choose(Isolation.AUTO, single=True)
    if tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation")
    chosen = [attack for attack in attacks() if attack.id in SAMPLE]
    assert len(chosen) == len(SAMPLE)
    rows = survey(chosen, tier, None, ("--part", "theory"))
    assert [(row.attack.id, row.gained, row.spilled, row.control) for row in rows if not row.stopped] == []


def test_every_row_of_the_list_has_an_attack() -> None:
    elsewhere = {52, 66}  # docs/attacks.md names the tests of both
    assert {attack.row for attack in attacks()} | elsewhere == set(range(73))


def test_attacks_have_names_of_their_own() -> None:
    names = [attack.id for attack in attacks()]
    assert len(names) == len(set(names))


def test_names_of_attacks_are_the_ids_of_their_results() -> None:
    """A longer name is shortened, so that the results would be looked for in the wrong folder."""
    names = [name for attack in attacks() for name in (attack.id, f"{attack.id}-control")]
    assert [name for name in names if safe_id(name) != name] == []


def test_attacks_are_python() -> None:
    """An attack that cannot be parsed attacks nothing, and would look as if it were stopped."""
    for attack in attacks():
        assert identify(attack.id).id == attack.id, "its submission's results lie under another name"
        for piece in (attack.hostile, attack.control):
            ast.parse(f"def function():\n    pass\n{textwrap.indent(textwrap.dedent(piece), '    ')}")
