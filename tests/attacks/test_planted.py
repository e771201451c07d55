"""Files that somebody planted among the results are neither trusted, followed nor removed.

Each attack stands beside an honest run of the same shape, which finds its own results and marks again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from gengrade.sandbox import Isolation, Tier, choose
from validation.workbench import REFERENCE

pytestmark = pytest.mark.slow  # whole runs of the command

_ROOT: Final = Path(__file__).resolve().parents[2]
_RUBRIC: Final = """\
assignment: A small one
course: uva2020
parts:
  - name: Theory
    questions:
      - id: "1"
        title: A density
        points: 9
        items: [{check: theory.cubic_density, points: 3}, {manual: The derivation, points: 6, id: derivation}]
"""
_RIGHT: Final = 3


@dataclass(frozen=True)
class OperatorFolder:
    """An operator's folder with a class, a rubric, and a key that no submission knows."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "results"

    def hand_in(self, name: str, *, right: bool) -> Path:
        folder = self.folder / "class" / name
        folder.mkdir(parents=True)
        text = (REFERENCE / "answers.py").read_text()
        if not right:
            assert "3 * x**2" in text
            text = text.replace("3 * x**2", "2 * x**2")
        (folder / "answers.py").write_text(f"{text}# {name}\n")
        return folder

    def run(self, path: str, *arguments: str, here: Path | None = None) -> subprocess.CompletedProcess[str]:
        (self.folder / "rubric.yaml").write_text(_RUBRIC)
        command = [sys.executable, str(_ROOT / "run_grading.py"), path, "--rubric", str(self.folder / "rubric.yaml")]
        command += ["--profile", "unit", "--data", "digits", "--jobs", "1", *arguments]
        environment = {**os.environ, "GENGRADE_KEY_FILE": str(self.folder / "operator" / "key")}
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=here or self.folder,
            env=environment,
            timeout=280,
        )
        assert "Traceback" not in run.stderr, run.stderr
        return run

    def points(self, out: Path | None = None) -> dict[str, float]:
        grades = [json.loads(path.read_text()) for path in (out or self.out).glob("*/grade.json")]
        return {grade["student"]: grade["points"] for grade in grades}


@pytest.fixture
def operator(tmp_path: Path) -> OperatorFolder:
    if choose(Isolation.AUTO, single=True) is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    return OperatorFolder(tmp_path)


def _all_passed(facts: dict[str, Any]) -> dict[str, Any]:
    for check in facts["checks"].values():
        for test in check["tests"]:
            test["outcome"] = "passed"
    return facts


