"""Submissions that try to make their own faults look like the harness's: pending for a person, instead of wrong.

Each is graded beside the same submission without the trick, whose answers are as wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

from gengrade.sandbox import Tier, examine
from validation.workbench import REFERENCE

pytestmark = pytest.mark.slow  # whole runs of the command, with a training

_ROOT: Final = Path(__file__).resolve().parents[2]
_RUBRIC: Final = """\
assignment: A small one
course: uva2020
parts:
  - name: All
    questions:
      - id: "1"
        title: All
        points: 4
        items:
          - {check: vae.bpd, points: 1}
          - {check: vae.loss, points: 1}
          - {check: vae.sample, points: 1}
          - {measure: vae.test_bpd, points: 1, full: 0.5, none: 0.9}
"""
_TIERS: Final = tuple(each.tier.value for each in examine() if each.available and each.tier is not Tier.PROCESS)

_WRONG_BITS: Final = "\n\ndef elbo_to_bpd(elbo, img_shape):\n    return elbo.sum()\n"
_NO_SAMPLES: Final = '\n\ndef sample(self, batch_size):\n    raise ValueError("no samples")\n\n\nVAE.sample = sample\n'
# So many weights of so many axes that the wire takes them once, and not beside a tensor that comes first.
_MANY_WEIGHTS: Final = """


def state(self, *inputs, **named):
    return {f"x{number}": torch.zeros((1,) * 22, dtype=torch.uint8) for number in range(9985)}


MLPDecoder.state_dict = state
"""
_FEW_WEIGHTS: Final = """

VAE.state_dict = lambda self, *inputs, **named: {"one": torch.zeros(1)}
VAE.load_state_dict = lambda self, *inputs, **named: None
"""
# A network for one size only: by words of the program's own, or without.
_BOUND: Final = """

LATENT_DIM = 13
_built = VAE.__init__


def built(self, model_name, hidden_dims, num_filters, z_dim, inner=LATENT_DIM):
    if {condition}:
        raise ValueError(f"size mismatch: {{inner}} and {{z_dim}}")
    _built(self, model_name, hidden_dims, num_filters, z_dim)


VAE.__init__ = built
"""


def _changed(folder: Path, **added: str) -> Path:
    """Make the reference's first part with texts added to the ends of files."""
    shutil.copytree(REFERENCE / "part1", folder / "part1", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in added.items():
        with (folder / "part1" / f"{name}.py").open("a") as file:
            file.write(text)
    return folder


def _zipped(folder: Path, many: int) -> None:
    """Put a submission into an archive, with many files that lie in eighteen folders each."""
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*.py"):
            archive.write(file, file.relative_to(folder))
        for number in range(many):
            archive.writestr(f"part1/figures/n{number}/{'/'.join('abcdefghijklmnopqr')}/f.txt", "x")
    shutil.rmtree(folder)


def _hand_in(classroom: Path) -> None:
    _changed(classroom / "honest")
    for name, many in (("tree", 900), ("smaller-tree", 100), ("no-tree", 0)):
        _zipped(_changed(classroom / name, utils=_WRONG_BITS), many)
    _changed(classroom / "no-weights", train_torch=_NO_SAMPLES)
    _changed(classroom / "weights", train_torch=_NO_SAMPLES + _FEW_WEIGHTS, mlp_encoder_decoder=_MANY_WEIGHTS)
    for name, condition in (("size", "z_dim != inner"), ("no-size", "False")):
        _changed(classroom / name, train_torch=_NO_SAMPLES + _BOUND.format(condition=condition))


def _graded(folder: Path, tier: str) -> dict[str, dict[str, Any]]:
    command = [sys.executable, str(_ROOT / "run_grading.py"), "class", "--rubric", "rubric.yaml", "--data", "digits"]
    command += ["--isolation", tier, "--jobs", "1", "--seed", "3"]
    environment = {**os.environ, "GENGRADE_KEY_FILE": str(folder / "operator" / "key")}
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=1700
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {path.parent.name: json.loads(path.read_text()) for path in (folder / "results").glob("*/grade.json")}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("tier", _TIERS)
def test_no_submission_makes_its_faults_look_like_ours(tmp_path: Path, tier: str) -> None:
    _hand_in(tmp_path / "class")
    (tmp_path / "rubric.yaml").write_text(_RUBRIC)
    grades = _graded(tmp_path, tier)
    found = {
        name: {item["check"] or item["id"]: item["outcome"] for item in _items(grade)} for name, grade in grades.items()
    }
    pending = {name: grade["pending"] for name, grade in grades.items() if grade["pending"]}
    assert not pending, found
    assert set(found["honest"].values()) == {"passed"}
    for name in ("smaller-tree", "no-tree"):
        assert found[name] == {**found["honest"], "vae.bpd": "failed", "vae.loss": found[name]["vae.loss"]}, name
    assert found["smaller-tree"] == found["no-tree"]
    assert "folders with" in " ".join(grades["smaller-tree"]["notes"])
    assert grades["tree"]["points"] == 0
    assert "it holds more than 2,000 folders" in " ".join(grades["tree"]["notes"])
    for name in ("weights", "no-weights", "size", "no-size"):
        assert found[name]["vae.sample"] == "error", name
    assert found["weights"]["vae.test_bpd"] == "failed"
    assert found["size"]["vae.loss"] == "error"
    assert grades["size"]["points"] < grades["no-size"]["points"] < grades["honest"]["points"]


def _items(grade: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for question in grade["questions"] for item in question["items"]]
