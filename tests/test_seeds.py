"""Right packages pass with any seed, a seed repeats a grade, and documented spreads are reproduced."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from gengrade.course import courses
from gengrade.rubric import Rubric
from gengrade.sandbox import Tier
from tests.support.operator import OperatorFolder, without_times
from validation import seeds
from validation.journal import Journal
from validation.margins import LIMITS
from validation.seeds import Result, Run, Summary
from validation.variants import COURSES
from validation.workbench import DEFAULT_COURSE, Workbench, unit_checks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "error-rates.md").read_text()


PACKAGES = [(name, each) for name in COURSES for each in seeds.packages(name)]


@pytest.mark.slow  # also run by `make seeds`, with hundreds of seeds
@pytest.mark.parametrize(("course", "package"), PACKAGES)
def test_right_packages_pass_all_checks(course: str, package: str) -> None:
    result = seeds.grade(Run(package, 1, course=course))
    assert result.failed == {}
    assert result.checks == len(unit_checks("", course=course))
    if course != DEFAULT_COURSE:
        return
    assert {limit.statistic for limit in LIMITS} <= set(result.numbers)


def test_a_survey_takes_up_what_its_journal_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "SEEDS", 2)
    monkeypatch.setattr(seeds, "TRAININGS", 0)
    journal = Journal(tmp_path / "seeds.jsonl", "code")
    every = [(name, package) for name in COURSES for package in seeds.packages(name)]
    for course, package in every:
        for seed in range(2):
            failed = {"flow.nll": "no"} if (course, package, seed) == (DEFAULT_COURSE, "alternative", 1) else {}
            numbers = {LIMITS[0].statistic: 0.1 + seed}
            kept = {"checks": 34, "failed": failed, "numbers": numbers}
            journal.put(Run(package, seed, course=course).key, kept)
    summary = seeds.survey(Journal(tmp_path / "seeds.jsonl", "code"), 1, lambda done, total: None)
    runs = 2 * len(every)
    assert (summary.wanted, summary.runs, summary.packages, summary.checks) == (runs, runs, len(every), runs * 34)
    assert summary.failures == ["uva2020, alternative: unit checks, seed 1: flow.nll: no"]
    (margin,) = summary.margins
    assert margin.values == {f"{course}, {package}": [0.1, 1.1] for course, package in every}


def test_measures_are_summed_up_by_data_set() -> None:
    runs = {
        Run("reference", seed, "flow.bpd", data): Result(1, {}, {"flow.bpd": value})
        for seed, data, value in ((0, "digits", 0.8), (1, "digits", 0.9), (0, "mnist", 0.7))
    }
    spreads = {spread.where: spread for spread in Summary(0, runs).measures}
    assert spreads["digits"].values == {"reference": [0.8, 0.9]}
    assert str(spreads["mnist"]) == "| `flow.bpd` of uva2020 | mnist | 0.7 | 0.7 | 0.7 | 0 |"


def test_the_thresholds_hold_what_was_measured() -> None:
    """The reference earned all points under every seed that docs/error-rates.md reports."""
    row = r"^\| `([\w.]+)` of (\w+) \| (\w+) \| ([\d.]+) \| [\d.]+ \| ([\d.]+) \|"
    measured = re.findall(row, PAGE, re.M)
    rubrics = {name: Rubric.load(courses()[name].rubric) for name in COURSES}
    assert {data for _, _, data, _, _ in measured} == {"digits", "mnist"}
    for measure, course, data, least, most in measured:
        full, none = rubrics[course].thresholds(data)[measure]
        assert float(most) <= full if full < none else float(least) >= full, (measure, course, data)
    assert {(measure, course) for measure, course, *_ in measured} == {
        (measure, name) for name, rubric in rubrics.items() for measure in rubric.thresholds("digits")
    }


class TestSeed:
    """`--seed` on the command line."""

    @pytest.fixture(autouse=True)
    def _needs_a_wall(self, workbench: Workbench) -> None:
        if workbench.tier is Tier.PROCESS:
            pytest.skip("this machine offers no isolation, and a class is not graded without it")

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_a_seed_repeats_a_grade(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Even the last digit of a random number in a message is repeated; another seed gives other numbers."""
        monkeypatch.setenv("GENGRADE_SECRET", "a secret of many machines")
        operator = OperatorFolder(tmp_path)
        for name in ("doe", "roe"):
            answers = operator.add(name, lambda folder: shutil.rmtree(folder / "part3")) / "answers.py"
            text = answers.read_text()
            assert "3 * x**2" in text
            answers.write_text(text.replace("3 * x**2", "2 * x**2"))
        grades = {}
        for name, seed in (("first", "7"), ("again", "7"), ("another", "8")):
            operator.out = tmp_path / name
            done = operator.grade("--seed", seed, "--only", "doe")
            assert done.returncode == 0, done.stderr
            grades[name] = without_times(operator.out / "doe" / "grade.json")
        assert json.loads(grades["first"])["provenance"]["seed"] == 7
        assert operator.outcomes("doe")["theory.cubic_density"] == "failed"
        assert grades["again"] == grades["first"]
        assert grades["another"] != grades["first"]
