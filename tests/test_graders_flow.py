"""The flow's checks beyond the validation of variants: the reference learns, and no false density is accepted."""

from __future__ import annotations

import pytest

from courses.uva2020.variants.flow import DENSITIES, MODEL, RESULT
from gengrade.facts import Outcome
from validation.workbench import REFERENCE, Workbench


def test_the_reference_passes_and_learns(workbench: Workbench) -> None:
    assert workbench.failing(REFERENCE, "flow.") == {}
    observed = workbench.observe(REFERENCE, "flow.bpd")
    assert observed.checks()["flow.bpd"].outcome is Outcome.PASSED
    assert 0.81 < observed.measures["flow.bpd"] < 0.84


@pytest.mark.slow
def test_a_density_that_is_none_earns_no_measure(workbench: Workbench) -> None:
    folder = workbench.variant({MODEL: (RESULT, RESULT.replace("log_det\n", "log_det + 1\n", 1))})
    observed = workbench.observe(folder, "flow.bpd")
    fact = observed.checks()["flow.bpd"].decisive
    assert fact.outcome is Outcome.FAILED
    assert "mass" in fact.message
    assert "flow.bpd" not in observed.measures


def test_files_not_handed_in_are_missing(workbench: Workbench) -> None:
    folder = workbench.variant({})
    (folder / DENSITIES).unlink()
    failing = workbench.failing(folder, "flow.gaussian", "flow.bimodal", "flow.nll")
    densities = [f"flow.{name}_{method}" for name in ("gaussian", "bimodal") for method in ("log_prob", "sample")]
    assert {id_: fact.outcome for id_, fact in failing.items()} == dict.fromkeys(densities, Outcome.MISSING)
