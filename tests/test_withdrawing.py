"""A submission that was taken out of the class disappears from its pages, and nothing of it is lost."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gengrade.cli import app
from gengrade.engine import graded_class, grades_of
from gengrade.marks import opened
from gengrade.sandbox import Tier
from gengrade.submissions.names import safe_id
from tests.support.marked import RUBRIC
from validation.workbench import REFERENCE, Workbench

NAMES = ("Ada_11", "Bob_22", "Cyd_33", "Dan_44", "Eve_55")


class Teacher:
    """A teacher with a graded class of five."""

    def __init__(self, folder: Path, own: Path) -> None:
        self.folder, self.own = folder, own  # `own`: of a test
        self.out = own / "results"
        self.classroom = folder / "class"
        self.aside = folder / "aside"

    def grade(self, *words: str, path: Path | None = None) -> Result:
        fixed = ["--rubric", str(self.folder / "rubric.yaml"), "--profile", "unit", "--jobs", "1"]
        where = [str(path or self.classroom), "--out", str(self.out)]
        wide = {"COLUMNS": "200"}
        return CliRunner().invoke(app, ["grade", *where, *fixed, *words], env=wide, catch_exceptions=False)

    def graded(self, *words: str, path: Path | None = None) -> str:
        result = self.grade(*words, path=path)
        assert result.exit_code == 0, result.output
        return result.stdout

    def mark(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["marks", *words, "--out", str(self.out)], catch_exceptions=False)

    def file(self, name: str) -> Path:
        return self.classroom / f"{name}_{name[-2:]}9_answers.py"

    def take_out(self, *names: str) -> None:
        for name in names:
            self.file(name).rename(self.aside / self.file(name).name)

    def put_back(self) -> None:
        for path in self.aside.iterdir():
            path.rename(self.classroom / path.name)

    def shown(self, name: str) -> list[str]:
        """Return the pages of the class that show a student."""
        texts = {page: (self.out / page).read_text() for page in ("index.html", "gradebook.csv")}
        return [page for page, text in texts.items() if name[:3] in text.replace("<wbr>", "")]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, workbench: Workbench) -> Path:
    """A class that was graded once for all tests."""
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    folder = tmp_path_factory.mktemp("withdrawing")
    teacher = Teacher(folder, folder)
    teacher.classroom.mkdir()
    teacher.aside.mkdir()
    (teacher.folder / "rubric.yaml").write_text(RUBRIC)
    for name in NAMES:
        shutil.copy(REFERENCE / "answers.py", teacher.file(name))
    time.sleep(2.1)  # what was handed in just now might still change without a later time
    teacher.graded()
    return teacher.folder


@pytest.fixture
def teacher(once: Path, tmp_path: Path) -> Iterator[Teacher]:
    """The graded class with results of its own. The class's files stay, since new ones would be read again."""
    shutil.copytree(once / "results", tmp_path / "results")
    teacher = Teacher(once, tmp_path)
    yield teacher
    teacher.put_back()


def test_who_withdraws_is_shown_nowhere_and_loses_nothing(teacher: Teacher) -> None:
    assert teacher.shown("Bob_22") == ["index.html", "gradebook.csv"]
    files = {path.name: path.read_bytes() for path in (teacher.out / "Bob_22").iterdir() if path.is_file()}
    teacher.take_out("Bob_22")
    said = " ".join(teacher.graded().split())
    assert "Bob (Bob_22) is not in" in said
    assert "moved to" in said
    assert "withdrawn/Bob_22" in said
    assert "put it into" in said
    assert teacher.shown("Bob_22") == []
    assert teacher.shown("Ada_11") == ["index.html", "gradebook.csv"]
    assert not (teacher.out / "Bob_22").exists()
    aside = teacher.out / "withdrawn" / "Bob_22"
    assert {path.name: path.read_bytes() for path in aside.iterdir() if path.is_file()} == files
    graded = graded_class(teacher.out)
    assert set(graded.names) == set(grades_of(graded)) == set(NAMES) - {"Bob_22"}
    assert "withdrawn" not in teacher.graded(), "it is said once"
    assert aside.is_dir()


