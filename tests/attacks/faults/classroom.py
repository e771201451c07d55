"""Make a small class with all kinds of submissions, and grade it with the real command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gengrade.grading.suspects import plant
from validation.workbench import REFERENCE, library

ROOT: Final = Path(__file__).resolve().parents[3]
RUN_SECONDS: Final = 900.0
RUBRIC: Final = """\
assignment: A small one
course: uva2020
limits: {unit: {seconds: 12}}
parts:
  - name: Theory
    questions:
      - id: "3.1"
        title: A density
        points: 5
        items:
          - {check: theory.cubic_density, points: 3}
          - {manual: "The derivation", points: 2, id: derivation}
  - name: Flows
    questions:
      - id: "3.4"
        title: A flow
        points: 4
        items:
          - {check: flow.nll, points: 2}
          - {check: flow.bimodal_log_prob, points: 2}
"""
_SEED: Final = 7
_SECRET: Final = "the same in all runs that are compared"

_DENSITY: Final = "    z = x**3\n"  # the first line of the body of cubic_density, and of what is put before it


def _density(folder: Path, *lines: str) -> None:
    """Insert lines at the beginning of a function that only one check calls."""
    file = folder / "answers.py"
    source = file.read_text()
    assert _DENSITY in source
    file.write_text(source.replace(_DENSITY, "".join(f"    {line}\n" for line in lines) + _DENSITY))


def _planted(name: str) -> Callable[[Path], object]:
    return lambda folder: plant(library()[name], folder)


# Right and wrong in each way that leaves something else behind. The slow ones are there to be caught in the act.
_KINDS: Final[Mapping[str, Callable[[Path], object]]] = {
    "right": lambda folder: None,
    "named": _planted("answers.no_jacobian"),
    "slow": lambda folder: _density(folder, "import time", "time.sleep(0.4)"),
    "wrong": lambda folder: _density(folder, "return x * 0 + 0.123"),
    "endless": lambda folder: _density(folder, "while True: pass"),
    "broken": lambda folder: (folder / "part3" / "model.py").write_text("class NormalizingFlow(:\n"),
    "talks": lambda folder: _density(folder, "print('word ' * 30_000)"),
    "flow": _planted("flow.loss_in_bits"),
    "exits": lambda folder: _density(folder, "import os", "os._exit(0)"),
    "partial": lambda folder: (folder / "answers.py").unlink(),
}


def hand_in(classroom: Path, count: int) -> list[str]:
    """Make a class of `count` submissions of all kinds, and others; return their ids."""
    kinds = list(_KINDS.items())
    names = []
    for number in range(count):
        kind, change = kinds[number % len(kinds)]
        folder = classroom / f"{kind}-{number:02d}"
        shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__", "part1", "part2"))
        change(folder)
        if (folder / "answers.py").exists():
            _sign(folder / "answers.py", number)
        names.append(folder.name)
    if count >= len(kinds):
        _pack(classroom, names[0])
        shutil.rmtree(classroom / names[-1])
        names[-1] = "unreadable"
        (classroom / "unreadable.zip").write_bytes(b"this is no archive")
    return sorted(names)


def _sign(file: Path, number: int) -> None:
    """Make each submission different, so that none can use another's cached evidence."""
    file.write_text(f"{file.read_text()}# {number}\n")


def _pack(classroom: Path, name: str) -> None:
    folder = classroom / name
    with zipfile.ZipFile(classroom / f"{name}.zip", "w") as archive:
        for file in sorted(folder.rglob("*.py")):
            archive.write(file, file.relative_to(folder))
    shutil.rmtree(folder)


@dataclass
class Classroom:
    """A class, and the command that grades it into the folder `out`."""

    folder: Path
    students: int
    tier: str = "auto"
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "class").mkdir(parents=True)
        self.names = hand_in(self.folder / "class", self.students)
        (self.folder / "rubric.yaml").write_text(RUBRIC)
        (self.folder / "tmp").mkdir()

    def command(self, out: Path, *arguments: str) -> list[str]:
        command = [sys.executable, str(ROOT / "run_grading.py"), str(self.folder / "class"), "--out", str(out)]
        command += ["--rubric", str(self.folder / "rubric.yaml"), "--profile", "unit", "--data", "digits"]
        return [*command, "--seed", str(_SEED), "--jobs", "2", "--isolation", self.tier, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """Return environment variables that put temporary files into a folder of their own."""
        return {**os.environ, "TMPDIR": str(self.folder / "tmp"), "GENGRADE_SECRET": _SECRET}

    def grade(self, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(out, *arguments),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=self.environment,
            timeout=RUN_SECONDS,
        )

    def scratch(self, out: Path) -> list[str]:
        """Return temporary files that a run should have removed."""
        work = out / ".gengrade"
        found = [*work.glob("sandbox-*"), *(self.folder / "tmp").iterdir(), *out.rglob(".*.tmp")]
        found += [tree for tree in (work / "trees").glob("*") if tree.name != ".reference"]
        return [f"{path.relative_to(self.folder)} was left behind" for path in found]
