"""Rosters and deadlines as lecturers use them: they only score again, and no mistake in them stops anything."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from typer.testing import CliRunner, Result

from gengrade.authenticity import authority
from gengrade.cli import app
from gengrade.course import chosen
from gengrade.engine import graded_class, kept_of_class, rescore
from gengrade.facts import Facts
from gengrade.grade import Grade
from gengrade.room.naming import Names
from gengrade.sandbox import Tier
from tests.support.marked import RUBRIC
from validation.workbench import REFERENCE, Workbench

LATE = "late: {penalty: 0.1, per: day}\n"
JANE, JIM, KIM, PAT = "Jane_Doe_7001", "Jim_Roe_7002", "Kim_Lee_7003", "roepat_94"
CLASS = (
    "7001-3 - Jane Doe - Nov 20, 2026 500 PM - answers.py",
    "7002-3 - Jim Roe - Nov 21, 2026 700 PM - answers.py",  # 25 hours after the deadline
    "7003-3 - Kim Lee - Nov 20, 2026 700 PM - answers.py",  # 1 hour after it
    "roepat_LATE_94_501_answers.py",
)
DEADLINE = "2026-11-20T18:00"
ROSTER = """\
id,name,group,extension,excused,submission
100,Jane Doe,Blue,,,
101,Jim Roe,,,,
102,Kim Lee,Blue,,,
103,Ada Absent,,,,
104,Eve Excused,,,yes,
"""


class Lecturer:
    """A lecturer with a graded class of four; all are right, and all answers wait for a mark."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self.out = folder, out
        self.roster = out.parent / "roster.csv"
        self.rubric = folder / "rubric.yaml"

    def grade(self, *words: str, path: Path | None = None) -> Result:
        fixed = ["--rubric", str(self.rubric), "--profile", "unit", "--jobs", "1", "--out", str(self.out)]
        where = str(path or self.folder / "class")
        wide = {"COLUMNS": "200"}
        return CliRunner().invoke(app, ["grade", where, *fixed, *words], env=wide, catch_exceptions=False)

    def only_scores(self, *words: str, status: int = 0) -> Result:
        """Grade again, and check that no submission was opened and no worker started."""
        for log in (self.out / ".gengrade").glob("worker-*.log"):
            log.unlink()
        facts = {path: path.read_bytes() for path in self.out.glob("*/facts.json")}
        result = self.grade(*words)
        assert result.exit_code == status, result.output
        assert {path: path.read_bytes() for path in self.out.glob("*/facts.json")} == facts
        assert not list((self.out / ".gengrade").glob("worker-*.log")), "no worker was started"
        return result

    def with_roster(self, text: str, *words: str, status: int = 0) -> Result:
        self.roster.write_text(text)
        return self.only_scores("--roster", str(self.roster), *words, status=status)

    def result(self, student: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / student / "grade.json").read_text())
        return found

    def cost(self, student: str) -> tuple[bool | None, float, float]:
        grade = self.result(student)
        return grade["late"], grade["penalty"], grade["total"]

    def book(self) -> dict[str, dict[str, str]]:
        text = (self.out / "gradebook.csv").read_text(encoding="utf-8-sig")
        return {row["Student"] or row["Submission"]: row for row in csv.DictReader(io.StringIO(text))}

    def index(self) -> str:
        return re.sub(r"<[^>]*>", "", (self.out / "index.html").read_text())

    def report(self, student: str) -> str:
        return re.sub(r"<[^>]*>", "", (self.out / student / "report.html").read_text())


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, workbench: Workbench) -> Path:
    """A class that was graded once for all tests, without a roster and without a deadline."""
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    folder = tmp_path_factory.mktemp("people")
    (folder / "class").mkdir()
    for name in CLASS:
        shutil.copy(REFERENCE / "answers.py", folder / "class" / name)
    time.sleep(2.1)  # what was handed in just now might still change without a later time
    lecturer = Lecturer(folder, folder / "results")
    lecturer.rubric.write_text(LATE + RUBRIC)
    result = lecturer.grade()
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def lecturer(graded: Path, tmp_path: Path) -> Lecturer:
    """The graded class with results of its own. The class's files stay, since new ones would be read again."""
    shutil.copytree(graded / "results", tmp_path / "results")
    return Lecturer(graded, tmp_path / "results")