def _edit(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_what_a_submission_holds_of_results_and_marks_is_not_believed(operator: OperatorFolder) -> None:
    """The submission contains perfect results of the same harness where a run started inside it would look."""
    mallory = operator.hand_in("mallory", right=False)
    operators = operator.folder / "operators-own"
    (operators / "trees" / "thesis").mkdir(parents=True)
    (operators / "trees" / "thesis" / "chapter.tex").write_text("the only copy")
    made = OperatorFolder(operator.folder / "mallorys-machine")
    made.hand_in("mallory", right=False)
    assert made.run("class/mallory", "--out", "results").returncode == 1
    _edit(made.out / "mallory" / "facts.json", _all_passed)
    shutil.copytree(made.out, mallory / "results", symlinks=True)
    for marks in (mallory / "marks", mallory / "results" / "marks"):
        marks.mkdir()
        (marks / "mallory.yaml").write_text("derivation: 6\n")
    before = _content(mallory)
    run = operator.run(".", here=mallory)
    assert run.returncode == 1
    assert str(mallory.parent / "results" / "mallory" / "report.html") in run.stdout
    assert operator.points(mallory.parent / "results") == {"mallory": 0}
    assert _content(mallory) == before, "the submission was changed"
    shutil.rmtree(mallory / "results" / ".gengrade")
    (mallory / "results" / ".gengrade").symlink_to(operators)
    assert operator.run(".", here=mallory).returncode == 1
    assert _content(operators) == {"trees/thesis/chapter.tex": b"the only copy"}
    refused = operator.run(".", "--out", "results", here=mallory)
    assert refused.returncode == 2
    assert str(mallory) in refused.stderr
    assert "give --out" in refused.stderr


def test_an_honest_submission_is_graded_from_within_and_marked_beside(operator: OperatorFolder) -> None:
    ada = operator.hand_in("ada", right=True)
    marks = ada.parent / "results" / "marks"
    marks.mkdir(parents=True)
    (marks / "ada.yaml").write_text("derivation: 6\n")
    assert operator.run(".", here=ada).returncode == 0
    assert operator.points(ada.parent / "results") == {"ada": _RIGHT + 6}
    assert {path.name for path in ada.iterdir()} == {"answers.py"}


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# --- among honest results ------------------------------------------------------------------------------------------


def _own_facts_altered(out: Path) -> None:
    _edit(out / "altered" / "facts.json", _all_passed)


def _a_better_students_facts(out: Path) -> None:
    shutil.copy(out / "ada" / "facts.json", out / "copied" / "facts.json")


def _a_better_students_facts_with_ones_name(out: Path) -> None:
    key = json.loads((out / "renamed" / "facts.json").read_text())["provenance"]["key"]

    def renamed(facts: dict[str, Any]) -> dict[str, Any]:
        return {**facts, "student": "renamed", "provenance": {**facts["provenance"], "key": key}}

    shutil.copy(out / "ada" / "facts.json", out / "renamed" / "facts.json")
    _edit(out / "renamed" / "facts.json", renamed)


def _a_better_students_evidence(out: Path) -> None:
    """Copy a better student's evidence to one's own names, and remove the facts so that it is read."""
    better = sorted((out / "ada" / "evidence").glob("*.evidence"), key=lambda path: path.stat().st_mtime_ns)
    own = sorted((out / "evidence" / "evidence").glob("*.evidence"), key=lambda path: path.stat().st_mtime_ns)
    assert len(better) == len(own) > 0
    for theirs, mine in zip(better, own, strict=True):
        shutil.copy(theirs, mine)
    (out / "evidence" / "facts.json").unlink()


def _ones_own_evidence_as_the_references(out: Path) -> None:
    """Replace the reference's evidence by one's own, so that the wrong answer is expected."""
    own = sorted((out / "role" / "evidence").glob("*.evidence"), key=lambda path: path.stat().st_mtime_ns)
    right = sorted((out / ".gengrade" / "evidence").glob("*.evidence"), key=lambda path: path.stat().st_mtime_ns)
    for file, answer in zip(right, own, strict=False):
        shutil.copy(answer, file)
    (out / "role" / "facts.json").unlink()


def test_what_was_put_among_honest_results_is_computed_again(operator: OperatorFolder) -> None:
    """Ada's answers are right and keep their results; all others are wrong, each with an attack of its own."""
    attacks = {
        "altered": _own_facts_altered,
        "copied": _a_better_students_facts,
        "renamed": _a_better_students_facts_with_ones_name,
        "evidence": _a_better_students_evidence,
    }
    operator.hand_in("ada", right=True)
    for name in attacks:
        operator.hand_in(name, right=False)
    wanted = {"ada": _RIGHT, **dict.fromkeys(attacks, 0)}
    assert operator.run("class").returncode == 0
    assert operator.points() == wanted
    facts = {path: path.stat().st_mtime_ns for path in operator.out.glob("*/facts.json")}
    for log in (operator.out / ".gengrade").glob("worker-*.log"):
        log.unlink()
    assert operator.run("class").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in facts} == facts, "an honest second run computed something"
    assert not list((operator.out / ".gengrade").glob("worker-*.log")), "an honest second run started a worker"
    for attack in attacks.values():
        attack(operator.out)
    assert operator.run("class").returncode == 0
    assert operator.points() == wanted
    ada = operator.out / "ada" / "facts.json"
    assert ada.stat().st_mtime_ns == facts[ada]


