"""What Canvas's own importers make of a filled gradebook and of an archive of reports."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from gengrade.engine import UsageError
from gengrade.people import Status
from gengrade.publish.entries import Entry
from gengrade.publish.model import System, Wishes
from gengrade.publish.published import Log, Once
from gengrade.publish.publishing import Publication, publication
from gengrade.publish.tables import TableError
from tests.support.entries import absent, class_of, digest, entry, unrostered
from tests.support.importers import Canvas, CanvasStudent, RefusedByImporterError, unzipped

PATH = Path("grades.csv")
HEAD = "Student,ID,SIS User ID,SIS Login ID,Section,Homework 1 (11),Homework 2 (12),Current Score,Final Score\r\n"
GRADEBOOK = (
    HEAD + ",,,,,,Manual Posting,,\r\n"
    "    Points Possible,,,,,10,15,(read only),(read only)\r\n"
    '"Doe, Jane",12345,u00017,jdoe,"Section ""A""",9,,90.0,60\r\n'
    '"Müller, Ann-Kathrin",12346,u00018,amueller,Section A and Section B,8.5,3,85,\r\n'
    '"van der Berg, Jo",12347,u00019,jberg,Section A,,7,,\r\n'
    '"Lee, Kim",12348,u00020,klee,Section A,,,,\r\n'
    '"Lee, Kim",12349,u00021,klee2,Section A,,4,,\r\n'
    '"Student, Test",12399,,8f2c,Section A,,,,\r\n'
)
JANE, ANN, JO, KIM, KIM2 = 12345, 12346, 12347, 12348, 12349


def canvas() -> Canvas:
    students = {
        JANE: CanvasStudent("Doe, Jane", "Jane Doe", "u00017", "jdoe"),
        ANN: CanvasStudent("Müller, Ann-Kathrin", "Ann-Kathrin Müller", "u00018", "amueller"),
        JO: CanvasStudent("van der Berg, Jo", "Jo van der Berg", "u00019", "jberg"),
        KIM: CanvasStudent("Lee, Kim", "Kim Lee", "u00020", "klee"),
        KIM2: CanvasStudent("Lee, Kim", "Kim Lee", "u00021", "klee2"),
        12399: CanvasStudent("Student, Test", "Test Student", "", "8f2c"),
    }
    scores = {(JANE, 11): "9", (ANN, 11): "8.5", (ANN, 12): "3", (JO, 12): "7", (KIM2, 12): "4"}
    return Canvas(students, {11: "Homework 1", 12: "Homework 2"}, scores, {11: "10", 12: "15"})


def publish(
    *entries: Entry,
    text: str | bytes = GRADEBOOK,
    log: Log | None = None,
    partial: bool = False,
    everybody: bool = False,
    assignment: str = "Homework 2",
    wishes: Wishes | None = None,
) -> Publication:
    content = text if isinstance(text, bytes) else text.encode()
    wishes = wishes or Wishes(assignment)
    return publication(
        class_of(entries, assignment),
        System.CANVAS,
        (PATH, content),
        wishes,
        log or Log(),
        partial=partial,
        everybody=everybody,
    )


def changes(made: Publication, course: Canvas | None = None) -> dict[int, str]:
    """Import the table, and return the new scores of homework 2 by student. Nothing else may change."""
    found = (course or canvas()).import_gradebook(made.table)
    assert {assignment for _, assignment in found} <= {12}
    return {student: new for (student, _), (_, new) in found.items()}


def left(made: Publication) -> dict[str, str]:
    return {each.who: each.reason for each in made.left}


def test_only_the_rows_and_cells_that_change_are_written() -> None:
    made = publish(entry("12345", "Doe, Jane"), entry("12346", "Müller, Ann-Kathrin", 14.0))
    lines = GRADEBOOK.splitlines(keepends=True)
    jane, ann = lines[3].replace("9,,90.0", "9,12.5,90.0"), lines[4].replace("8.5,3,", "8.5,14,")
    assert made.table.decode() == "".join([*lines[:3], jane, ann])
    assert changes(made) == {JANE: "12.5", ANN: "14"}