def test_without_a_deadline_the_names_decide(lecturer: Lecturer) -> None:
    assert [lecturer.result(each)["late"] for each in (JANE, JIM, KIM, PAT)] == [None, None, None, True]
    lateness = lecturer.result(PAT)["lateness"]
    assert (lateness["source"], lateness["seconds"], lateness["share"]) == ("name", None, None)
    row = lecturer.book()[PAT]
    assert (row["Late"], row["Late by (days)"], row["Penalty"], row["Total"]) == ("yes", "", "", "")
    assert "it is late, but it is not known by how much" in lecturer.index()
    assert lecturer.book()[JANE]["Penalty"] == "0"
    assert "late" not in json.loads((lecturer.out / PAT / "facts.json").read_text())


def test_a_deadline_only_scores_and_is_remembered(lecturer: Lecturer) -> None:
    result = lecturer.only_scores("--deadline", DEADLINE)
    assert lecturer.cost(JANE) == (False, 0, 3)
    assert lecturer.cost(JIM) == (True, 0.6, 2.4), "two begun days, of the 3 points that are not pending"
    assert lecturer.cost(KIM) == (True, 0.3, 2.7)
    assert lecturer.result(JIM)["pending"] == 3
    assert lecturer.result(JIM)["lateness"]["seconds"] == 25 * 3_600
    assert lecturer.result(JIM)["lateness"]["source"] == "deadline"
    row = lecturer.book()[JIM]
    assert (row["Late"], row["Late by (days)"], row["Penalty"], row["Settled points"]) == ("yes", "1.04", "0.6", "3")
    line = next(line for line in result.stdout.splitlines() if line.startswith("Jim Roe"))
    assert line.split()[2:] == [JIM, "3", "/", "6", "0", "3", "1", "day", "1", "h", "0.6", "2.4"]
    report = lecturer.report(JIM)
    assert "no, 1 day 1 h late" in report
    assert "2 begun days, 10 % of the points each" in report
    assert "−0.6 for handing in late" in report
    assert "1 day 1 h" in lecturer.index()
    lecturer.only_scores()
    assert lecturer.cost(JIM) == (True, 0.6, 2.4)
    lecturer.only_scores("--deadline", "none")
    assert lecturer.cost(JIM) == (None, 0, 3)


def test_an_extension_only_scores(lecturer: Lecturer) -> None:
    lecturer.with_roster(ROSTER, "--deadline", DEADLINE)
    assert lecturer.cost(JIM) == (True, 0.6, 2.4)
    lecturer.roster.write_text(ROSTER.replace("Jim Roe,,,", "Jim Roe,,2026-11-21T18:30,"))
    lecturer.only_scores()
    assert lecturer.cost(JIM) == (True, 0.3, 2.7), "half an hour late"
    assert lecturer.result(JIM)["lateness"]["source"] == "roster"
    lecturer.roster.write_text(ROSTER.replace("Jim Roe,,,", "Jim Roe,,2,"))
    lecturer.only_scores()
    assert lecturer.cost(JIM) == (False, 0, 3)
    lecturer.roster.write_text(ROSTER.replace("Jim Roe,,,", "Jim Roe,,,excused"))
    lecturer.only_scores()
    assert lecturer.cost(JIM) == (False, 0, 3)
    assert lecturer.book()["101"]["Status"] == "excused"
    assert "excused" in lecturer.report(JIM)