def test_what_stands_for_the_harness_itself_is_drawn_or_computed_again(operator: OperatorFolder) -> None:
    """Somebody plants a known secret, a seed, and wrong answers in place of the reference's."""
    operator.hand_in("ada", right=True)
    operator.hand_in("role", right=False)
    assert operator.run("class").returncode == 0
    _ones_own_evidence_as_the_references(operator.out)
    assert operator.run("class").returncode == 0
    assert operator.points() == {"ada": _RIGHT, "role": 0}
    work = operator.out / ".gengrade"
    kept = {name: (work / name).read_bytes() for name in ("secret", "seed")}
    assert operator.run("class").returncode == 0
    assert {name: (work / name).read_bytes() for name in kept} == kept, "an honest run goes on with its own"
    (work / "secret").write_bytes(bytes(64))
    (work / "seed").write_text("7")
    assert operator.run("class").returncode == 0
    assert bytes(32) not in (work / "secret").read_bytes()
    assert json.loads((operator.out / "ada" / "facts.json").read_text())["provenance"]["seed"] != 7
    assert operator.points() == {"ada": _RIGHT, "role": 0}


@pytest.mark.parametrize(
    "place", [".gengrade", ".gengrade/trees", ".gengrade/evidence", "ada", "ada/evidence", "marks"]
)
def test_a_link_among_the_results_stops_the_run_before_anything_is_removed(
    operator: OperatorFolder, place: str
) -> None:
    operator.hand_in("ada", right=True)
    operator.hand_in("bob", right=False)
    operators = operator.folder / "operators-own"
    for name in ("trees/thesis/chapter.tex", "thesis/chapter.tex", ".chapter.tex.tmp", "facts.json", "ada.yaml"):
        (operators / name).parent.mkdir(parents=True, exist_ok=True)
        (operators / name).write_text("derivation: 6\n")
    before = _content(operators)
    (operator.out / place).parent.mkdir(parents=True, exist_ok=True)
    (operator.out / place).symlink_to(operators)
    run = operator.run("class")
    assert run.returncode == 2
    assert f"{operator.out / place}" in run.stderr
    assert "remove it" in run.stderr
    assert run.stderr.count("\n") == 1, "one error, in one line"
    assert _content(operators) == before


def test_results_where_the_operators_own_link_leads_are_used(operator: OperatorFolder) -> None:
    operator.hand_in("ada", right=True)
    operator.hand_in("bob", right=False)
    (operator.folder / "disk").mkdir()
    (operator.folder / "linked").symlink_to("disk")
    assert operator.run("class", "--out", "linked").returncode == 0
    assert operator.points(operator.folder / "disk") == {"ada": _RIGHT, "bob": 0}


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_strangers_folder_among_the_results_stops_the_run(operator: OperatorFolder) -> None:
    operator.hand_in("ada", right=True)
    operator.hand_in("bob", right=False)
    (operator.out / ".gengrade").mkdir(parents=True)
    os.chown(operator.out / ".gengrade", 12345, -1)
    run = operator.run("class")
    assert run.returncode == 2
    assert "belongs to another user (12345)" in run.stderr
    os.chown(operator.out / ".gengrade", os.getuid(), -1)
    assert operator.run("class").returncode == 0
    assert operator.points() == {"ada": _RIGHT, "bob": 0}


def test_modules_in_the_working_folder_are_not_imported(tmp_path: Path) -> None:
    """`python -m` searches the working folder first; the command still finds its own modules."""
    for name in ("torch", "yaml", "typer", "graders", "pathlib", "secrets"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    command = [sys.executable, "-m", "gengrade", "rubric", "check", str(_ROOT / "rubric.yaml")]
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment, timeout=240
    )
    assert (run.returncode, "imported" in run.stderr) == (0, False), run.stderr
    assert "100 points" in run.stdout
