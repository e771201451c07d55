"""No trick earns the points of a check whose mistake it hides, and what looks like the trick costs none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gengrade.facts import Outcome
from gengrade.sandbox import Isolation, Tier, choose
from tests.attacks.gains import GAINS, Gain
from validation.workbench import Workbench


@pytest.mark.sampled(12)
@pytest.mark.parametrize("gain", GAINS, ids=lambda gain: gain.name)
def test_the_trick_earns_nothing(benches: Callable[[str], Workbench], gain: Gain) -> None:
    bench = benches(gain.course)
    hostile, honest = (bench.check(gain.write(bench, kind), *gain.checks) for kind in ("hostile", "honest"))
    assert {check: hostile[check].outcome for check in gain.checks} == dict.fromkeys(gain.checks, Outcome.FAILED)
    assert {check: honest[check].decisive.message for check in gain.checks} == dict.fromkeys(gain.checks, "")
    assert all(fact.outcome is Outcome.PASSED for fact in honest.values())


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["sandbox", "landlock"])
@pytest.mark.parametrize("gain", GAINS, ids=lambda gain: gain.name)
def test_the_trick_ends_as_the_mistake_alone(tmp_path: Path, gain: Gain, tier: str) -> None:
    if choose(Isolation.AUTO, single=True) is Tier.PROCESS:
        pytest.skip("this machine has no isolation")
    with Workbench(tmp_path, tier, gain.course) as bench:
        plain, hostile = (bench.check(gain.write(bench, kind), *gain.checks) for kind in ("plain", "hostile"))
        for check in gain.checks:
            assert plain[check].outcome is hostile[check].outcome is Outcome.FAILED
