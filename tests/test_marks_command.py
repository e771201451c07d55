"""Marking as teaching assistants do it: by command, by files, after changes of the rubric and of the class."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from gengrade.cli import app
from gengrade.engine import graded_class
from gengrade.marks import Change, Mark, opened
from gengrade.marks.amendments import Proposal, apply, planned
from gengrade.marks.model import SECOND
from gengrade.rubric import Rubric
from gengrade.sandbox import Tier
from tests.support.marked import RUBRIC
from validation.workbench import REFERENCE, Workbench


class Marker:
    """A teaching assistant with a graded class of two: `Ada_11`, who is right, and `Bob_22`, who is wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "results"
        self.marks = self.out / "marks"
        self.rubric = folder / "rubric.yaml"

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["marks", *words, "--out", str(self.out)], catch_exceptions=False)

    def grade(self) -> Result:
        words = ["grade", str(self.folder / "class"), "--rubric", str(self.rubric), "--profile", "unit", "--jobs", "1"]
        return CliRunner().invoke(app, [*words, "--out", str(self.out)], catch_exceptions=False)

    def item(self, student: str, item: str) -> dict[str, Any]:
        grade = json.loads((self.out / student / "grade.json").read_text())
        items = [item for question in grade["questions"] for item in question["items"]]
        return next(each for each in items if each["id"] == item)

    def points(self, student: str, item: str = "derivation") -> tuple[float, float]:
        found = self.item(student, item)
        return found["points"], found["pending"]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, workbench: Workbench) -> Path:
    """A class that was graded once for all tests."""
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    folder = tmp_path_factory.mktemp("graded")
    for name in ("Ada_11_12_answers.py", "Bob_22_23_answers.py"):
        (folder / "class").mkdir(exist_ok=True)
        source = (REFERENCE / "answers.py").read_text()
        (folder / "class" / name).write_text(source if "Ada" in name else source.replace("3 * x**2", "2 * x**2"))
    marker = Marker(folder)
    marker.rubric.write_text(RUBRIC)
    result = marker.grade()
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def marker(graded: Path, tmp_path: Path) -> Iterator[Marker]:
    """The graded class, in the state that it had before any mark."""
    kept = tmp_path / "kept"
    shutil.copytree(graded, kept)
    yield Marker(graded)
    shutil.rmtree(graded)
    shutil.copytree(kept, graded)


def test_a_mark_counts_at_once_in_every_page(marker: Marker) -> None:
    assert marker.points("Ada_11") == (0, 3)
    result = marker.run("give", "Ada_11", "derivation", "--criteria", "integral", "--comment", "Which steps?")
    assert (result.exit_code, result.stdout) == (0, "Ada_11: 5 of 6 points, 0 pending\n")
    assert marker.points("Ada_11") == (2, 0)
    report = (marker.out / "Ada_11" / "report.html").read_text()
    assert "Which steps?" in report
    assert "The integral" in report
    assert "0 of 1" in report, "the criterion that was not met"
    assert ",5," in (marker.out / "gradebook.csv").read_text()
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (2, 0)


