"""`gengrade publish` as lecturers use it: from graded results to files that the system imports."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gengrade.cli import app
from gengrade.publish.given import given
from gengrade.sandbox import Tier
from gengrade.submissions.names import safe_id
from tests.support.importers import Canvas, CanvasStudent, Moodle, MoodleParticipant, unzipped
from tests.support.marked import RUBRIC
from validation.workbench import REFERENCE, Workbench

# Everything is decided by a machine, except where a test marks it.
DECIDED = RUBRIC.replace("points: 6\n", "points: 3\n").partition("          - id: derivation")[0]
JANE, JIM = "doejane_12345", "roejim_12346"
CLASS = ("doejane_12345_501_answers.py", "roejim_LATE_12346_502_answers.py")
GRADEBOOK = (
    "Student,ID,SIS User ID,SIS Login ID,Section,A small one (12),Final Score\r\n"
    "    Points Possible,,,,,{points},(read only)\r\n"
    '"Doe, Jane",12345,u00017,jdoe,A,,\r\n'
    '"Roe, Jim",12346,u00018,jroe,A,1,\r\n'
    '"Lee, Kim",12347,u00019,klee,A,,\r\n'
)
ROSTER = "id,name,login,excused\nu00017,Jane Doe,,\nu00018,Jim Roe,,\nu00019,Kim Lee,,\n"


class Teacher:
    """A teacher with a graded class of two, and a third student who handed in nothing."""

    def __init__(self, folder: Path, out: Path, rubric: str) -> None:
        self.folder, self.out = folder, out
        self.rubric = folder / rubric
        self.template = out.parent / "2026-11-29_Grades.csv"

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"}, catch_exceptions=False)

    def grade(self, *words: str) -> Result:
        fixed = ["--rubric", str(self.rubric), "--profile", "unit", "--jobs", "1", "--out", str(self.out)]
        result = self.run("grade", str(self.folder / "class"), *fixed, *words)
        assert result.exit_code == 0, result.output
        return result

    def roster(self, text: str) -> None:
        path = self.out.parent / "roster.csv"
        path.write_text(text)
        self.grade("--roster", str(path))

    def release(self) -> None:
        result = self.run("release", str(self.out), "--partial")
        assert result.exit_code == 0, result.output

    def canvas(self, *words: str, points: int = 3) -> Result:
        """Publish what the class has now: make a release of it first."""
        self.release()
        return self.canvas_alone(*words, points=points)

    def canvas_alone(self, *words: str, points: int = 3) -> Result:
        self.template.write_bytes(GRADEBOOK.format(points=points).encode())
        return self.run("publish", "canvas", str(self.out), "--template", str(self.template), *words)

    def table(self, system: str = "canvas") -> bytes:
        return (self.published(system) / self.template.name).read_bytes()

    def published(self, system: str = "canvas") -> Path:
        """Return the folder with the files of the newest release."""
        return max((self.out / "publish" / system).iterdir(), key=lambda folder: int(folder.name))

    def released(self, student: str) -> bytes:
        return (self.out / "releases" / "1" / student / "report.html").read_bytes()

    def feedback(self, system: str = "canvas") -> bytes:
        return (self.published(system) / "feedback.zip").read_bytes()


def course() -> Canvas:
    students = {
        12345: CanvasStudent("Doe, Jane", "Jane Doe", "u00017", "jdoe"),
        12346: CanvasStudent("Roe, Jim", "Jim Roe", "u00018", "jroe"),
        12347: CanvasStudent("Lee, Kim", "Kim Lee", "u00019", "klee"),
    }
    attachments = {501: (12345, "answers.py", True), 502: (12346, "answers.py", True)}
    return Canvas(students, {12: "A small one"}, {(12346, 12): "1"}, attachments=attachments)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, workbench: Workbench) -> Path:
    """A class that was graded once for all tests, by a rubric that leaves nothing open and by one that does."""
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    folder = tmp_path_factory.mktemp("publishing")
    (folder / "class").mkdir()
    for name in CLASS:
        shutil.copy(REFERENCE / "answers.py", folder / "class" / name)
    time.sleep(2.1)  # what was handed in just now might still change without a later time
    for name, text in (("open", RUBRIC), ("decided", DECIDED)):
        (folder / f"{name}.yaml").write_text(text)
    Teacher(folder, folder / "open", "open.yaml").grade()
    shutil.copytree(folder / "open", folder / "decided")
    Teacher(folder, folder / "decided", "decided.yaml").grade()  # by the other rubric, which only scores
    return folder


@pytest.fixture
def teacher(graded: Path, tmp_path: Path) -> Teacher:
    """The class of which all is decided, with results of its own."""
    shutil.copytree(graded / "decided", tmp_path / "results")
    return Teacher(graded, tmp_path / "results", "decided.yaml")


@pytest.fixture
def marker(graded: Path, tmp_path: Path) -> Teacher:
    """The class whose derivations wait for marks."""
    shutil.copytree(graded / "open", tmp_path / "results")
    return Teacher(graded, tmp_path / "results", "open.yaml")


def test_a_class_is_published_and_the_steps_are_said(teacher: Teacher) -> None:
    result = teacher.canvas()
    assert result.exit_code == 0, result.output
    found = course()
    assert found.import_gradebook(teacher.table()) == {(12345, 12): ("", "3"), (12346, 12): ("1", "3")}
    comments, ignored = found.upload_submissions(teacher.feedback())
    assert ignored == []
    assert comments[12345] == [("answers.py", teacher.released(JANE))]
    assert "Release 1: filled 2 of 2, in the column “A small one (12)”" in result.stdout
    assert f"Import, choose {teacher.template.name}" in result.stdout
    assert "Upload Submissions, choose feedback.zip" in result.stdout
    assert teacher.template.read_bytes() == GRADEBOOK.format(points=3).encode()
    for name in (teacher.template.name, "feedback.zip"):
        assert (teacher.published() / name).stat().st_mode & 0o777 == 0o600


def test_a_roster_names_everybody(teacher: Teacher) -> None:
    teacher.roster(ROSTER.replace("Kim Lee,,", "Kim Lee,,yes"))
    assert teacher.canvas().exit_code == 0
    assert course().import_gradebook(teacher.table()) == {
        (12345, 12): ("", "3"),
        (12346, 12): ("1", "3"),
        (12347, 12): ("", "EX"),
    }
    teacher.roster(ROSTER)
    result = teacher.canvas("--all")
    assert "Kim Lee: nothing handed in" in result.stdout
    assert b"klee" not in teacher.table()
    teacher.canvas("--all", "--missing-as-zero")
    assert b"klee,A,0," in teacher.table()


def test_only_what_changed_is_published_again(marker: Teacher) -> None:
    def give(points: int) -> None:
        words = ["marks", "give", JANE, "derivation", str(points), "--out", str(marker.out)]
        assert marker.run(*words).exit_code == 0

    give(2)
    marker.run("marks", "give", JIM, "derivation", "1", "--out", str(marker.out))
    assert marker.canvas(points=6).exit_code == 0
    log = json.loads((marker.out / "releases" / "published.json").read_text())
    assert {id_: each["written"] for id_, each in log["systems"]["canvas"]["people"].items()} == {
        JANE: "5.00",
        JIM: "4.00",
    }
    result = marker.canvas(points=6)
    assert result.exit_code == 0
    assert "Nothing is to be published, and no file was written." in result.stdout
    assert "Unchanged since the last time: 2" in result.stdout
    assert (
        "the export has other points than were published before; --all publishes them again: doejane" in result.stdout
    )
    give(3)
    result = marker.canvas(points=6)
    assert "Release 2: filled 1 of 2" in result.stdout
    assert course().import_gradebook(marker.table()) == {(12345, 12): ("", "6")}
    assert list(unzipped(marker.feedback())) == [CLASS[0]]
    marker.canvas("--all", points=6)
    assert len(unzipped(marker.feedback())) == 2
    marker.canvas("--scale", points=60)
    assert course().import_gradebook(marker.table()) == {(12345, 12): ("", "60"), (12346, 12): ("1", "40")}


def test_nothing_is_published_while_marks_are_missing(marker: Teacher) -> None:
    refused = marker.canvas(points=6)
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert (
        "2 people have no decided grade in release 1: doejane (3 points are pending); roejim (3 points"
        in refused.stderr
    )
    assert not (marker.out / "publish").exists()
    assert not (marker.out / "releases" / "published.json").exists()
    marker.run("marks", "give", JANE, "derivation", "2", "--out", str(marker.out))
    result = marker.canvas("--partial", points=6)
    assert result.exit_code == 0
    assert course().import_gradebook(marker.table()) == {(12345, 12): ("", "5")}
    assert "roejim: 3 points are pending" in result.stdout


def test_a_fault_of_the_grader_is_not_published(teacher: Teacher) -> None:
    path = teacher.out / JIM / "grade.json"
    grade = json.loads(path.read_text())
    (item,) = grade["questions"][0]["items"]
    item |= {"outcome": "infra", "points": 0, "pending": 3}
    path.write_text(json.dumps({**grade, "pending": 3, "points": 0, "total": 0}))
    refused = teacher.canvas()
    assert refused.exit_code == 2
    assert (
        "roejim (a fault of the grader left theory.cubic_density undecided and 3 points are pending)" in refused.stderr
    )
    assert teacher.canvas("--partial").exit_code == 0
    assert b"12346" not in teacher.table()


def test_moodle_from_the_same_results(teacher: Teacher) -> None:
    teacher.roster(ROSTER)
    teacher.template.write_text(
        "Identifier,Full name,ID number,Status,Grade,Maximum Grade,Grade can be changed,Last modified (grade),"
        "Feedback comments\nParticipant 7,Jane Doe,u00017,Submitted,,3.00,Yes,-,\n"
        "Participant 8,Jim Roe,u00018,Submitted,,3.00,Yes,-,\n"
    )
    words = ("publish", "moodle", str(teacher.out), "--template", str(teacher.template))
    teacher.release()
    result = teacher.run(*words)
    assert result.exit_code == 0, result.output
    assignment = Moodle({7: MoodleParticipant(), 8: MoodleParticipant()}, 3.0)
    assert assignment.import_worksheet(teacher.table("moodle")) == [7, 8]
    assert assignment.upload_feedback(teacher.feedback("moodle")) == []
    assert assignment.people[7].files["report.html"] == teacher.released(JANE)
    again = teacher.run(*words, "--all")
    assert "this worksheet was filled before" in again.stdout


def test_what_the_command_cannot_do_is_refused_in_one_sentence(teacher: Teacher, tmp_path: Path) -> None:
    def refused(result: Result) -> str:
        assert result.exit_code == 2, result.output
        assert len(result.stderr.splitlines()) == 1
        return result.stderr

    teacher.release()
    nowhere = teacher.run("publish", "canvas", str(teacher.out), "--template", str(tmp_path / "nowhere.csv"))
    assert "nowhere.csv: it cannot be read" in refused(nowhere)
    assert "the exported file itself is not written over" in refused(teacher.canvas("--to", str(tmp_path)))
    (teacher.folder / "class" / "to").mkdir()
    assert "it lies in the class that was graded" in refused(
        teacher.canvas("--to", str(teacher.folder / "class" / "to"))
    )
    assert "20 points are possible in this column, and 3 by the rubric" in refused(teacher.canvas(points=20))
    assert "no column is called" in refused(teacher.canvas("--column", "Homework"))
    ungraded = teacher.run("publish", "canvas", str(tmp_path / "none"), "--template", str(teacher.template))
    assert "no class was graded into this folder" in refused(ungraded)
    assert not (teacher.out / "publish").exists()
    (teacher.out / "releases" / "published.json").write_text("{")
    assert "it is not known what was published before" in refused(teacher.canvas())
    shutil.rmtree(teacher.out / "releases")
    assert "nothing was released yet" in refused(teacher.canvas_alone())
    teacher.release()
    shutil.copytree(teacher.out / "releases", tmp_path / "elsewhere")
    shutil.rmtree(teacher.out / "releases")
    (teacher.out / "releases").symlink_to(tmp_path / "elsewhere")
    assert "it is a symbolic link" in refused(teacher.canvas_alone())


def test_another_folder_and_a_stale_archive(teacher: Teacher, tmp_path: Path) -> None:
    assert teacher.canvas("--to", str(tmp_path / "upload")).exit_code == 0
    assert len(unzipped((tmp_path / "upload" / "feedback.zip").read_bytes())) == 2
    for student in (JANE, JIM):
        (teacher.out / "releases" / "1" / student / "report.html").unlink()
    result = teacher.canvas("--to", str(tmp_path / "upload"), "--all")
    assert not (tmp_path / "upload" / "feedback.zip").exists()
    assert "the report is missing in release 1" in result.stdout
    assert "Upload Submissions" not in result.stdout


def test_submissions_may_not_take_the_names_of_our_folders() -> None:
    assert [safe_id(name) for name in ("releases", "Publish", "publisher")] == ["_releases", "_Publish", "publisher"]


def test_what_changed_after_the_release_is_named(marker: Teacher) -> None:
    for student in (JANE, JIM):
        marker.run("marks", "give", student, "derivation", "2", "--out", str(marker.out))
    marker.release()
    marker.run("marks", "give", JANE, "derivation", "3", "--out", str(marker.out))
    result = marker.canvas_alone(points=6)
    assert "since release 1, something has changed for doejane; gengrade release takes it up" in result.stdout
    assert course().import_gradebook(marker.table()) == {(12345, 12): ("", "5"), (12346, 12): ("1", "5")}
    report = marker.released(JANE)
    (marker.out / "releases" / "1" / JANE / "report.html").write_bytes(report + b" ")
    refused = marker.canvas_alone("--all", points=6)
    assert (refused.exit_code, "it was changed since release 1 was made" in refused.stderr) == (2, True)


def test_entries_say_what_is_known(teacher: Teacher) -> None:
    teacher.release()
    jane, _ = given(teacher.out).entries
    assert (jane.id, jane.origin, jane.files) == (JANE, ("canvas", "doejane", "12345"), (CLASS[0],))
    assert (jane.total, jane.possible, jane.settled) == (3, 3, True)
