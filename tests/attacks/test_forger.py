"""The declared list of checks that a submission with forged constant evidence passes is complete."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attacks import forger
from tests.attacks.course import read_grade
from validation.workbench import REFERENCE

_ROOT = Path(__file__).resolve().parents[2]

# What is stated here can be seen from within the submission's own process only, or is no more than the noise that was
# asked for. It must never grow; SECURITY.md says so too.
FORGEABLE = {
    "vae.bpd_per_image",
    "vae.sample",
    "gan.alternation",
    "gan.interpolate",
    "gan.interpolate_shape",
    "gan.sample",
    "flow.log_det",
    "flow.nll",
    "flow.normalised",
}


@pytest.mark.slow
@pytest.mark.timeout(900)  # where it is not alone
def test_constants_and_noise_earn_no_more_than_is_known(tmp_path: Path) -> None:
    submission, out = tmp_path / "forger", tmp_path / "results"
    for path in REFERENCE.glob("part*/*.py"):
        target = submission / path.relative_to(REFERENCE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(forger.__file__), target)
    command = [sys.executable, str(_ROOT / "run_grading.py"), str(submission), "--out", str(out), "--data", "digits"]
    subprocess.run([*command, "--isolation", "sandbox", "--profile", "unit"], check=False, capture_output=True)
    grade = json.loads((out / "forger" / "grade.json").read_text())
    earned = {id_ for id_, item in read_grade(out / "forger").items() if item["points"] > 0}
    assert earned == FORGEABLE
    assert grade["points"] + grade["bonus"] <= 7.5
    assert any("_getframe" in flag for flag in grade["code_flags"])