def test_a_roster_names_everybody(lecturer: Lecturer) -> None:
    text = ROSTER.replace("102,Kim Lee,Blue", "102,Kim Lee,").replace("Jane Doe,Blue,", "Jane Doe,Blue,")
    result = lecturer.with_roster(text, "--deadline", DEADLINE)
    book = lecturer.book()
    assert {id_: (row["Name"], row["Status"], row["Submission"]) for id_, row in book.items()} == {
        "100": ("Jane Doe", "graded", JANE),
        "101": ("Jim Roe", "graded", JIM),
        "102": ("Kim Lee", "graded", KIM),
        "103": ("Ada Absent", "nothing handed in", ""),
        "104": ("Eve Excused", "excused", ""),
        PAT: ("roepat", "not in the roster", PAT),
    }
    assert set(list(book["103"].values())[5:]) == {""}
    assert book["101"]["3.1 A density (6)"] == book["101"]["Total"] == "", "the derivation is not marked"
    assert "1 of 5 handed in nothing: Ada Absent" in result.stdout
    assert f"in no row of the roster: {PAT}" in result.stdout
    index = lecturer.index()
    for words in ("Nothing handed in", "Ada Absent", "Eve Excused", "In no row of the roster", "Jim Roe"):
        assert words in index
    assert "Jim Roe" in lecturer.report(JIM)
    sheet = openpyxl.load_workbook(lecturer.out / "gradebook.xlsx").active
    assert [cell.value for cell in list(sheet.iter_rows())[1]][:5] == ["100", "Jane Doe", "Blue", JANE, "graded"]


def test_two_members_of_a_group_who_handed_in_are_unclear(lecturer: Lecturer) -> None:
    """Jane and Kim are of one group, so that their points count for nobody until the roster names one submission."""
    result = lecturer.with_roster(ROSTER, "--deadline", DEADLINE)
    said = f"{JANE}, {KIM} are all of the group Jane Doe (line 2), Kim Lee (line 4)"
    assert said in result.stdout
    assert said in lecturer.index()
    book = lecturer.book()
    assert [book[each]["Status"] for each in ("100", "102", JANE, KIM)] == ["unclear"] * 4
    assert book["100"]["Settled points"] == ""
    lecturer.roster.write_text(ROSTER.replace("Kim Lee,Blue,,,", f"Kim Lee,Blue,1,,{KIM}"))
    lecturer.only_scores()
    book = lecturer.book()
    assert [book[each]["Submission"] for each in ("100", "102")] == [KIM, KIM]
    assert book[JANE]["Status"] == "does not count"
    assert [book[each]["Penalty"] for each in ("100", "102")] == ["0.3", "0"], "each has their own lateness"
    assert [book[each]["Settled points"] for each in ("100", "102")] == ["3", "3"]
    grade = lecturer.result(KIM)
    assert (grade["late"], grade["penalty"], grade["total"]) == (None, 0, 3)
    assert [(each["id"], each["penalty"], each["total"]) for each in grade["people"]] == [
        ("100", 0.3, 2.7),
        ("102", 0, 3),
    ]
    report = lecturer.report(KIM)
    assert "Jane Doe &amp; Kim Lee" in report
    assert "differs among the members of the group" in report
    assert "−0.3" not in report
    assert "2.7" not in report, "nobody reads there what another one has"


def test_a_wrong_roster_stops_nothing_and_loses_nothing(lecturer: Lecturer) -> None:
    lecturer.with_roster(ROSTER.replace("Jim Roe,,,", "Jim Roe,,2,"), "--deadline", DEADLINE)
    book = lecturer.book()
    wrong = ROSTER.replace("Jim Roe,,,", "Jim Roe,,soon,").replace("104,", "103,").replace("yes", "perhaps")
    result = lecturer.with_roster(wrong, status=2)
    said = " ".join(result.stdout.split())
    assert "roster.csv, line 3: " in said
    assert "“soon” is neither a time nor a number of days" in said
    assert "roster.csv, line 6: " in said
    assert "what was read from it before stands" in said
    assert lecturer.book() == book
    assert lecturer.cost(JIM) == (False, 0, 3)
    lecturer.roster.unlink()
    result = lecturer.only_scores(status=2)
    assert "the roster cannot be read" in result.stdout
    assert lecturer.book() == book
    lecturer.only_scores("--roster", "none")
    assert "103" not in lecturer.book()
    assert lecturer.book()[JIM]["Penalty"] == "0.6", "the deadline is still known"


def test_a_first_roster_that_is_wrong_stops_nothing(lecturer: Lecturer) -> None:
    result = lecturer.with_roster("name\nJane Doe\n", status=2)
    assert 'there is no column "id"' in result.stdout
    assert [row["Status"] for row in lecturer.book().values()] == ["graded"] * 4
    lecturer.with_roster("id,submission\n100,Jan\n", status=2)
    assert set(lecturer.book()) == {"100", JANE, JIM, KIM, PAT}
    assert [row["Student"] for row in lecturer.book().values()] == ["100", "", "", "", ""]


