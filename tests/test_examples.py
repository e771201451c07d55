"""The example submissions earn exactly the points that their README and expected_points.yaml state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gengrade.authoring.expected import differences, read
from gengrade.choices import Profile
from gengrade.grade import Grade
from gengrade.grading.checks import known
from gengrade.rubric import Rubric
from tests.support.examples import ROOT, Examples, full_measures

EXPECTED = read(ROOT / "submissions")
ASKED_OF_ALL = 100


def graded(folder: Path, profile: Profile, data: str = "digits", **options: Any) -> Mapping[str, Grade]:
    """Return the grades of the examples by student, with the repository's rubric."""
    return Examples(ROOT / "submissions", ROOT / "rubric.yaml", EXPECTED).graded(folder, profile, data, **options)


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    return graded(tmp_path_factory.mktemp("examples"), Profile.UNIT)


@pytest.mark.slow
def test_the_example_with_most_mistakes_earns_what_is_stated(tmp_path: Path) -> None:
    grades = graded(tmp_path, Profile.UNIT, only="mistakes")
    assert list(differences({"mistakes": EXPECTED["mistakes"]}, grades)) == []


@pytest.mark.slow  # the hostile example waits for many limits
def test_every_example_earns_what_is_stated(grades: Mapping[str, Grade]) -> None:
    assert list(differences(EXPECTED, grades)) == []
    assert not any(grade.has_infra for grade in grades.values())


@pytest.mark.slow
def test_lateness_is_read_from_the_archives_name(grades: Mapping[str, Grade]) -> None:
    assert [student for student, grade in grades.items() if grade.late] == ["doejane_12345"]


@pytest.mark.parametrize("student", EXPECTED)
def test_the_table_for_readers_agrees(student: str) -> None:
    rows = [line.split("|")[1:-1] for line in (ROOT / "submissions" / "README.md").read_text().splitlines()]
    named = {row[0].strip(" `"): row for row in rows if len(row) == 4}
    row = next(row for name, row in named.items() if name.startswith(student.partition("_1")[0]))
    points, bonus = (float(cell.partition("+")[0]) for cell in row[2:])
    assert (points, bonus) == (EXPECTED[student].points, EXPECTED[student].bonus)


def test_the_rubric_is_whole() -> None:
    rubric = Rubric.load(ROOT / "rubric.yaml")
    rubric.verify(known())
    questions = list(rubric.questions())
    assert sum(question.points for question in questions if not question.bonus) == ASKED_OF_ALL
    assert sum(question.points for question in questions if question.bonus) == 8
    others = [Rubric.load(path) for path in (ROOT / "courses").glob("*/rubric.yaml")]
    assert {check for each in (rubric, *others) for check in each.checks()} == set(known())


@pytest.mark.slow
@pytest.mark.parametrize("student", [student for student in EXPECTED if EXPECTED[student].trained])
def test_complete_examples_reach_their_full_points(tmp_path: Path, student: str) -> None:
    assert full_measures(graded(tmp_path, Profile.SMOKE, only=student)[student]) == set(EXPECTED[student].trained)


@pytest.mark.slow
@pytest.mark.mnist
@pytest.mark.parametrize("student", ["complete_torch", "doejane_12345"])
def test_complete_examples_reach_their_full_points_on_mnist(tmp_path: Path, student: str, mnist_root: Path) -> None:
    grade = graded(tmp_path, Profile.SMOKE, data=str(mnist_root), only=student)[student]
    assert full_measures(grade) == set(EXPECTED[student].trained)
