"""What an operator has: a folder with a class and a rubric, in which the command is run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.examples import ROOT
from validation.workbench import REFERENCE

RUBRIC = """\
assignment: A small one
course: uva2020
limits: {unit: {seconds: 15}}
parts:
  - name: Theory
    questions:
      - id: "3.1"
        title: A density
        points: 5
        items:
          - {check: theory.cubic_density, points: 3, optional: "the density, its support, its integral"}
          - {manual: "The derivation", points: 2, id: derivation}
  - name: Flows
    questions:
      - id: "3.4"
        title: A flow
        points: 6
        bonus: true
        items:
          - {check: flow.nll, points: 2}
          - {check: flow.bimodal_log_prob, points: 2}
          - {measure: flow.bpd, points: 2, full: 0.84, none: 1.2, needs: [flow.nll]}
"""


class OperatorFolder:
    """A folder with a class and a rubric; `grade` runs the command there as a user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.classroom = folder / "class"
        self.classroom.mkdir()
        self.rubric = folder / "rubric.yaml"
        self.rubric.write_text(RUBRIC)
        self.out = folder / "results"

    def command(self, *arguments: str, path: Path | None = None) -> list[str]:
        command = [sys.executable, str(ROOT / "run_grading.py"), str(path or self.classroom), "--out", str(self.out)]
        # One worker, unless it matters: each imports torch for itself.
        return [*command, "--rubric", str(self.rubric), "--profile", "unit", "--jobs", "1", *arguments]

    def grade(self, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments, path=path),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            timeout=800,
        )

    def add(self, name: str, change: Callable[[Path], object] = lambda folder: None) -> Path:
        folder = self.classroom / name
        shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__", "part1", "part2"))
        change(folder)
        return folder

    def result(self, name: str) -> dict[str, Any]:
        grade: dict[str, Any] = json.loads((self.out / name / "grade.json").read_text())
        return grade

    def outcomes(self, name: str) -> dict[str, str | None]:
        questions = self.result(name)["questions"]
        return {item["check"] or item["id"]: item["outcome"] for question in questions for item in question["items"]}


def without_times(path: Path) -> str:
    """Return a grade without its times, which differ from run to run."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in ("seconds", "stages")}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return json.dumps(strip(json.loads(path.read_text())), sort_keys=True)
