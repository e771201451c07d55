"""A class of thirty, the whole way: from Canvas's export to every system's import, a complaint, and a second time."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner, Result

from gengrade.cli import app
from gengrade.engine import graded_class
from gengrade.publish.entries import Entry
from gengrade.publish.releases import releases
from gengrade.sandbox import Tier
from tests.support.importers import (
    Blackboard,
    Brightspace,
    Canvas,
    CanvasStudent,
    Moodle,
    MoodleParticipant,
    unzipped,
)
from tests.support.marked import RUBRIC
from validation.workbench import REFERENCE, Workbench

EVERYBODY: Final = tuple(range(101, 131))  # Canvas's own numbers
FEW: Final = (101, 102, 103, 104, 105, 107, 110, 120, 128, 129)  # one of each kind
MISSING, PARTNER, HANDS_IN = 107, 129, 128  # the last two are a group, for which one of them handed in
LATE, EXTENDED, EXTENDED_TO_A_DAY, LATER = 102, 103, 104, 105
WRONG, CRASHES = (110, 111, 112), (120,)
COMPLAINS = 110
DEADLINE = "2026-11-20T18:00"
POINTS: Final = 6.0

pytestmark = pytest.mark.timeout(900)


class Term:
    """A lecturer's term: the folder with everything that the systems export, and the command."""

    def __init__(self, folder: Path, people: tuple[int, ...]) -> None:
        self.folder, self.out = folder, folder / "results"
        self.people = people

    @property
    def handed_in(self) -> list[int]:
        return [number for number in self.people if number not in (MISSING, PARTNER)]

    @property
    def got(self) -> list[int]:
        """Those who get points."""
        return [number for number in self.people if number != MISSING]

    def run(self, *words: object, status: int = 0) -> Result:
        result = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "200"}, catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result

    def grade(self, *words: object) -> Result:
        given = ("--rubric", self.folder / "rubric.yaml", "--out", self.out, "--profile", "unit", *words)
        return self.run("grade", self.folder / "submissions.zip", *given)

    def publish(self, system: str, template: str, *words: object) -> tuple[bytes, bytes | None, str]:
        """Return the filled table, the archive of reports, and what was said."""
        said = self.run("publish", system, self.out, "--template", self.folder / template, *words).stdout
        folder = max((self.out / "publish" / system).iterdir(), key=lambda each: int(each.name))
        feedback = folder / "feedback.zip"
        return (folder / template).read_bytes(), feedback.read_bytes() if feedback.exists() else None, said

    def book(self) -> dict[str, dict[str, str]]:
        text = (self.out / "gradebook.csv").read_text(encoding="utf-8-sig")
        return {row["Student"]: row for row in csv.DictReader(io.StringIO(text))}


def name(number: int) -> str:
    return f"First{number} Last{number}"


def file_of(number: int) -> str:
    late = "LATE_" if number in (LATE, EXTENDED, EXTENDED_TO_A_DAY, LATER) else ""
    return f"last{number}first{number}_{late}{number}_{9000 + number}_answers.py"


def exported(term: Term) -> None:
    """Write what the systems export of this class."""
    folder = term.folder
    right = (REFERENCE / "answers.py").read_text()
    wrong, crashing = right.replace("3", "2"), "raise RuntimeError('not on my laptop')\n"
    with zipfile.ZipFile(folder / "submissions.zip", "w") as archive:
        for number in term.handed_in:
            text = wrong if number in WRONG else crashing if number in CRASHES else right
            archive.writestr(file_of(number), text)
    (folder / "rubric.yaml").write_text("late: {penalty: 0.1, per: day}\n" + RUBRIC)
    times = dict.fromkeys(term.people, "2026-11-20T17:00")
    times |= dict.fromkeys((LATE, EXTENDED, EXTENDED_TO_A_DAY), "2026-11-21T17:00") | {LATER: "2026-11-22T17:00"}
    extensions = {EXTENDED: "2", EXTENDED_TO_A_DAY: "2026-11-21"}
    roster = ["Student,ID,SIS User ID,SIS Login ID,Section,A small one (12),group,extension,handed_in"]
    roster += ["    Points Possible,,,,,6,,,"]
    canvas = ["Student,ID,SIS User ID,SIS Login ID,Section,A small one (12)", "    Points Possible,,,,,6"]
    moodle = [
        "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
        "Last modified (grade),Feedback comments"
    ]
    brightspace = [
        "OrgDefinedId,Username,Last Name,First Name,"
        "A small one Points Grade <Numeric MaxPoints:6>,End-of-Line Indicator"
    ]
    blackboard = ['"Last Name","First Name","Username","Student ID","A small one [Total Pts: 6 Score] |77"']
    for number in term.people:
        person = f'"Last{number}, First{number}",{number},u{number},user{number},A,'
        group = "Blue" if number in (HANDS_IN, PARTNER) else ""
        roster.append(f"{person},{group},{extensions.get(number, '')},{times[number]}")
        canvas.append(person)
        moodle.append(f"Participant {5000 + number},{name(number)},u{number},,Submitted,,6.00,Yes,-,")
        brightspace.append(f"#u{number},#user{number},Last{number},First{number},,#")
        blackboard.append(f'"Last{number}","First{number}","user{number}","u{number}",""')
    for file, lines in {
        "roster.csv": roster,
        "canvas.csv": canvas,
        "moodle.csv": moodle,
        "brightspace.csv": brightspace,
        "blackboard.csv": blackboard,
    }.items():
        (folder / file).write_bytes("".join(f"{line}\r\n" for line in lines).encode())


