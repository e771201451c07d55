"""Packages that submissions import: which are missing, who imports them, and how installed ones reach the sandbox."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gengrade.cli import app
from gengrade.course import find
from gengrade.facts import Outcome
from gengrade.sandbox import Tier
from gengrade.submissions import discover
from gengrade.submissions.packages import survey
from tests.support.sandboxed import sandboxed

ADA = """
import os, torch, numpy.linalg
import kornia, cv2
from part1 import utils
from .other import x
import helper
try:
    import wandb
except ImportError:
    wandb = None
def late():
    from datasets.arrow_dataset import Dataset
"""


@pytest.fixture
def students(tmp_path: Path) -> Path:
    for student, program in {"ada": ADA, "bob": "import kornia\n", "eve": "def broken(:\n"}.items():
        (tmp_path / student / "part1").mkdir(parents=True)
        (tmp_path / student / "part1" / "utils.py").write_text(program)
    (tmp_path / "ada" / "part1" / "helper.py").write_text("")
    (tmp_path / "zip.zip").write_bytes(b"no archive")
    return tmp_path


def test_the_packages_of_a_class(students: Path) -> None:
    parts = find("uva2020").parts
    found = survey(discover(students, parts).submissions, parts)
    assert [(each.name, each.students, each.installed, each.replaced) for each in found.packages] == [
        ("kornia", ("ada", "bob"), False, False),
        ("cv2", ("ada",), False, False),
        ("datasets", ("ada",), False, False),
        ("wandb", ("ada",), False, True),
        ("numpy", ("ada",), True, False),
        ("torch", ("ada",), True, False),
    ]
    assert list(found.unread) == ["zip"]


def test_the_command_says_what_to_install(students: Path) -> None:
    result = CliRunner().invoke(app, ["packages", str(students)])
    assert result.exit_code == 0, result.output
    assert ["kornia", "MISSING", "ada,", "bob"] in [line.split() for line in result.output.splitlines()]
    assert "pip install kornia opencv-python-headless datasets" in " ".join(result.output.split())
    wrong = CliRunner().invoke(app, ["packages", str(students / "nowhere")])
    assert (wrong.exit_code, "nowhere" in wrong.output) == (2, True)


def test_a_course_declares_its_packages(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["course", "packages", "uva2020"]).output == ""
    assert CliRunner().invoke(app, ["course", "packages"]).output == "einops>=0.8\n"  # of all courses, for `make setup`
    assert CliRunner().invoke(app, ["course", "new", str(tmp_path / "mine")]).exit_code == 0
    declaration = tmp_path / "mine" / "course.yaml"
    declaration.write_text(declaration.read_text() + 'packages: ["einops>=0.8", pandas]\n')
    command = [sys.executable, "-m", "gengrade", "course", "packages", "mine"]  # not in this process, which has read it
    assert (
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        == "einops>=0.8\npandas\n"
    )


@pytest.fixture
def installed() -> Iterator[str]:
    """The name of a module that lies in this environment while the test runs."""
    path = Path(sysconfig.get_path("purelib")) / f"gengrade_test_package_{id(sys)}.py"
    path.write_text("NUMBER = 7\n")
    yield path.stem
    path.unlink()


@pytest.mark.parametrize("tier", [Tier.SANDBOX, Tier.LANDLOCK])
def test_a_package_of_the_environment_reaches_the_sandbox(tier: Tier, tmp_path: Path, installed: str) -> None:
    with sandboxed(tier, tmp_path) as harness:
        run = harness.run(f"return {installed}.NUMBER", before=f"import {installed}")
        assert (run.outcome, run.evidence) == (Outcome.PASSED, 7), run.message