@pytest.mark.slow
def test_who_hands_in_again_is_back(teacher: Teacher) -> None:
    """Whoever withdraws twice has two folders aside."""
    for folder in ("Bob_22", "Bob_22 (2)"):
        teacher.take_out("Bob_22")
        teacher.graded()
        assert (teacher.out / "withdrawn" / folder / "grade.json").is_file()
        teacher.put_back()
        teacher.graded()
        assert teacher.shown("Bob_22") == ["index.html", "gradebook.csv"]
        assert (teacher.out / "Bob_22" / "report.html").is_file()
    assert safe_id("Bob_22 (2)") != "Bob_22 (2)", "no submission has such an id"


def test_marks_of_who_withdraws_are_kept(teacher: Teacher) -> None:
    assert teacher.mark("give", "Bob_22", "derivation", "2").exit_code == 0
    assert teacher.mark("give", "Ada_11", "derivation", "1").exit_code == 0
    teacher.take_out("Bob_22")
    said = teacher.graded()
    assert "withdrawn/Bob_22" in said
    assert "Marks are kept" in said
    (teacher.out / "marks" / "Bob_22.yaml").write_text("derivation: 2\n")
    teacher.graded()
    with opened(teacher.out / "marks", "A small one") as store:
        assert len(store.current("Bob_22").items) == 1
    teacher.put_back()
    teacher.graded()
    assert json.loads((teacher.out / "Bob_22" / "grade.json").read_text())["points"] == 5


def test_marks_of_who_may_have_been_renamed_are_named_once(teacher: Teacher) -> None:
    """Somebody else is new, who may be the student under another id."""
    assert teacher.mark("give", "Bob_22", "derivation", "2").exit_code == 0
    teacher.file("Bob_22").rename(teacher.file("Bo_22"))
    result = teacher.grade()
    assert result.exit_code == 2
    assert "its mark counts for nobody" in result.stdout
    assert "gengrade marks move Bob_22 Bo_22" in result.stdout
    teacher.graded()
    teacher.file("Bo_22").rename(teacher.file("Bob_22"))


def test_a_part_of_the_class_withdraws_nobody(teacher: Teacher) -> None:
    teacher.take_out("Bob_22", "Cyd_33")
    said = teacher.graded("--only", "Ada*")
    assert "withdrawn" not in said
    for name in ("Bob_22", "Cyd_33"):
        assert teacher.shown(name) == ["index.html", "gradebook.csv"]
        assert (teacher.out / name / "grade.json").is_file()
    graded = graded_class(teacher.out)
    assert set(grades_of(graded)) == set(graded.people.lateness) == set(NAMES)
    assert "are not in" in teacher.graded()
    assert sorted(os.listdir(teacher.out / "withdrawn")) == ["Bob_22", "Cyd_33"]


def test_one_submission_withdraws_nobody(teacher: Teacher) -> None:
    teacher.take_out("Bob_22")
    said = teacher.graded(path=teacher.file("Ada_11"))
    assert "withdrawn" not in said
    assert (teacher.out / "Bob_22" / "grade.json").is_file()
    assert not (teacher.out / "withdrawn").exists()
    teacher.graded()
    assert (teacher.out / "withdrawn" / "Bob_22").is_dir()
    teacher.graded(path=teacher.file("Ada_11"))
    assert "withdrawn" not in teacher.graded()
    assert set(graded_class(teacher.out).names) == set(NAMES) - {"Bob_22"}