def test_a_blank_over_a_score_would_delete_it() -> None:
    """The replica knows it, and the filled file holds no row that could do so."""
    course = canvas()
    emptied = GRADEBOOK.replace("A,,7,,", "A,,,,").encode()
    assert course.import_gradebook(emptied) == {(JO, 12): ("7", "")}
    pending = entry("12347", "van der Berg, Jo", None, open="3 points are pending")
    made = publish(entry("12345", "Doe, Jane"), pending, partial=True)
    assert changes(made, canvas()) == {JANE: "12.5"}
    assert left(made) == {"van der Berg, Jo": "3 points are pending"}


def test_a_score_that_was_entered_since_the_export_stays() -> None:
    course = canvas()
    course.scores[KIM, 12] = "11"
    assert changes(publish(entry("12345", "Doe, Jane")), course) == {JANE: "12.5"}
    assert course.scores[KIM, 12] == "11"


UNDECIDED = {
    "pending": (entry("12346", "Ann", None, open="3 points are pending"), "Ann (3 points are pending)"),
    "infra": (entry("12346", "Ann", 3.0, infra=True), "Ann (a fault of the grader left something undecided)"),
    "waiting": (absent("12346", "Ann", Status.WAITING), "Ann (not graded yet)"),
    "unclear": (absent("12346", "Ann", Status.UNCLEAR), "Ann (it is unclear which submission is theirs)"),
}


