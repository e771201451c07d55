"""The command of a kit installs only what the student's environment lacks, and mends an environment that is broken."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import gengrade

COMMAND = Path(gengrade.__file__).parent / "kit" / "files" / "check.py"
CHECKING = "import sys\nimport here\nimport lacking\n\n\ndef main() -> None:\n    print('checked', sys.prefix)\n"
VERSION = "{}.{}".format(*sys.version_info[:2])


class Machine:
    """A student's environment with the package `here`, a kit that needs `lacking` too, and an index that has no more.

    `lacking` requires `here`, so that it can be installed only where that is seen.
    """

    def __init__(self, folder: Path) -> None:
        self.kit = folder / "selfcheck"
        (self.kit / "gengrade").mkdir(parents=True)
        shutil.copy(COMMAND, self.kit)
        (self.kit / "gengrade" / "__init__.py").touch()
        (self.kit / "gengrade" / "self_check_cli.py").write_text(CHECKING)
        (self.kit / "requirements.txt").write_text("here>=1\nlacking>=1\n")
        self.theirs = folder / "theirs"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(self.theirs)], check=True)
        with zipfile.ZipFile(_wheel(folder, "here")) as wheel:
            wheel.extractall(self.theirs / "lib" / f"python{VERSION}" / "site-packages")
        _wheel(folder / "index", "lacking", "Requires-Dist: here\n")
        self.index = folder / "index"

    def check(self) -> subprocess.CompletedProcess[str]:
        theirs = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        return subprocess.run(
            [str(self.theirs / "bin" / "python"), str(self.kit / "check.py")],
            env={**theirs, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index)},
            capture_output=True,
            text=True,
            check=False,
        )


def _wheel(folder: Path, name: str, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    inside = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{inside}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{more}")
        wheel.writestr(f"{inside}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{inside}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine"))


def test_only_what_an_activated_environment_lacks_is_installed(machine: Machine) -> None:
    done = machine.check()
    assert done.returncode == 0, done.stderr
    assert f"Setting up {machine.kit}/.venv, once: 1 package is missing." in done.stdout
    assert f"checked {machine.kit}/.venv" in done.stdout
    installed = {path.name for path in (machine.kit / ".venv").rglob("*.py")}
    assert "lacking.py" in installed
    assert "here.py" not in installed
    assert "Setting up" not in machine.check().stdout


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", ["half made", "of another Python", "without its Python", "a file"])
def test_a_broken_environment_is_made_anew(machine: Machine, kind: str) -> None:
    environment = machine.kit / ".venv"
    if not environment.is_dir():
        machine.check()
    if kind == "half made":
        (environment / "ready").unlink()
    elif kind == "of another Python":
        (environment / "ready").write_text("3.10")
    elif kind == "without its Python":
        (environment / "bin" / "python").unlink()
        (environment / "bin" / "python").symlink_to("/usr/bin/python3.10-removed")
    else:
        shutil.rmtree(environment)
        environment.write_text("")
    done = machine.check()
    assert done.returncode == 0, done.stderr
    assert "checked" in done.stdout


def test_a_folder_that_cannot_be_written_to_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    command = runpy.run_path(str(COMMAND))
    here = Path("/proc/self")  # nobody can make a folder there
    names = {"HERE": here, "ENVIRONMENT": here / ".venv", "PYTHON": here / ".venv/p", "READY": here / ".venv/ready"}
    for name, value in names.items():
        monkeypatch.setitem(command["set_up"].__globals__, name, value)
    with pytest.raises(SystemExit, match=r"^/proc/self/\.venv cannot be made \(.*\): copy the folder self to a place"):
        command["set_up"](["lacking"])


def test_a_python_without_venv_is_one_sentence(machine: Machine) -> None:
    environment = machine.kit / ".venv"
    shutil.rmtree(environment, ignore_errors=True)
    without = machine.theirs / "lib" / f"python{VERSION}" / "site-packages" / "sitecustomize.py"
    without.write_text("import sys\nsys.modules['ensurepip'] = None\nsys.modules['venv'] = None\n")
    try:
        done = machine.check()
    finally:
        without.unlink()
    assert done.returncode == 1
    assert "this Python lacks its modules venv or ensurepip" in done.stderr
    assert "pip install 'lacking>=1'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not environment.exists()
