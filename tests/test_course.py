"""A course of one's own is created, checked and graded from anywhere, and its mistakes are reported by line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gengrade import course as course_module
from gengrade.authoring import create, verify
from gengrade.choices import Profile
from gengrade.course import CourseError, NoSuchCourse, chosen, courses, find, load
from gengrade.job import provenance
from tests.support.examples import ROOT

Change = Callable[[Path], object]


def gengrade(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gengrade", *arguments]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment, timeout=800
    )


def test_a_new_course_is_checked_and_grades(tmp_path: Path) -> None:
    new = gengrade(tmp_path, "course", "new", "mycourse")
    assert (new.returncode, new.stderr) == (0, "")
    checked = gengrade(tmp_path, "course", "check", "mycourse")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert [line.partition(" ")[0] for line in checked.stdout.splitlines()] == ["yes"] * 4
    graded = gengrade(tmp_path, "grade", "mycourse/examples", "--course", "mycourse")
    assert graded.returncode == 0, graded.stdout + graded.stderr
    results = tmp_path / "results"
    points = {name: json.loads((results / name / "grade.json").read_text())["points"] for name in ("right", "wrong")}
    assert points == {"right": 3, "wrong": 0}
    assert "exp(2·log_std)" in (results / "wrong" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", sorted(courses()))
def test_our_own_courses_keep_their_word(name: str) -> None:
    """The same command as for a lecturer's course: every example, and every misconception, behind the wall."""
    assert [problem for finding in verify(find(name), Profile.UNIT) for problem in finding.problems] == []


def replaced(file: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new))

    return change


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (replaced("reference/part1/solution.py", "return 0.5", "return half"), "vae.kld ended as"),
        (replaced("examples/expected_points.yaml", "points: 3", "points: 2"), "right: it earned 3 points"),
        (
            replaced("examples/expected_points.yaml", "vae.kld: failed", "vae.kld: missing"),
            "wrong: vae.kld ended as failed, not as missing",
        ),
        (
            replaced("examples/expected_points.yaml", "divergence.log_std_as_log_variance", "divergence.other"),
            "wrong: at vae.kld the report names divergence.log_std_as_log_variance, not divergence.other",
        ),
        (
            replaced(
                "misconceptions/divergence.py",
                "0.5 * (log_std.exp() + mean**2 - 1 - log_std)",
                "0.5 * ((2 * log_std).exp() + mean**2 - 1 - 2 * log_std)",
            ),
            "divergence.log_std_as_log_variance: vae.kld passes",
        ),
    ],
    ids=["reference", "points", "outcome", "name", "misconception"],
)
def test_a_course_that_does_not_keep_its_word_is_told_what(tmp_path: Path, change: Change, problem: str) -> None:
    course = create(tmp_path / f"mine{abs(hash(problem))}")
    change(course.folder)
    problems = [each for finding in verify(course, Profile.UNIT) for each in finding.problems]
    assert any(each.startswith(problem) for each in problems), problems


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (replaced("course.yaml", "adapter: vae:VaeContract", "adapter: vae"), 7, "adapter"),
        (replaced("course.yaml", "files: [solution.py]", "files: []"), 6, '"files" is empty'),
        (replaced("course.yaml", "title:", "titel:"), 2, 'the key "titel" is unknown (did you mean "title"?)'),
    ],
)
def test_a_wrong_declaration_is_refused_by_its_line(tmp_path: Path, change: Change, line: int, reason: str) -> None:
    folder = create(tmp_path / f"other{line}").folder
    change(folder)
    course_module._load.cache_clear()
    with pytest.raises(CourseError) as refused:
        load(folder)
    assert refused.value.line == line
    assert reason in refused.value.reason


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSuchCourse, match="comes with gengrade"):
        create(tmp_path / "uva2020")
    with pytest.raises(NoSuchCourse, match="letters, digits and _"):
        create(tmp_path / "my course")
    (tmp_path / "there").mkdir()
    with pytest.raises(NoSuchCourse, match="already exists"):
        create(tmp_path / "there")


def test_a_rubric_says_of_which_course_it_is(tmp_path: Path) -> None:
    course = create(tmp_path / "here")
    assert chosen(None, course.rubric)[0] is course, "it lies in its folder"
    elsewhere = tmp_path / "rubrics" / "mine.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(course.rubric.read_text())
    with pytest.raises(NoSuchCourse, match="does not say which course"):
        chosen(None, elsewhere)
    assert chosen(str(course.folder), elsewhere)[0] is course
    elsewhere.write_text(f"course: ../here\n{course.rubric.read_text()}")
    assert chosen(None, elsewhere)[0] is course, "by a way from the rubric"
    with pytest.raises(NoSuchCourse, match="rubric of another course"):
        chosen("uva2018", elsewhere)


def test_facts_depend_on_every_file_of_a_course(tmp_path: Path) -> None:
    """Also on those that are no code: a reference may read numbers that lie beside it."""
    course = create(tmp_path / "measured")
    hashes = [provenance.code_hash.__wrapped__(course)]
    for file in ("reference/part1/factor.json", "adapters/names.txt", "misconceptions/more.py", "course.yaml"):
        path = course.folder / file
        path.write_text((path.read_text() if path.exists() else "") + "# more\n")
        hashes.append(provenance.code_hash.__wrapped__(course))
    assert len(set(hashes)) == 5
    (course.folder / "reference" / "__pycache__").mkdir()
    (course.folder / "reference" / "__pycache__" / "x.pyc").write_bytes(b"1")
    (course.folder / "rubric.yaml").write_text("# points only score\n")
    assert provenance.code_hash.__wrapped__(course) == hashes[-1]


def test_a_course_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    for name in ("uva2017", str(tmp_path)):
        with pytest.raises(NoSuchCourse) as refused:
            find(name)
        assert all(each in str(refused.value) for each in courses())