@pytest.mark.parametrize(("other", "said"), UNDECIDED.values(), ids=UNDECIDED)
def test_nothing_is_published_while_something_is_undecided(other: Entry, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        publish(entry("12345", "Doe, Jane"), other)
    assert f"1 person has no decided grade in release 1: {said}. Decide them and release again" in str(caught.value)
    made = publish(entry("12345", "Doe, Jane"), other, partial=True)
    assert list(changes(made)) == [JANE]
    assert list(left(made)) == ["Ann"]


def test_a_stray_submission_is_given_to_nobody_and_stops_nothing() -> None:
    stray = entry("12346", "amueller", None, stray=True, open="3 points are pending", status=Status.UNLISTED)
    made = publish(entry("12345", "Doe, Jane"), stray)
    assert list(changes(made)) == [JANE]
    assert "given to nobody" in left(made)["amueller"]


def test_excused_missing_and_zero() -> None:
    people = (
        absent("12345", "Doe, Jane", Status.EXCUSED),
        entry("12346", "Müller, Ann-Kathrin", 9.0, status=Status.EXCUSED),
        absent("12347", "van der Berg, Jo"),
    )
    made = publish(*people)
    assert changes(made) == {JANE: "EX", ANN: "9"}
    assert "nothing handed in" in left(made)["van der Berg, Jo"]
    made = publish(*people, wishes=Wishes("Homework 2", missing_as_zero=True))
    assert changes(made) == {JANE: "EX", ANN: "9", JO: "0"}


def test_rows_are_found_by_id_number_login_and_name() -> None:
    people = (
        entry("12345", "Jane Doe", 1.0),
        entry("u00018", "Ann-Kathrin Müller", 2.0),
        entry("99", "J. Berg", 3.0, logins=("JBERG",)),
        entry("98", "Lee, Kim", 4.0, numbers=("u00021",)),
    )
    made = publish(*people)
    assert b",jberg,Section A,,3,," in made.table
    assert changes(made) == {JANE: "1", ANN: "2", JO: "3"}, "Kim has 4 points already"


def test_two_of_one_name_are_listed_and_not_guessed() -> None:
    made = publish(entry("a", "Kim Lee"), entry("12345", "Doe, Jane"))
    assert list(changes(made)) == [JANE]
    assert left(made) == {
        "Kim Lee": "the row may be Lee, Kim (line 7), Lee, Kim (line 8): correct the id and the name in the roster"
    }


def test_a_number_that_fits_somebody_of_another_name_decides_nothing() -> None:
    """A list that counts people from 12345 onwards has nothing to do with Canvas's own numbers."""
    made = publish(entry("12345", "Zoe Other"), entry("12346", "Jane Doe"))
    assert changes(made) == {}
    assert "whose name is different" in left(made)["Zoe Other"]
    assert "the row may be" in left(made)["Jane Doe"]


def test_a_folder_may_be_named_by_the_number_in_the_roster() -> None:
    assert changes(publish(entry("12345", "Doe, Jane", submission="12345", origin=("", "12345")))) == {JANE: "12.5"}


def test_two_people_with_one_row_get_nothing() -> None:
    made = publish(entry("12345", "Jane Doe"), entry("u00017", "Jane Doe"))
    assert changes(made) == {}
    assert "is the row of u00017 as well" in made.left[0].reason


def test_without_a_roster_the_names_of_files_say_whose_they_are() -> None:
    people = (
        unrostered("doejane_12345", "doejane", origin=("canvas", "doejane", "12345")),
        unrostered("vanderbergjo_12347", "vanderbergjo", 3.0, origin=("canvas", "vanderbergjo", "12347")),
        unrostered("anon_Ab3", "anon_Ab3", origin=("canvas", "", "anon_Ab3")),
        unrostered("12346", "12346", origin=("", "12346")),
        unrostered("klee", "klee", 5.0, origin=("", "klee")),
    )
    made = publish(*people)
    assert changes(made) == {JANE: "12.5", JO: "3", KIM: "5"}
    assert left(made) == dict.fromkeys(("anon_Ab3", "12346"), "there is no row for this person")


def test_the_members_of_a_group_get_their_own_points() -> None:
    origin = ("canvas", "doejane", "12345")
    shared: dict[str, Any] = {"group": "Blue", "submission": "doejane_12345", "origin": origin}
    made = publish(entry("12345", "Doe, Jane", 12.0, **shared), entry("12347", "van der Berg, Jo", 11.0, **shared))
    assert changes(made) == {JANE: "12", JO: "11"}


def test_what_was_published_before_is_left_out() -> None:
    jane, ann = entry("12345", "Doe, Jane"), entry("12346", "Müller, Ann-Kathrin", 14.0)
    log = Log(
        people={
            "12345": Once(digest=digest("12345 12.5"), written="12.50"),
            "12346": Once(digest=digest("12346 13.0"), written="13.00"),
        }
    )
    made = publish(jane, ann, log=log)
    assert (changes(made), made.unchanged) == ({ANN: "14"}, 1)
    assert set(changes(publish(jane, ann, log=log, everybody=True))) == {JANE, ANN}


def test_other_points_are_refused_unless_they_are_to_be_scaled() -> None:
    text = GRADEBOOK.replace(",10,15,", ",10,30,")
    with pytest.raises(TableError) as caught:
        publish(entry("12345", "Doe, Jane"), text=text)
    assert "30 points are possible in this column, and 15 by the rubric" in str(caught.value)
    made = publish(entry("12345", "Doe, Jane"), text=text, wishes=Wishes("Homework 2", scale=True))
    assert changes(made) == {JANE: "25"}
    assert made.notes[0] == "all points are multiplied by 30/15"
    assert made.placed[0].given.written == "25.00"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_semicolons_marks_and_line_ends_stay(mark: str) -> None:
    text = GRADEBOOK.replace(",", ";").replace("; ", ", ").replace("\r\n", "\n").replace("8.5", "8,5")
    made = publish(entry("12345", "Doe, Jane"), text=mark + text)
    assert changes(made) == {JANE: "12.5"}
    assert made.table.decode().startswith(mark + "Student;ID;")
    assert b"\r" not in made.table


def test_other_columns_of_students() -> None:
    text = (
        "LastName,FirstName,ID,SIS Login ID,Section,Notes,Homework 2 (12)\n"
        "Points Possible,,,,,,15\nDoe,Jane,12345,jdoe,A,late?,\n"
    )
    made = publish(entry("j", "Jane Doe"), text=text)
    assert made.table.decode().endswith("Doe,Jane,12345,jdoe,A,late?,12.5\n")


WRONG = {
    "another file": ("id,name\n1,Ann\n", "it is not a gradebook of Canvas"),
    "no section": (GRADEBOOK.replace(",Section,", ",Room,"), "it is not a gradebook of Canvas"),
    "read only": (GRADEBOOK.replace("10,15,", "(read only),(read only),"), "there is no column of an assignment"),
    "a sum": (GRADEBOOK.replace("Homework 2", "Final Grade of 2").replace("Homework 1", "Current Score"), "no column"),
    "renamed": (GRADEBOOK.replace("Homework 2 (12)", "HW2 (12)"), "it is not clear which column"),
}


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=WRONG)
def test_a_file_that_cannot_be_filled_is_refused(text: str, reason: str) -> None:
    with pytest.raises(TableError) as caught:
        publish(entry("12345", "Doe, Jane"), text=text)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("grades.csv, line 1: ")


