"""Row 52: a hidden check shows a student its verdict and nothing else, whatever the code tries to tell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from gengrade.facts import Facts
from gengrade.grade import Grade
from gengrade.report import github_annotations, github_summary
from gengrade.sandbox import Isolation, Tier, choose
from tests.attacks.attack import replaced
from validation.workbench import REFERENCE

pytestmark = pytest.mark.slow  # a class for each test

_ROOT: Final = Path(__file__).resolve().parents[2]
_CHECK: Final = "theory.cubic_density"

# What the code was given, in every way in which code can say something. The word is put together late.
_SAID: Final = """
import sys, warnings
word = "exfil" + "trated"
told = f"{word} {x.tolist()[:3]} {a} {b}"
print(told)
print(told, file=sys.stderr)
warnings.warn(told)
open(word, "w").write(told)
"""
_WAYS: Final = {
    "raise": "raise type(word, (Exception,), {})(told)",
    "assert": "assert False, told",
    "missing": "raise NotImplementedError(told)",
    "syntax": "compile(told, __file__, 'exec')",
    "keys": "return {word: x, told: a}",
    "type": "return type(word, (), {})()",
    "text": "return told",
    "wrong": "return torch.zeros_like(x)",
    "memory": "raise MemoryError(told)",
    "exit": "import os; os._exit(int(a * 10) % 100)",
}


# Another item needs the hidden one, so that its message has something to say about it.
_RUBRIC: Final = f"""\
assignment: A hidden one
course: uva2020
parts:
  - name: Theory
    questions:
      - id: "1"
        title: A density
        points: 2
        items:
          - {{check: {_CHECK}, points: 1, hidden: true}}
          - {{check: theory.gan_value, points: 1, needs: [{_CHECK}]}}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grade a class in which each submission tries to tell in another way what a hidden check asked."""
    if choose(Isolation.AUTO, single=True) is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    folder = tmp_path_factory.mktemp("hidden")
    (folder / "rubric.yaml").write_text(_RUBRIC)
    source = (REFERENCE / "answers.py").read_text()
    for name, way in _WAYS.items():
        student = folder / "class" / name
        student.mkdir(parents=True)
        (student / "answers.py").write_text(replaced(source, "cubic_density", _SAID, way))
    command = [sys.executable, str(_ROOT / "run_grading.py"), str(folder / "class"), "--out", str(folder / "results")]
    command += ["--rubric", str(folder / "rubric.yaml"), "--profile", "unit", "--data", "digits"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "results"


def _shown(results: Path, way: str) -> dict[str, str]:
    """Return everything that a student may read."""
    grade = Grade.read(results / way / "grade.json")
    return {
        "report": (results / way / "report.html").read_text(),
        "annotations": github_annotations([grade]),
        "summary": github_summary([grade]),
    }


def _facts(folder: Path) -> Facts:
    """Return the facts without the authentication code."""
    facts = json.loads((folder / "facts.json").read_text())
    del facts["code"]
    return Facts.model_validate(facts)


@pytest.mark.parametrize("way", _WAYS)
def test_what_a_hidden_check_was_asked_is_not_told(results: Path, way: str) -> None:
    held = _facts(results / way).checks[_CHECK].model_dump_json()
    told = {number for number in re.findall(r"-?\d+\.\d{3,}", held) if len(number) > 5}
    for where, text in _shown(results, way).items():
        assert "exfil" not in text, where
        assert not [number for number in told if number in text], where


@pytest.mark.parametrize("way", ["raise", "wrong"])
def test_which_check_is_hidden_is_not_told(results: Path, way: str) -> None:
    for where, text in _shown(results, way).items():
        assert _CHECK not in text, where


def test_somebody_who_grades_sees_it(results: Path) -> None:
    """The check is hidden from the report only: the grade shows it to teachers."""
    facts = _facts(results / "raise")
    assert "exfiltrated" in facts.checks[_CHECK].model_dump_json()


def test_the_way_in_which_a_hidden_check_failed_is_not_told(results: Path) -> None:
    """Submissions raise an exception if a bit of the hidden input is one, and return nonsense if it is zero."""
    words = set()
    for way in _WAYS:
        page = (results / way / "report.html").read_text()
        (article,) = re.findall(r'A hidden check</h4>\s*<p class="verdict">(.*?)</p>', page, re.DOTALL)
        words.add(re.sub(r"<[^>]*>|\s+", " ", article).strip())
    assert len(words) == 1, words