def _state(folder: Path) -> dict[str, bytes]:
    """Return all files of the results but the lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_another_class_is_refused_before_anything_is_done(teacher: Teacher) -> None:
    other = teacher.own / "other"
    other.mkdir()
    shutil.copy(REFERENCE / "answers.py", other / "Zoe_66_669_answers.py")
    shutil.copy(teacher.file("Ada_11"), other)
    before = _state(teacher.out)
    result = teacher.grade(path=other)
    assert result.exit_code == 2
    assert "it lacks 4 of the 5 submissions whose results are in" in result.stderr
    assert f"made from {teacher.classroom}" in result.stderr
    assert "give another --out" in result.stderr
    assert "Bob_22, Cyd_33, Dan_44, Eve_55" in result.stderr
    assert _state(teacher.out) == before


def test_most_of_a_class_withdraws_only_if_a_person_says_so(teacher: Teacher) -> None:
    teacher.take_out("Bob_22", "Cyd_33", "Dan_44")
    result = teacher.grade()
    assert result.exit_code == 2
    assert "it lacks 3 of the 5" in result.stderr
    assert "made from" not in result.stderr, "it is the same class"
    for name in ("Bob_22", "Cyd_33", "Dan_44"):
        shutil.move(teacher.out / name, teacher.own / name)
    teacher.graded()
    assert set(graded_class(teacher.out).names) == {"Ada_11", "Eve_55"}


def test_half_of_a_class_may_withdraw(teacher: Teacher) -> None:
    teacher.take_out("Bob_22")
    teacher.graded()
    teacher.take_out("Cyd_33", "Dan_44")
    assert "Cyd (Cyd_33), Dan (Dan_44) are not in" in teacher.graded()
    teacher.take_out("Ada_11")
    teacher.graded()
    assert set(graded_class(teacher.out).names) == {"Eve_55"}, "of two, one is half"


@pytest.mark.parametrize("name", ["Bob_22", "withdrawn"])
def test_no_link_is_followed(teacher: Teacher, name: str) -> None:
    elsewhere = teacher.own / "elsewhere"
    if (teacher.out / name).exists():
        (teacher.out / name).rename(elsewhere)
    else:
        elsewhere.mkdir()
    (teacher.out / name).symlink_to(elsewhere)
    before = sorted(os.listdir(elsewhere))
    teacher.take_out("Bob_22")
    result = teacher.grade()
    assert result.exit_code == 2
    assert "it is a symbolic link" in result.stderr
    assert sorted(os.listdir(elsewhere)) == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", ["Bob_22", "withdrawn"])
def test_what_belongs_to_others_is_neither_moved_nor_used(teacher: Teacher, name: str) -> None:
    (teacher.out / name).mkdir(exist_ok=True)
    os.chown(teacher.out / name, 12345, -1)
    teacher.take_out("Bob_22")
    result = teacher.grade()
    assert result.exit_code == 2
    assert "it belongs to another user (12345)" in result.stderr
    assert (teacher.out / "Bob_22").is_dir()


def test_a_record_that_somebody_else_wrote_withdraws_nobody(teacher: Teacher) -> None:
    place = teacher.out / ".gengrade" / "class.json"
    place.write_text(place.read_text().replace("Eve_55", "index.html"))
    teacher.take_out("Bob_22")
    teacher.graded()
    assert (teacher.out / "index.html").is_file()
    assert (teacher.out / "Bob_22").is_dir()
    assert not (teacher.out / "withdrawn").exists()


@pytest.mark.parametrize("name", ["withdrawn", "Withdrawn"])
def test_no_submission_is_called_as_the_folder_of_those_who_withdrew(name: str) -> None:
    assert safe_id(name) == f"_{name}"


def test_a_submission_among_those_withdrawn_is_refused(teacher: Teacher) -> None:
    teacher.take_out("Bob_22")
    teacher.graded()
    inside = teacher.out / "withdrawn" / "mine.py"
    shutil.copy(REFERENCE / "answers.py", inside)
    result = teacher.grade(path=inside)
    assert result.exit_code == 2
    assert "a submission cannot lie inside the results" in result.stderr