@pytest.fixture(params=[FEW, pytest.param(EVERYBODY, marks=pytest.mark.slow)], ids=["ten", "thirty"])
def term(request: pytest.FixtureRequest, tmp_path: Path, workbench: Workbench) -> Term:
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    found = Term(tmp_path, request.param)
    exported(found)
    return found


def expected(number: int) -> float:
    """Return the total after grading, with 3 points for each derivation."""
    earned = 3.0 if number in WRONG or number in CRASHES else POINTS
    days = {LATE: 1, LATER: 2}.get(number, 0)
    return round(earned * (1 - 0.1 * days), 2)


def test_a_class_goes_the_whole_way(term: Term) -> None:
    said = term.grade("--roster", term.folder / "roster.csv", "--deadline", DEADLINE).stdout
    assert f"1 of {len(term.people)} handed in nothing: Last{MISSING}, First{MISSING}" in said
    assert {row["Total"] for row in term.book().values()} == {""}, "nothing is decided before it is marked"
    mark_by_import(term)
    book = term.book()
    assert {number: book[str(number)]["Total"] for number in term.people} == {
        number: "" if number == MISSING else f"{expected(HANDS_IN if number == PARTNER else number):g}"
        for number in term.people
    }
    assert book[str(MISSING)]["Status"] == "nothing handed in"

    term.run("release", term.out)
    canvas = accepted_by_canvas(term)
    accepted_by_moodle(term)
    accepted_by_brightspace_and_blackboard(term)

    replayed = term.run("replay", str(COMPLAINS), "--out", term.out).stdout
    assert "release 1: every automatic item is the same." in replayed

    submission = next(each.submission for each in entries(term, 1) if each.id == str(COMPLAINS))
    words = ("marks", "give", submission, "derivation", "2", "--comment", "one step is missing", "--out", term.out)
    term.run(*words)
    said = term.run("release", term.out).stdout
    assert f"From release 1 to now: 1 of {len(term.people)} differ." in said
    assert "a mark" in said
    table, feedback, said = term.publish("canvas", "canvas.csv")
    assert f"Release 2: filled 1 of {len(term.people)}" in said
    assert canvas.import_gradebook(table) == {(COMPLAINS, 12): ("3", "2")}
    comments, ignored = canvas.upload_submissions(feedback)
    assert (list(comments), ignored) == ([COMPLAINS], [])
    compared = term.run("compare", "1", "2", "--out", term.out).stdout
    assert re.search(r"derivation +3 of 3 +2 of 3 +a mark: by ", compared)


def mark_by_import(term: Term) -> None:
    """Give 3 points to each derivation, in a table that is exported, filled and imported."""
    sheet = term.folder / "marks.csv"
    lines = ["student,item,points,criteria,comment"]
    lines += [
        f"{folder.name},derivation,3,," for folder in sorted(term.out.glob("*/")) if (folder / "facts.json").exists()
    ]
    sheet.write_text("\n".join(lines))
    term.run("marks", "import", sheet, "--out", term.out)


def entries(term: Term, number: int) -> list[Entry]:
    found = releases(graded_class(term.out))
    return list(found[number - 1].manifest.entries)


def accepted_by_canvas(term: Term) -> Canvas:
    students = {
        number: CanvasStudent(f"Last{number}, First{number}", name(number), f"u{number}", f"user{number}")
        for number in term.people
    }
    attachments = {9000 + number: (number, "answers.py", True) for number in term.handed_in}
    canvas = Canvas(students, {12: "A small one"}, attachments=attachments)
    table, feedback, said = term.publish("canvas", "canvas.csv")
    assert "nothing handed in; --missing-as-zero gives 0 points" in said
    changes = canvas.import_gradebook(table)
    assert {student for student, _ in changes} == set(term.got)
    assert changes[LATER, 12] == ("", "4.8")
    assert changes[PARTNER, 12] == changes[HANDS_IN, 12] == ("", "6")
    comments, ignored = canvas.upload_submissions(feedback)
    assert ignored == []
    assert set(comments) == set(term.handed_in)
    assert b"<dt>Release</dt><dd>1, " in comments[LATE][0][1]
    return canvas


def accepted_by_moodle(term: Term) -> None:
    moodle = Moodle({5000 + number: MoodleParticipant() for number in term.people}, POINTS)
    table, feedback, _ = term.publish("moodle", "moodle.csv", "--decimal-point")
    assert moodle.import_worksheet(table) == [5000 + number for number in term.got]
    assert moodle.people[5000 + LATE].grade == 5.4
    assert moodle.people[5000 + MISSING] == MoodleParticipant()
    assert moodle.upload_feedback(feedback) == []
    assert all("report.html" in moodle.people[5000 + number].files for number in term.got)


def accepted_by_brightspace_and_blackboard(term: Term) -> None:
    brightspace = Brightspace({f"u{number}": f"user{number}" for number in term.people}, {"A small one": POINTS})
    table, _, _ = term.publish("brightspace", "brightspace.csv")
    assert brightspace.import_grades(table) == [(f"u{number}", "A small one") for number in term.got]
    blackboard = Blackboard({f"user{number}" for number in term.people}, {"77"})
    table, feedback, _ = term.publish("blackboard", "blackboard.csv")
    assert blackboard.upload(table) == [(f"user{number}", "77") for number in term.got]
    assert blackboard.grades[f"user{EXTENDED}", "77"] == blackboard.grades[f"user{EXTENDED_TO_A_DAY}", "77"] == POINTS
    assert f"user{LATE}/report.html" in unzipped(feedback)
