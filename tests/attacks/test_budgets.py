"""Submissions that would delay a class or fill a disk are ended by limits, and cost others nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from gengrade.sandbox import Tier, examine
from validation.workbench import REFERENCE

pytestmark = pytest.mark.slow  # whole runs of the command

_ROOT: Final = Path(__file__).resolve().parents[2]
_RUBRIC: Final = """\
assignment: A small one
course: uva2020
limits: {unit: {seconds: 6}, submission: {seconds: 15, evidence_mb: 24}}
parts:
  - name: Theory
    questions:
      - id: "1"
        title: Everything
        points: 5
        items:
          - {check: theory.cubic_density, points: 1}
          - {check: theory.loss_terms, points: 1}
          - {check: flow.nll, points: 1}
          - {check: flow.bimodal_log_prob, points: 1}
          - {check: vae.kld, points: 1}
"""
_FULL: Final = 5
_FACTS_BYTES: Final = 2_000_000
_TIERS: Final = tuple(each.tier.value for each in examine() if each.available and each.tier is not Tier.PROCESS)
_FILES: Final = ("answers.py", "part1/utils.py", "part3/model.py", "part3/distributions.py")

# At the beginning of each file that is asked for.
_HOSTILE: Final = {
    "endless": "while True: pass\n",
    "talks": "print('\\x01' * 3_000_000)\nraise RuntimeError('\\x02' * 3_000_000)\n",
}
# In the place of the functions that `answers.py` is asked for.
_ANSWERS: Final = {
    "flood": "import torch\n\n\ndef answer(*inputs):\n    return torch.rand(4 << 20)\n",
    # Not by the way of a returned value, which becomes a tensor: what is sent is written here.
    "keys": (
        "import json\nimport sys\n\n"
        "wire = sys.modules['gengrade.sandbox.wire']\n"
        "document = json.dumps({'d': {str(number) * 1_000_000: {'v': 1.0} for number in range(3)}}).encode()\n"
        "sent = wire.DOCUMENT_LENGTH.pack(len(document)) + document + wire.encode(None)[14:]\n"
        "wire.encode = lambda *inputs: sent\n\n\n"
        "def answer(*inputs):\n    return inputs[0]\n"
    ),
}
_NAMES: Final = ("cubic_density", "regularization_loss", "reconstruction_loss")


def _hand_in(classroom: Path) -> None:
    for name in ("ada", "zoe", *_HOSTILE, *_ANSWERS):
        shutil.copytree(REFERENCE, classroom / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, piece in _HOSTILE.items():
        for file in _FILES:
            (classroom / name / file).write_text(piece)
    for name, text in _ANSWERS.items():
        same = "".join(f"{function} = answer\n" for function in _NAMES)
        (classroom / name / "answers.py").write_text(f"{text}\n\n{same}")


def _grade(folder: Path, tier: str) -> dict[str, Any]:
    command = [sys.executable, str(_ROOT / "run_grading.py"), "class", "--rubric", "rubric.yaml", "--profile", "unit"]
    command += ["--data", "digits", "--isolation", tier, "--jobs", "1", "--seed", "3"]
    environment = {**os.environ, "GENGRADE_KEY_FILE": str(folder / "operator" / "key")}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
    return {path.parent.name: json.loads(path.read_text()) for path in (folder / "results").glob("*/facts.json")}


def _said(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(test["outcome"], test["message"]) for check in facts["checks"].values() for test in check["tests"]]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("tier", _TIERS)
def test_a_submission_that_wastes_ends_at_its_budget(tmp_path: Path, tier: str) -> None:
    _hand_in(tmp_path / "class")
    (tmp_path / "rubric.yaml").write_text(_RUBRIC)
    facts = _grade(tmp_path, tier)
    grades = {name: json.loads((tmp_path / "results" / name / "grade.json").read_text()) for name in facts}
    assert {name: grades[name]["points"] for name in ("ada", "zoe")} == {"ada": _FULL, "zoe": _FULL}
    assert grades["endless"]["points"] == grades["talks"]["points"] == 0

    said = _said(facts["endless"])
    ended = [message for _, message in said if message.startswith("stopped after 6 s")]
    refused = [
        what for what in said if what == ("timeout", "stopped: the submission's budget of 15 seconds is used up")
    ]
    assert 1 <= len(ended) <= 3
    assert len(ended) + len(refused) == len(said)
    assert len(refused) >= 4

    flood = _said(facts["flood"])
    over = ("error", "stopped: the submission's budget of 24 MB of evidence is used up")
    assert over in flood
    assert all(what == over or what[0] != "error" for what in flood), "all errors of it are the budget's"

    refusal = ("error", "the run sent an answer that cannot be read as evidence")
    assert refusal in [what for what in _said(facts["keys"]) if what[0] != "passed"]
    sizes = {path.parent.name: path.stat().st_size for path in (tmp_path / "results").glob("*/facts.json")}
    assert max(sizes.values()) < _FACTS_BYTES
    assert sum(path.stat().st_size for path in (tmp_path / "results" / "flood").rglob("*.evidence")) < 64 << 20

    # Interrupted, and gone on with: the same end, by what its runs recorded.
    (tmp_path / "results" / "endless" / "facts.json").unlink()
    assert _said(_grade(tmp_path, tier)["endless"]) == said
