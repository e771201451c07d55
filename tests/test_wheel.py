"""An installed package grades: the wheel contains everything it needs, and installs no other top-level name."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import gengrade
from tests.support.examples import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, check=True, cwd=ROOT, capture_output=True, timeout=300)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the command of a new environment that has the wheel and this one's libraries."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=300)
    python = environment / "bin" / "python"
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text("\n".join(site.getsitepackages()))
    # The libraries' folder may hold this project already, as an editable installation: that is not what is tested.
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps"]
    subprocess.run([*install, "--ignore-installed", str(wheel)], check=True, capture_output=True, timeout=300)
    return environment / "bin" / "gengrade"


def run(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, check=False, cwd=folder, env=own, timeout=800
    )


def test_a_wheel_takes_one_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"gengrade", f"gengrade-{gengrade.__version__}.dist-info"}
    assert not [name for name in names if "__pycache__" in name]


def test_an_installed_package_says_what_it_is(program: Path, tmp_path: Path) -> None:
    assert run(program, tmp_path, "--version").stdout == f"gengrade {gengrade.__version__}\n"
    listed = run(program, tmp_path, "courses").stdout
    assert "assignment 3 of 2018" in listed
    assert "part1/mlp_encoder_decoder.py" in listed
    assert str(ROOT) not in listed


def test_an_installed_package_grades_in_an_empty_folder(program: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "courses" / "uva2018" / "examples" / "complete", tmp_path / "complete")
    graded = run(
        program, tmp_path, "grade", "complete", "--course", "uva2018", "--part", "vae2018", "--profile", "unit"
    )
    assert graded.returncode == 0, graded.stdout + graded.stderr
    grade = json.loads((tmp_path / "results" / "complete" / "grade.json").read_text())
    assert grade["points"] > 0
    assert grade["isolation"] != "process"
    assert (tmp_path / "results" / "complete" / "report.html").is_file()


def test_an_unknown_course_is_refused_by_name(program: Path, tmp_path: Path) -> None:
    refused = run(program, tmp_path, "grade", ".", "--course", "uva2017")
    assert refused.returncode == 2
    assert "uva2017: there is no such course or folder" in refused.stderr
    assert "uva2018" in refused.stderr