def test_the_replica_refuses_what_canvas_refuses() -> None:
    for text in (
        GRADEBOOK.replace("SIS Login ID", "Integration ID"),
        GRADEBOOK.replace("Homework 2 (12)", "Homework 3 (13)"),
        GRADEBOOK + '"New, Nina",777,,,A,,1,,\r\n',
    ):
        with pytest.raises(RefusedByImporterError):
            canvas().import_gradebook(text.encode())
    assert canvas().import_gradebook(GRADEBOOK.encode()) == {}
    unassigned = canvas()
    unassigned.unassigned = {(JANE, 12)}
    assert changes(publish(entry("12345", "Doe, Jane")), unassigned) == {}


# Reports -------------------------------------------------------------------------------------------------------------


def with_files(student: int, *names: str, **fields: Any) -> Entry:
    people = {JANE: "Doe, Jane", ANN: "Müller, Ann-Kathrin", JO: "van der Berg, Jo", KIM2: "Lee, Kim"}
    return entry(str(student), people[student], files=names, **fields)


def test_a_report_takes_the_place_of_what_was_handed_in() -> None:
    course = canvas()
    course.attachments = {
        501: (JANE, "hw2.zip", True),
        502: (ANN, "hw2.tar.gz", True),
        503: (JO, "notes.html", True),
        504: (JO, "hw2.zip", True),
        505: (KIM2, "hw2.py", True),
    }
    made = publish(
        with_files(JANE, "doejane_LATE_12345_501_hw2.zip"),
        with_files(ANN, "müllerannkathrin_12346_502_hw2.tar.gz"),
        with_files(JO, "vanderbergjo_12347_504_hw2.zip", "vanderbergjo_12347_503_notes.html"),
        with_files(KIM2, "leekim_12349_505_hw2.py"),
    )
    comments, ignored = course.upload_submissions(made.feedback)
    assert ignored == []
    assert {student: [name for name, _ in files] for student, files in comments.items()} == {
        JANE: ["hw2.zip"],
        ANN: ["hw2.tar.gz"],
        JO: ["notes.html"],
        KIM2: ["hw2.py"],
    }
    assert unzipped(comments[JANE][0][1]) == {"report.html": b"<p>12345-work</p>"}
    with tarfile.open(fileobj=io.BytesIO(comments[ANN][0][1])) as archive:
        assert archive.getnames() == ["report.html"]
    assert comments[JO][0][1] == b"<p>12347-work</p>"
    assert any("must rename it to .html: Lee, Kim (hw2.py)" in sentence for sentence in made.notes)
    assert any("handed in again" in sentence for sentence in made.notes)


def test_without_a_file_of_canvas_there_is_no_place_for_a_report() -> None:
    made = publish(with_files(JANE, "doejane_12345_text.html"), with_files(ANN, "folder"))
    assert made.feedback is None
    assert [each.who for each in made.without_report] == ["Doe, Jane", "Müller, Ann-Kathrin"]


def test_a_report_goes_to_nobody_else() -> None:
    """The roster may say that somebody else's file counts; Canvas would show the report to its owner."""
    made = publish(with_files(JANE, "müllerannkathrin_12346_502_hw2.zip"))
    assert made.feedback is None
    assert "to somebody else" in made.without_report[0].reason
    assert changes(made) == {JANE: "12.5"}


def test_a_group_gets_one_report_and_who_handed_in_again_none() -> None:
    course = canvas()
    course.attachments = {501: (JANE, "hw2.zip", False)}
    shared: dict[str, Any] = {"group": "Blue", "submission": "s"}
    files = "doejane_12345_501_hw2.zip"
    made = publish(with_files(JANE, files, **shared), with_files(ANN, files, **shared))
    assert list(unzipped(made.feedback)) == [files]
    assert course.upload_submissions(made.feedback) == ({}, [files])


def test_the_same_class_gives_the_same_bytes() -> None:
    first, second = (publish(with_files(JANE, "doejane_12345_501_hw2.tgz")) for _ in range(2))
    assert (first.table, first.feedback) == (second.table, second.feedback)
