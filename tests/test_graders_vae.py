"""The graders of the VAE, put to the proof: wrong answers fail the right checks, unusual right ones pass."""

from __future__ import annotations

import pytest

from tests.vae_variants import LIGHTNING, RIGHT, TORCH, WRONG, Variant
from tests.workbench import REFERENCE, Workbench


def failing(bench: Workbench, variant: Variant, *checks: str) -> dict[str, str]:
    """Which of these checks did not pass, with what they say."""
    facts = bench.check(bench.variant({variant.file: list(variant.changes)}), *checks)
    return {id_: fact.decisive.message for id_, fact in facts.items() if fact.outcome != "passed"}


@pytest.mark.parametrize("variant", WRONG, ids=lambda variant: variant.name)
def test_wrong_answers_fail_the_right_checks(workbench: Workbench, variant: Variant) -> None:
    messages = failing(workbench, variant, *variant.fails)
    assert messages.keys() == variant.fails
    assert any(variant.words in message for message in messages.values()), messages


@pytest.mark.slow
@pytest.mark.parametrize("variant", WRONG, ids=lambda variant: variant.name)
def test_wrong_answers_fail_no_other_check(workbench: Workbench, variant: Variant) -> None:
    others = set(variant.touches) - variant.fails
    assert failing(workbench, variant, *others) == {}


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: variant.name)
def test_unusual_right_answers_pass(workbench: Workbench, variant: Variant) -> None:
    assert failing(workbench, variant, *variant.touches) == {}


def test_the_reference_passes_with_lightning_alone(workbench: Workbench) -> None:
    folder = workbench.variant({LIGHTNING: []})
    (folder / TORCH).unlink()
    (folder / "part1/bmnist.py").unlink()
    (folder / "part1/cnn_encoder_decoder.py").unlink()
    facts = workbench.failing(folder, "vae.")
    assert {id_: fact.outcome for id_, fact in facts.items()} == {
        "vae.cnn_encoder": "missing",
        "vae.cnn_decoder": "missing",
    }


def test_lightning_steps_are_watched(workbench: Workbench) -> None:
    folder = workbench.variant({LIGHTNING: ("        return bpd\n", "        return rec\n")})
    (folder / TORCH).unlink()
    (fact,) = workbench.check(folder, "vae.training_loop").values()
    assert fact.outcome == "failed"
    assert "gradient" in fact.decisive.message


def test_a_gap_is_missing(workbench: Workbench) -> None:
    gap = "raise NotImplementedError"
    folder = workbench.variant({"part1/utils.py": ("    return mean + std", f"    {gap}\n    return mean + std")})
    facts = workbench.check(folder, "vae.reparameterize", "vae.kld")
    assert {id_: fact.outcome for id_, fact in facts.items()} == {"vae.reparameterize": "missing", "vae.kld": "passed"}


def test_the_reference_passes(workbench: Workbench) -> None:
    assert workbench.failing(REFERENCE, "vae.") == {}
