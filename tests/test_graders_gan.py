"""The graders of GANs catch wrong answers by the right check, and pass right ones that look different."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gan_fragments import Changes
from tests.gan_mistakes import LIGHTNING_WRONG, WRONG, Wrong
from tests.gan_right import LIGHTNING_RIGHT, RIGHT
from tests.workbench import Workbench


def _variant(workbench: Workbench, changes: Changes) -> Path:
    return workbench.variant({f"part2/{name}": pairs for name, pairs in changes.items()})


def _lightning(workbench: Workbench, changes: Changes) -> Path:
    """With `train_torch.py` left out, `train_pl.py` is what is graded."""
    folder = _variant(workbench, changes)
    (folder / "part2/train_torch.py").unlink()
    return folder


def assert_caught(workbench: Workbench, folder: Path, wrong: Wrong) -> None:
    failing = workbench.failing(folder, "gan.")
    assert set(failing) == set(wrong.checks), {id_: fact.decisive.message for id_, fact in failing.items()}
    assert all(fact.outcome in ("failed", "error") for fact in failing.values())
    assert wrong.says in failing[wrong.checks[0]].decisive.message


def assert_passed(workbench: Workbench, folder: Path) -> None:
    failing = workbench.failing(folder, "gan.")
    assert not failing, {id_: (fact.decisive.message, fact.decisive.traceback) for id_, fact in failing.items()}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_is_caught(workbench: Workbench, name: str) -> None:
    assert_caught(workbench, _variant(workbench, WRONG[name].changes), WRONG[name])


@pytest.mark.parametrize("name", RIGHT)
def test_right_passes(workbench: Workbench, name: str) -> None:
    assert_passed(workbench, _variant(workbench, RIGHT[name]))


@pytest.mark.parametrize("name", LIGHTNING_WRONG)
def test_wrong_lightning_is_caught(workbench: Workbench, name: str) -> None:
    assert_caught(workbench, _lightning(workbench, LIGHTNING_WRONG[name].changes), LIGHTNING_WRONG[name])


@pytest.mark.parametrize("name", LIGHTNING_RIGHT)
def test_right_lightning_passes(workbench: Workbench, name: str) -> None:
    assert_passed(workbench, _lightning(workbench, LIGHTNING_RIGHT[name]))


def test_gaps_are_missing(workbench: Workbench) -> None:
    folder = _variant(
        workbench,
        {
            "train_torch.py": [
                ("        x_fake = self.sample(x_real.shape[0])\n", "        raise NotImplementedError\n"),
                ("        start = self.draw_latents(batch_size).unsqueeze(1)\n", "        raise NotImplementedError\n"),
            ]
        },
    )
    (folder / "part2/train_pl.py").unlink()
    outcomes = {id_: str(fact.outcome) for id_, fact in workbench.failing(folder, "gan.").items()}
    missing = ("gan.discriminator_step", "gan.interpolate", "gan.interpolate_shape", "gan.alternation")
    assert outcomes == dict.fromkeys(missing, "missing")


def test_filled_template_is_preferred(workbench: Workbench) -> None:
    """A hand-out's untouched train_torch.py beside a complete train_pl.py does not count."""
    folder = _variant(
        workbench,
        {"train_torch.py": [("        z = torch.lerp", "        raise NotImplementedError\n        z = torch.lerp")]},
    )
    assert_passed(workbench, folder)