def test_a_roster_that_names_a_submission_that_is_not_there_is_not_taken_over(lecturer: Lecturer) -> None:
    lecturer.with_roster(f"id,submission\n100,{JANE}\n101,{JIM}\n")
    book = lecturer.book()
    assert book["100"]["Status"] == "graded"
    result = lecturer.with_roster(f"id,submission\n100,{JANE}x\n101,{JIM}\n", status=2)
    assert "what was read from it before stands" in " ".join(result.stdout.split())
    assert lecturer.book() == book
    result = lecturer.only_scores(status=2)  # the next run names it again, and goes on with what it knows
    assert lecturer.book() == book


def test_the_marking_room_knows_the_people(lecturer: Lecturer) -> None:
    """Whoever marks blind reads neither a name nor a number of the roster; and the roster is kept from students."""
    lecturer.with_roster("id,name,login\n101,Jim Roe,u4711\n")
    graded = graded_class(lecturer.out)
    assert graded.known_as(JIM) == "Jim Roe & 101 & u4711"
    names = Names({JIM: graded.known_as(JIM), KIM: graded.known_as(KIM)}, graded.seal, blind=True)
    assert names.hidden("Solved by Jim Roe, u4711, 2026", JIM) == "Solved by ███ ███, █████, 2026"
    course, _ = chosen(None, lecturer.rubric)
    assert lecturer.roster.resolve() in [each.path for each in kept_of_class(graded, course, [])]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--deadline", "friday"), "--deadline friday: it is not a time"),
        (("--roster", "nowhere.csv"), "--roster nowhere.csv: there is no such file"),
    ],
)
def test_what_the_command_cannot_use_is_refused_first(lecturer: Lecturer, words: tuple[str, ...], reason: str) -> None:
    result = lecturer.grade(*words)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_marks_and_single_runs_keep_the_people(lecturer: Lecturer) -> None:
    lecturer.with_roster(ROSTER, "--deadline", DEADLINE)
    words = ["marks", "give", "101", "derivation", "3", "--out", str(lecturer.out)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert lecturer.cost(JIM) == (True, 1.2, 4.8), "20 % of all 6 points, now that they are settled"
    row = lecturer.book()["101"]
    assert (row["Total"], row["Penalty"], row["Status"]) == ("4.8", "1.2", "graded")
    assert lecturer.book()["103"]["Status"] == "nothing handed in"
    assert "Ada Absent" in lecturer.index()
    lecturer.grade(path=lecturer.folder / "class" / CLASS[1])
    assert lecturer.cost(JIM) == (True, 1.2, 4.8)
    lecturer.only_scores()
    assert lecturer.book()["101"] == row


def test_results_of_earlier_versions_are_read(lecturer: Lecturer) -> None:
    """Then, lateness was among the facts, and nothing was known about people."""
    seal = authority([]).seal
    facts = json.loads(seal.opened_json("facts", PAT, (lecturer.out / PAT / "facts.json").read_bytes()) or "")
    old = json.dumps({**facts, "late": True})
    assert Facts.model_validate_json(old) == Facts.model_validate(facts)
    (lecturer.out / PAT / "facts.json").write_text(seal.sealed_json("facts", PAT, old))
    grade = lecturer.result(PAT)
    for key in ("lateness", "people"):
        del grade[key]
    (lecturer.out / PAT / "grade.json").write_text(json.dumps(grade))
    assert Grade.read(lecturer.out / PAT / "grade.json").late is True
    place = lecturer.out / ".gengrade" / "class.json"
    record = json.loads(seal.opened_json("class", "", place.read_bytes()) or "")
    del record["people"]
    place.write_text(seal.sealed_json("class", "", json.dumps(record)))
    graded = graded_class(lecturer.out)
    scored = rescore(graded, PAT, None)
    assert scored is not None
    assert (scored.late, scored.lateness.source) == (True, "name")
    assert lecturer.grade().exit_code == 0
    assert lecturer.result(PAT)["late"] is True