def test_a_name_that_one_student_has_will_do(marker: Marker) -> None:
    assert marker.run("give", "Ada", "derivation", "1").exit_code == 0
    assert marker.points("Ada_11") == (1, 0)
    assert marker.run("give", "bob", "derivation", "2").exit_code == 0
    assert marker.points("Bob_22") == (2, 0)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("give", "Adda", "derivation", "1"), 'no student has the id "Adda"'),
        (("give", "Ada_11", "derivatoin", "1"), 'no item "derivatoin" (did you mean "derivation"?)'),
        (("give", "Ada_11", "derivation", "4"), "exceed its maximum of 3"),
        (("give", "Ada_11", "derivation"), "give points, criteria or a comment"),
        (("give", "Ada_11", "derivation", "1.001"), "is no number of points"),
        (("give", "Ada_11", "derivation", "inf"), "is no number of points"),
        (("give", "Ada_11", "derivation", "1,5"), "write 1.5"),
        (("import", "Ada_1.yaml"), "Ada_11"),
        (("give", "Bobb_22", "derivation", "1"), "Bob_22"),
        (("confirm", "derivation", "Cyd"), 'no student has the id "Cyd"'),
        (("move", "Ada_11", "Ada_11"), "is the same student"),
        (("export", "/proc/nowhere/marks.csv"), "cannot be written"),
        (("export", "marks.xlsx"), "ends in .csv, or a folder"),
        (("give", "Ada_11", "derivation", "--criteria", "step"), "it has steps, integral"),
        (("give", "Ada_11", "derivation", "3", "--criteria", "steps"), "add up to 1 and not to 3"),
        (("withdraw", "Ada_11", "derivation"), "has no mark"),
        (("undo", "Ada_11", "derivation"), "no change"),
        (("confirm", "derivation"), "no mark"),
        (("history", "Ada_11"), "has no marks"),
        (("move", "Cyd_3", "Ada_11"), "Cyd_3 has no marks"),
        (("import", "nowhere.csv"), "cannot be read"),
        (("import", "marks.txt"), "neither a .csv file nor named by a student's id"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(words: tuple[str, ...], reason: str, marker: Marker) -> None:
    result = marker.run(*words)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert marker.points("Ada_11") == (0, 3)


def test_points_keep_the_comment_and_a_comment_keeps_the_points(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "--criteria", "steps", "--comment", "Which integral?")
    marker.run("give", "Ada_11", "derivation", "--criteria", "steps,integral,steps")
    item = marker.item("Ada_11", "derivation")
    assert (item["points"], item["comment"], len(item["marks"][0]["criteria"])) == (3, "Which integral?", 2)
    marker.run("give", "Ada_11", "derivation", "--comment", "Good.")
    item = marker.item("Ada_11", "derivation")
    assert (item["points"], item["comment"]) == (3, "Good.")
    marker.run("give", "Ada_11", "derivation", "--comment", "")
    item = marker.item("Ada_11", "derivation")
    assert (item["points"], item["comment"]) == (3, "")


def test_a_result_is_replaced_with_a_reason_only(marker: Marker) -> None:
    result = marker.run("give", "Bob_22", "theory.cubic_density", "3")
    assert "needs a reason" in result.stdout
    assert marker.points("Bob_22", "theory.cubic_density") == (0, 0)
    assert "needs a reason" in marker.grade().stdout
    marker.run("give", "Bob_22", "theory.cubic_density", "1", "--comment", "A slip of the pen.")
    assert marker.points("Bob_22", "theory.cubic_density") == (1, 0)
    assert (
        "replaces the automatic result, which was 0 of 3 points" in (marker.out / "Bob_22" / "report.html").read_text()
    )
    assert "A slip of the pen." in (marker.out / "index.html").read_text()
    assert "marks replace automatic results: Bob_22 theory.cubic_density: 1 of 3" in marker.grade().stdout


def test_a_mark_is_taken_back_and_the_history_says_so(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "1", "--by", "Ann")
    marker.run("give", "Ada_11", "derivation", "2", "--by", "Bea")
    assert marker.run("undo", "Ada_11", "derivation").exit_code == 0
    assert marker.points("Ada_11") == (1, 0)
    assert marker.run("withdraw", "Ada_11", "derivation").exit_code == 0
    assert marker.points("Ada_11") == (0, 3)
    lines = marker.run("history", "Ada_11", "derivation").stdout.splitlines()
    assert [line.partition("derivation: ")[2].split()[0] for line in lines] == ["1", "2", "1", "no"]
    assert [line[0] for line in lines] == [" ", " ", " ", "*"]
    assert "Ann" in lines[0]
    assert "Bea" in lines[1]


def test_a_changed_item_asks_for_its_marks_again_and_an_inserted_one_moves_none(marker: Marker) -> None:
    for student, points in (("Ada_11", "3"), ("Bob_22", "1")):
        marker.run("give", student, "derivation", points)
    text = RUBRIC.replace("points: 6", "points: 7").replace(
        "          - id: derivation",
        "          - {id: drawing, manual: A drawing, points: 1}\n          - id: derivation",
    )
    marker.rubric.write_text(text)
    refused = marker.run("give", "Ada_11", "derivation", "1")
    assert refused.exit_code == 2
    assert "has changed since" in refused.stderr
    assert marker.grade().exit_code == 0
    assert (marker.points("Ada_11"), marker.points("Ada_11", "drawing")) == ((3, 0), (0, 1))
    marker.rubric.write_text(text.replace("manual: The derivation", "manual: The whole derivation"))
    told = marker.grade()
    assert "derivation: earlier wording" in told.stdout
    assert marker.points("Ada_11") == (0, 3)
    index = (marker.out / "index.html").read_text()
    assert "“The derivation” (3 points). Now it is “The whole derivation”" in index
    assert "earlier wording" not in (marker.out / "Ada_11" / "report.html").read_text()
    assert marker.run("confirm", "derivation", "Bob_22").exit_code == 0
    assert (marker.points("Ada_11"), marker.points("Bob_22")) == ((0, 3), (1, 0))
    assert marker.run("confirm", "derivation").exit_code == 0
    assert marker.points("Ada_11") == (3, 0)


def test_points_beyond_an_items_new_maximum_are_not_confirmed(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "3")
    smaller = RUBRIC.replace("points: 6", "points: 5").replace("            points: 3", "            points: 2")
    marker.rubric.write_text(smaller.replace("integral, points: 2", "integral, points: 1"))
    assert marker.grade().exit_code == 0
    result = marker.run("confirm", "derivation")
    assert result.exit_code == 2
    assert "exceed its maximum of 2" in result.stderr
    assert "nothing was confirmed" in result.stderr


def test_files_of_marks_are_read_with_the_next_run(marker: Marker) -> None:
    marker.marks.mkdir()
    (marker.marks / "Ada_11.yaml").write_text("derivation: 2\n")
    (marker.marks / "Bob.yaml").write_text("derivation: 2\n")
    (marker.marks / "Bob_22.yaml").write_text("derivation: 2,5\ntheory.cubic: 1\n")
    told = marker.grade()
    assert told.exit_code == 2
    assert "Bob.yaml: its marks count for nobody; put its lines into Bob_22.yaml" in told.stdout
    assert "Bob_22.yaml, line 1: " in told.stdout
    assert "write 2.5" in told.stdout
    assert 'Bob_22.yaml, line 2: the rubric has no item "theory.cubic"' in told.stdout
    assert (marker.points("Ada_11"), marker.points("Bob_22")) == ((2, 0), (0, 3)), (
        "one bad file does not stop the class"
    )
    (marker.marks / "Bob.yaml").unlink()
    (marker.marks / "Bob_22.yaml").write_text("derivation: 2.5\n")
    assert marker.grade().exit_code == 0
    assert marker.points("Bob_22") == (2.5, 0)


def test_a_table_goes_out_and_comes_back(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "--criteria", "steps")
    marker.run("give", "Bob_22", "derivation", "3", "--comment", 'All, "really";\nall')
    table = marker.folder / "marks.csv"
    assert "Wrote 2 marks" in marker.run("export", str(table)).stdout
    assert marker.run("import", str(table)).stdout == "No mark was changed.\n"
    assert "is there already" in marker.run("export", str(table)).stderr
    table.write_text(table.read_text().replace("Bob_22,derivation,3", "Bob_22,derivation,2"))
    marker.run("give", "Ada_11", "derivation", "3")
    assert marker.run("import", str(table)).stdout == "Bob_22: 2 of 6 points, 0 pending\n"
    assert marker.points("Ada_11") == (3, 0), "the table is older than this mark"
    assert marker.item("Bob_22", "derivation")["comment"] == 'All, "really";\nall'
    folder = marker.folder / "typed"
    assert "2 students" in marker.run("export", str(folder)).stdout
    (folder / "Ada_11.yaml").write_text("derivation: 1\n")
    assert "Ada_11: 4 of 6" in marker.run("import", str(folder)).stdout
    (folder / "Ada_11.yaml").write_text("")
    told = marker.run("import", str(folder)).stdout
    assert "Ada_11: took back derivation, whose lines were removed" in told
    assert marker.points("Ada_11") == (0, 3)


@pytest.mark.slow
def test_marks_of_another_assignment_or_place_are_not_taken(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "2")
    marker.rubric.write_text(RUBRIC.replace("A small one", "A large one"))
    told = marker.grade()
    assert told.exit_code == 2
    assert "“A small one”" in told.stderr
    assert "“A large one”" in marker.run("adopt").stdout
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (2, 0)
    (marker.folder / "marks").mkdir()
    (marker.folder / "marks" / "Ada_11.yaml").write_text("derivation: 0\n")
    told = marker.grade()
    assert told.exit_code == 2
    assert "marks are not read there" in told.stdout
    assert marker.points("Ada_11") == (2, 0)


def test_a_renamed_student_keeps_the_marks(marker: Marker) -> None:
    marker.run("give", "Bob_22", "derivation", "2")
    (marker.folder / "class" / "Bob_22_23_answers.py").rename(marker.folder / "class" / "Bo_22_23_answers.py")
    told = marker.grade()
    assert told.exit_code == 2
    assert "Bob_22: no submission has this id, so its mark counts for nobody" in told.stdout
    assert "gengrade marks move Bob_22 Bo_22" in told.stdout
    assert marker.run("move", "Bob_22", "Bo_22").exit_code == 0
    assert marker.points("Bo_22") == (2, 0)
    assert marker.grade().exit_code == 0


def _amend(marker: Marker, criterion: str, text: str, points: float) -> None:
    """Change a criterion as the marking room does."""
    graded = graded_class(marker.out)
    proposal = Proposal("derivation", criterion, text, points)
    with graded.open_marks() as store:
        digest = planned(store, graded.rubric, proposal).digest
        apply(store, graded.rubric, proposal, digest=digest, by="Tim", source="marking room")


def test_criteria_that_were_changed_while_marking_count_until_the_rubric_has_them(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "--criteria", "integral")
    _amend(marker, "integral", "the integral over x", 2.5)
    _amend(marker, "", "the constant", 0.5)
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (2.5, 0)
    assert "change 2 for all students" in marker.run("undo", "Ada_11", "derivation").stderr
    assert "The integral over x" in (marker.out / "Ada_11" / "report.html").read_text()
    marker.run("give", "Bob_22", "derivation", "--criteria", "integral,constant")
    assert marker.points("Bob_22") == (3, 0)
    (marker.marks / "Bob_22.yaml").write_text("derivation: {criteria: [integral, constant]}\n")
    assert marker.grade().exit_code == 0, "files may name the new criterion"
    assert marker.points("Bob_22") == (3, 0)
    shown = CliRunner().invoke(app, ["rubric", "amended", str(marker.out)])
    assert yaml.safe_load(shown.stdout)["derivation"]["criteria"][1:] == [
        {"id": "integral", "text": "the integral over x", "points": 2.5},
        {"id": "constant", "text": "the constant", "points": 0.5},
    ]
    assert "“the constant” (+0.5) was added" in marker.run("changes").stdout
    lines = "".join(f"  {line}\n" for line in shown.stdout.splitlines()[1:])
    own = RUBRIC[: RUBRIC.index("            criteria:")] + textwrap.indent(lines, " " * 8)
    marker.rubric.write_text(own)
    told = marker.grade()
    assert (told.exit_code, marker.points("Ada_11")) == (0, (2.5, 0))
    assert "do not count" not in told.stdout
    assert "those of the rubric" in CliRunner().invoke(app, ["rubric", "amended", str(marker.out)]).stdout
    refused = marker.run("revoke", "2")
    assert (refused.exit_code, "has these criteria itself" in refused.stderr) == (2, True)
    marker.rubric.write_text(own.replace("over x", "over z"))
    told = marker.grade()
    assert "do not count" not in told.stdout, "the rubric had taken them over"
    assert marker.points("Ada_11") == (0, 3)


def test_changes_that_do_not_fit_the_rubric_any_more_are_named_and_taken_back(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "--criteria", "integral")
    _amend(marker, "integral", "the integral", 2.5)
    marker.run("give", "Bob_22", "derivation", "--criteria", "steps")
    marker.rubric.write_text(RUBRIC.replace("the steps", "all steps"))
    told = marker.grade()
    assert "so these changes do not count any more: see gengrade marks changes" in " ".join(told.stdout.split())
    assert told.stdout.count("do not count any more") == 1
    assert (marker.points("Ada_11"), marker.points("Bob_22")) == ((0, 3), (0, 3))
    assert "do not count" in CliRunner().invoke(app, ["rubric", "amended", str(marker.out)]).stderr
    result = marker.run("revoke", "1")
    assert result.exit_code == 0, result.output
    assert "Bob_22: left as it is, since it was marked since" in result.stdout
    assert "do not count" not in marker.grade().stdout
    marker.rubric.write_text(RUBRIC)
    assert marker.grade().exit_code == 0
    assert (marker.points("Ada_11"), marker.points("Bob_22")) == ((2, 0), (0, 3))
    for words in (("revoke", "1"), ("revoke", "99")):
        assert marker.run(*words).exit_code == 2


def test_a_class_without_changes_says_so(marker: Marker) -> None:
    assert "no criterion and no comment" in marker.run("changes").stderr
    marker.run("give", "Ada_11", "derivation", "1")
    result = CliRunner().invoke(app, ["rubric", "amended", str(marker.out)])
    assert (result.exit_code, result.stdout) == (0, "# The criteria are those of the rubric.\n")


def test_a_question_of_a_student_is_entered_answered_and_told(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "2")
    assert "Question 1\n" in marker.run("ask", "Ada", "derivation", "Why not 3?").stdout
    assert "asked “Why not 3?” at 2 points  (question 1)" in marker.run("questions").stdout
    marker.run("give", "Ada_11", "derivation", "3")
    assert marker.run("answer", "1", "You are right.").exit_code == 0
    assert marker.run("questions").stdout == ""
    assert "You are right." in marker.run("questions", "--all").stdout
    report = (marker.out / "Ada_11" / "report.html").read_text()
    assert "2 before, 3 after the answer" in report
    lines = marker.run("history", "Ada_11", "derivation").stdout.splitlines()
    assert [line[0] for line in lines] == [" ", "?", "*", "!"]
    assert marker.grade().exit_code == 0
    assert "You are right." in (marker.out / "Ada_11" / "report.html").read_text()
    assert marker.run("answer", "1", "--mistake").exit_code == 0
    assert "You are right." not in (marker.out / "Ada_11" / "report.html").read_text()
    for words in (("answer", "9", "x"), ("ask", "Ada", "derivation", " "), ("ask", "Ada", "nothing", "x")):
        assert marker.run(*words).exit_code == 2


def test_a_mark_for_earlier_files_waits_to_be_confirmed(marker: Marker) -> None:
    report = marker.folder / "class" / "Ada_11_13_report.pdf"
    report.write_bytes(b"%PDF-1.4 first")
    assert marker.grade().exit_code == 0
    marker.run("give", "Ada_11", "derivation", "2")
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (2, 0)
    before = json.loads((marker.out / "Ada_11" / "grade.json").read_text())["provenance"]

    report.write_bytes(b"%PDF-1.4 second")
    assert marker.points("Ada_11") == (2, 0), "the report is not written again before the class is graded"
    result = marker.grade()
    assert "derivation: earlier files" in result.output
    after = json.loads((marker.out / "Ada_11" / "grade.json").read_text())["provenance"]
    assert after["content"] != before["content"]
    assert marker.points("Ada_11") == (0, 3)
    assert "was given for what was handed in before" in marker.item("Ada_11", "derivation")["cause"]

    assert marker.run("confirm", "all").exit_code == 0
    assert marker.points("Ada_11") == (2, 0)
    assert "no mark waits to be confirmed" in marker.run("confirm", "all").output
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (2, 0)
    # The mark as it was before it was confirmed is one for the earlier files again.
    assert marker.run("undo", "Ada_11", "derivation").exit_code == 0
    assert marker.points("Ada_11") == (0, 3)
    # With the earlier files, it needs no confirming; other names around them change nothing.
    report.unlink()
    (marker.folder / "class" / "Ada_11_14_report.pdf").write_bytes(b"%PDF-1.4 first")
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (2, 0)


def test_a_mark_in_a_file_is_for_what_its_author_could_read(marker: Marker) -> None:
    code = marker.folder / "class" / "Ada_11_12_answers.py"
    (marker.marks).mkdir(exist_ok=True)
    (marker.marks / "Ada_11.yaml").write_text("derivation: 2\n")
    code.write_text(code.read_text() + "\n# handed in again after the file was written\n")
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (0, 3)
    (marker.marks / "Ada_11.yaml").write_text("derivation: 1\n")
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (1, 0)


@pytest.mark.slow
def test_a_mark_that_was_given_before_the_first_run_is_for_what_was_there(marker: Marker) -> None:
    shutil.rmtree(marker.out)
    marker.marks.mkdir(parents=True)
    (marker.marks / "Ada_11.yaml").write_text("derivation: 2\n")
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (2, 0)
    code = marker.folder / "class" / "Ada_11_12_answers.py"
    code.write_text(code.read_text() + "\n# handed in again\n")
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (0, 3)


def test_an_exported_table_says_for_which_files_its_marks_are(marker: Marker, tmp_path: Path) -> None:
    marker.run("give", "Ada_11", "derivation", "2")
    table = tmp_path / "marks.csv"
    assert marker.run("export", str(table)).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert rows[0]["files"].startswith("sha256:")
    code = marker.folder / "class" / "Ada_11_12_answers.py"
    code.write_text(code.read_text() + "\n# handed in again\n")
    assert marker.grade().exit_code == 0
    # Points that were changed in the table are for what its reader had read.
    table.write_text(table.read_text().replace("derivation,2,", "derivation,1,"))
    assert marker.run("import", str(table)).exit_code == 0
    assert marker.points("Ada_11") == (0, 3)
    assert marker.item("Ada_11", "derivation")["mark_state"] == "earlier files"
    assert marker.item("Ada_11", "derivation")["marks"][0]["points"] == 1
    # The same in results that know nothing of the mark.
    (marker.marks / "marks.sqlite").unlink()
    assert marker.run("import", str(table)).exit_code == 0
    assert marker.item("Ada_11", "derivation")["mark_state"] == "earlier files"
    wrong = table.with_name("wrong.csv")
    wrong.write_text(table.read_text().replace("sha256:", "sha256 "))
    assert "is no hash of files" in marker.run("import", str(wrong)).stderr


def test_the_same_mark_for_new_files_is_no_conflict_with_itself(marker: Marker, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("student,item,points\nAda_11,derivation,2\n")
    assert marker.run("import", str(table)).exit_code == 0
    code = marker.folder / "class" / "Ada_11_12_answers.py"
    code.write_text(code.read_text() + "\n# handed in again\n")
    assert marker.grade().exit_code == 0
    assert "No mark was changed." in marker.run("import", str(table)).output
    item = marker.item("Ada_11", "derivation")
    assert item["mark_state"] == "earlier files"
    (command,) = re.findall(r"gengrade marks (confirm .*)$", item["cause"])
    assert marker.run(*command.split()).exit_code == 0
    assert marker.points("Ada_11") == (2, 0)


def test_a_table_of_ones_own_is_corrected_as_often_as_one_likes(marker: Marker, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    for points in ("2", "1", "2.5"):
        table.write_text(f"student,item,points\nAda_11,derivation,{points}\n")
        assert marker.run("import", str(table)).exit_code == 0
        assert marker.points("Ada_11") == (float(points), 0)
    # What somebody else has changed meanwhile stays as long as the row says what it said.
    assert marker.run("give", "Ada_11", "derivation", "0.5").exit_code == 0
    assert "No mark was changed." in marker.run("import", str(table)).output
    assert marker.points("Ada_11") == (0.5, 0)
    table.write_text("student,item,points\nAda_11,derivation,3\n")
    assert marker.run("import", str(table)).exit_code == 0
    assert marker.item("Ada_11", "derivation")["mark_state"] == "conflict"


def test_an_emptied_row_takes_its_mark_back(marker: Marker, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("student,item,points\nAda_11,derivation,2\n")
    marker.run("import", str(table))
    table.write_text("student,item,points\nAda_11,derivation,\n")
    assert marker.run("import", str(table)).exit_code == 0
    assert marker.points("Ada_11") == (0, 3)


def test_an_exported_table_is_corrected_twice(marker: Marker, tmp_path: Path) -> None:
    table = tmp_path / "marks.csv"
    marker.run("give", "Ada_11", "derivation", "2")
    assert marker.run("export", str(table)).exit_code == 0
    for before, points in (("2", "1"), ("1", "2.5")):
        table.write_text(table.read_text().replace(f"derivation,{before},", f"derivation,{points},"))
        assert marker.run("import", str(table)).exit_code == 0
        assert marker.points("Ada_11") == (float(points), 0)


def test_two_rows_for_one_item_are_a_mistake(marker: Marker, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("student,item,points\nAda_11,derivation,2\nAda_11,derivation,1\n")
    told = marker.run("import", str(table))
    assert told.exit_code == 2
    assert "own.csv, line 3: line 2 has a mark of Ada_11 for derivation already: remove one of them" in told.stderr
    assert marker.points("Ada_11") == (0, 3)


def test_a_mark_that_was_confirmed_is_corrected_in_the_file_that_gave_it(marker: Marker) -> None:
    file = marker.marks / "Ada_11.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("derivation: 2\n")
    assert marker.run("import", str(marker.marks)).exit_code == 0
    code = marker.folder / "class" / "Ada_11_12_answers.py"
    code.write_text(code.read_text() + "\n# handed in again\n")
    assert marker.grade().exit_code == 0
    assert marker.item("Ada_11", "derivation")["mark_state"] == "earlier files"
    assert marker.run("confirm", "all", "Ada_11").exit_code == 0
    file.write_text("derivation: 1\n")
    assert marker.run("import", str(marker.marks)).exit_code == 0
    assert marker.points("Ada_11") == (1, 0)


def test_a_moved_mark_counts_for_one_student_only_and_goes_back(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "2")
    assert marker.run("move", "Ada_11", "Bob_22").exit_code == 0
    assert marker.points("Ada_11") == (0, 3)
    assert marker.item("Bob_22", "derivation")["mark_state"] == "earlier files", "it was given for other files"
    assert marker.run("move", "Bob_22", "Ada_11").exit_code == 0
    assert marker.points("Ada_11") == (2, 0)
    assert marker.points("Bob_22") == (0, 3)


def _second(marker: Marker, points: float) -> None:
    """Let Bob give the second mark of Ada's derivation."""
    rubric = Rubric.load(marker.rubric)
    (entry,) = [entry for entry in rubric.entries() if entry.id == "derivation"]
    with opened(marker.marks, rubric.assignment) as store, store.transaction():
        change = Change("Ada_11", "derivation", Mark(points=points), entry.wording)
        store.add([change], by="Bob", source=SECOND)


@pytest.mark.parametrize(
    ("words", "found"),
    [(("give", "Ada_11", "derivation", "1"), (1, 0)), (("withdraw", "Ada_11", "derivation"), (0, 3))],
)
def test_who_changes_an_agreed_mark_changes_it_for_both_markers(
    words: tuple[str, ...], found: tuple[float, float], marker: Marker
) -> None:
    marker.run("give", "Ada_11", "derivation", "2")
    _second(marker, 2)
    assert marker.run(*words).exit_code == 0
    assert marker.item("Ada_11", "derivation")["mark_state"] != "conflict"
    assert marker.points("Ada_11") == found


def test_confirming_an_agreed_mark_keeps_the_agreement(marker: Marker) -> None:
    marker.run("give", "Ada_11", "derivation", "2")
    _second(marker, 2)
    marker.rubric.write_text(marker.rubric.read_text().replace("text: the integral", "text: the whole integral"))
    assert marker.grade().exit_code == 0
    assert marker.points("Ada_11") == (0, 3)
    assert marker.run("confirm", "derivation").exit_code == 0
    assert marker.points("Ada_11") == (2, 0)


def test_a_corrected_row_of_an_agreed_mark_is_no_conflict(marker: Marker, tmp_path: Path) -> None:
    marker.run("give", "Ada_11", "derivation", "2")
    _second(marker, 2)
    table = tmp_path / "marks.csv"
    assert marker.run("export", str(table)).exit_code == 0
    table.write_text(table.read_text().replace("derivation,2,", "derivation,1,"))
    assert marker.run("import", str(table)).exit_code == 0
    assert marker.points("Ada_11") == (1, 0)


def test_what_takes_nothing_back_says_so(marker: Marker, tmp_path: Path) -> None:
    table, other = tmp_path / "own.csv", tmp_path / "other.csv"
    for file, points in ((table, 1), (other, 2)):
        file.write_text(f"student,item,points\nAda_11,derivation,{points}\n")
        marker.run("import", str(file))
    assert marker.item("Ada_11", "derivation")["mark_state"] == "conflict"
    assert "several marks" in marker.run("undo", "Ada_11", "derivation").stderr
    told = marker.run("export", str(tmp_path / "yaml"))
    assert "Ada_11: left out, since there are several marks (a table holds all): derivation" in told.stderr
    table.write_text("student,item,points\nAda_11,derivation,\n")
    assert "derivation was not taken back, since another mark counts" in marker.run("import", str(table)).stdout


def test_a_release_is_made_by_the_marks_as_they_are(marker: Marker) -> None:
    """A marking room that was killed has kept its marks, and has not written what follows from them."""
    rubric = Rubric.load(marker.rubric)
    (entry,) = [entry for entry in rubric.entries() if entry.id == "derivation"]
    with opened(marker.marks, rubric.assignment) as store, store.transaction():
        store.add([Change("Ada_11", "derivation", Mark(points=2), entry.wording)], by="Tess", source="marking room")
    assert marker.points("Ada_11") == (0, 3)
    result = CliRunner().invoke(app, ["release", str(marker.out), "--partial"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert marker.points("Ada_11") == (2, 0)
    released = json.loads((marker.out / "releases" / "1" / "Ada_11" / "grade.json").read_text())
    assert released["total"] == 5
