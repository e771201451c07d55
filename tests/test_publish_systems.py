"""What the importers of Moodle, Brightspace and Blackboard make of filled files and of archives of reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gengrade.people import Status
from gengrade.publish.entries import Entry
from gengrade.publish.model import System, Wishes
from gengrade.publish.published import Log, Once, digest_of
from gengrade.publish.publishing import Publication, publication
from gengrade.publish.tables import TableError
from tests.support.entries import absent, class_of, digest, entry, unrostered
from tests.support.importers import (
    DUTCH,
    ENGLISH,
    GERMAN,
    Blackboard,
    Brightspace,
    Language,
    Moodle,
    MoodleParticipant,
    RefusedByImporterError,
    table,
    unzipped,
)

PATH = Path("export.csv")
NEVER = "-"
WORKSHEETS = {
    "English": (
        ENGLISH,
        "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
        "Last modified (submission),Last modified (grade),Feedback comments\r\n"
        'Participant 301,Jane Doe,u00017,jane@uni.example,Submitted for grading,,15.00,Yes,"Friday, 20 November 2026, '
        '5:00 PM",-,\r\n'
        "Participant 302,José Núñez,u00018,jose@uni.example,No submission,4.00,15.00,Yes,-,-,See me\r\n"
        'Participant 303,Kim Lee,u00019,kim@uni.example,"Submitted, late",,15.00,Yes,-,-,\r\n'
        "Participant 304,Kim Lee,u00020,kim2@uni.example,Submitted,9.00,15.00,No,-,-,\r\n",
    ),
    "German": (
        GERMAN,
        "\ufeffID;Vollständiger Name;E-Mail-Adresse;Status;Bewertung;Bestwertung;Bewertung kann geändert werden;"
        "Zuletzt geändert (Abgabe);Zuletzt geändert (Bewertung);Feedback als Kommentar\n"
        'Teilnehmer/in301;"Jane Doe";jane@uni.example;Zur Bewertung abgegeben;;15,00;Ja;"Freitag, 20. November 2026, '
        '17:00";-;\n'
        "Teilnehmer/in302;José Núñez;jose@uni.example;Keine Abgabe;4,00;15,00;Ja;-;-;See me\n"
        "Teilnehmer/in303;Kim Lee;kim@uni.example;Zur Bewertung abgegeben;;15,00;Ja;-;-;\n"
        "Teilnehmer/in304;Kim Lee;kim2@uni.example;Zur Bewertung abgegeben;9,00;15,00;Nein;-;-;\n",
    ),
    "Dutch": (
        DUTCH,
        "Identificatie,Volledige naam,E-mailadres,Status,Cijfer,Maximumcijfer,Cijfer kan gewijzigd worden,"
        "Laatst gewijzigd (inzending),Laatst gewijzigd (cijfer),Feedback-opmerkingen\n"
        'Deelnemer 301,Jane Doe,jane@uni.example,Ingezonden,,"15,00",Ja,"vrijdag, 20 november 2026, 17:00",-,\n'
        'Deelnemer 302,José Núñez,jose@uni.example,Geen inzending,"4,00","15,00",Ja,-,-,See me\n'
        'Deelnemer 303,Kim Lee,kim@uni.example,Ingezonden,,"15,00",Ja,-,-,\n'
        'Deelnemer 304,Kim Lee,kim2@uni.example,Ingezonden,"9,00","15,00",Nee,-,-,\n',
    ),
}
WORKSHEET = WORKSHEETS["English"][1]


def moodle() -> Moodle:
    people = {
        301: MoodleParticipant(),
        302: MoodleParticipant(4.0, "See me"),
        303: MoodleParticipant(),
        304: MoodleParticipant(9.0, locked=True),
    }
    return Moodle(people, 15.0)


def publish(
    system: System,
    text: str | bytes,
    *entries: Entry,
    log: Log | None = None,
    partial: bool = False,
    everybody: bool = False,
    **wishes: Any,
) -> Publication:
    content = text if isinstance(text, bytes) else text.encode()
    return publication(
        class_of(entries),
        system,
        (PATH, content),
        Wishes("Homework 2", **wishes),
        log or Log(),
        partial=partial,
        everybody=everybody,
    )


def fill(text: str, *entries: Entry, **words: Any) -> Publication:
    return publish(System.MOODLE, text, *entries, **words)


def left(made: Publication) -> dict[str, str]:
    return {each.who: each.reason for each in made.left}


# Moodle --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "text"), WORKSHEETS.values(), ids=WORKSHEETS)
def test_a_worksheet_of_any_language_is_filled(language: Language, text: str) -> None:
    people = (
        entry("301", "Jane Doe", 12.5, penalty=1.5),
        entry("jose@uni.example", "José Núñez", 14.0),
        entry("99", "Kim Lee", 13.25, logins=("kim@uni.example",)),
    )
    made = fill(text, *people)
    separator = ";" if ";" in text.partition("\n")[0] else ","
    course = moodle()
    assert course.import_worksheet(made.table, language, separator) == [301, 302, 303]
    assert [course.people[each].grade for each in (301, 302, 303, 304)] == [12.5, 14, 13.25, 9]
    possible = "12,5 of 15 points" if language.comma else "12.5 of 15 points"
    assert course.people[301].comment.startswith(f"{possible}, after a deduction of 1")
    assert course.people[301].comment.endswith("report.html says why.")
    assert course.people[302].comment == "See me", "a comment that a teacher wrote stays"
    assert "comments that were there already stay: José Núñez" in made.notes


@pytest.mark.parametrize(("language", "text"), WORKSHEETS.values(), ids=WORKSHEETS)
def test_nothing_but_grades_and_comments_changes(language: Language, text: str) -> None:
    made = fill(text, entry("301", "Jane Doe", 12.5), entry("302", "José Núñez", 4.0))
    separator = ";" if ";" in text.partition("\n")[0] else ","
    before, after = (table(content.removeprefix("\ufeff"), separator) for content in (text, made.table.decode("utf-8")))
    grade, comment = (before[0].index(each) for each in (language.grade, language.feedback))
    changed = {(row, at) for row, cells in enumerate(before) for at, cell in enumerate(cells) if after[row][at] != cell}
    assert changed == {(1, grade), (1, comment)}, "a grade that is the same is not written anew"
    assert made.table.decode().splitlines(keepends=True)[2:] == text.splitlines(keepends=True)[2:]
    assert made.table.decode().splitlines()[0] == text.splitlines()[0]


def test_what_moodle_would_skip_is_said_before() -> None:
    people = (
        entry("301", "Jane Doe", 15.5),
        entry("304", "Kim Lee", 10.0),
        absent("302", "José Núñez", Status.EXCUSED),
        entry("303", "Kim Lee", 3.0),
    )
    made = fill(WORKSHEET, *people)
    assert [each.given.entry.id for each in made.placed] == ["303"]
    reasons = left(made)
    assert "15.5 points are above the greatest grade, 15" in reasons["Jane Doe"]
    assert "is locked" in reasons["Kim Lee"]
    assert "cannot say that somebody is excused" in reasons["José Núñez"]
    assert any("whoever is graded in Moodle after you exported" in note for note in made.notes)


def test_the_replica_skips_silently_as_moodle_does() -> None:
    course = moodle()
    course.people[301].changed = True
    text = WORKSHEET.replace("grading,,15.00", "grading,5.00,15.00").replace(",9.00,", ",10.00,")
    text = text.replace(",4.00,", ",16,").replace('late",,', 'late",-1,')
    assert course.import_worksheet(text.encode()) == []
    english = fill(WORKSHEETS["Dutch"][1], entry("301", "Jane Doe", 12.5))
    renamed = english.table.decode()
    for dutch, word in zip(
        (DUTCH.id, DUTCH.participant, DUTCH.grade, DUTCH.modified),
        (ENGLISH.id, ENGLISH.participant, ENGLISH.grade, ENGLISH.modified),
        strict=True,
    ):
        renamed = renamed.replace(dutch, word)
    other = moodle()
    other.import_worksheet(renamed.encode())
    assert other.people[301].grade == 12, "a comma in another language cuts the decimals off"
    with pytest.raises(RefusedByImporterError):
        moodle().import_worksheet(WORKSHEETS["German"][1].encode(), ENGLISH, ";")


@pytest.mark.parametrize("comma", [True, False])
def test_where_nothing_shows_the_decimal_separator_it_has_to_be_said(comma: bool) -> None:
    text = WORKSHEET.replace("15.00", "15").replace("4.00", "4").replace("9.00", "9")
    with pytest.raises(TableError) as caught:
        fill(text, entry("301", "Jane Doe", 12.5))
    assert "--decimal-comma" in str(caught.value)
    assert b",12,15," in fill(text, entry("301", "Jane Doe", 12.0)).table
    made = fill(text, entry("301", "Jane Doe", 12.5), decimal_comma=comma).table
    assert (b',"12,5",15,' if comma else b",12.5,15,") in made


def test_names_that_are_hidden() -> None:
    text = (
        "Identifier,Status,Grade,Maximum Grade,Grade can be changed,Last modified (grade),Feedback comments\r\n"
        "Participant 301,Submitted,,15.00,Yes,-,\r\nParticipant 302,Submitted,,15.00,Yes,-,\r\n"
    )
    origin = ("moodle", "Participant", "302")
    made = fill(text, unrostered("Participant_302", "Participant", 7.0, origin=origin))
    course = moodle()
    assert course.import_worksheet(made.table) == [302]
    zero = fill(text, absent("301", "301"), missing_as_zero=True)
    assert moodle().import_worksheet(zero.table) == [301], "a roster without names has the same numbers"
    assert course.upload_feedback(made.feedback) == []
    assert list(course.people[302].files) == ["report.html"]


def test_a_worksheet_without_comments() -> None:
    text = "\n".join(line.rpartition(",")[0] for line in WORKSHEET.replace("\r\n", "\n").splitlines()) + "\n"
    made = fill(text, entry("301", "Jane Doe", 12.5))
    assert "the worksheet has no column for comments, so that none are written" in made.notes
    assert moodle().import_worksheet(made.table) == [301]
    assert ",-\n" in made.table.decode()


def test_a_group_of_moodle_is_not_taken_for_a_participant() -> None:
    """Moodle counts groups apart, so that the number of one may be that of a student."""
    origin = ("moodle", "Group Blue", "302")
    made = fill(WORKSHEET, unrostered("Group_Blue_302", "Group Blue", 7.0, origin=origin))
    assert made.placed == ()
    assert "whose name is different" in left(made)["Group Blue"]


def test_a_folder_that_is_a_number_is_no_participant() -> None:
    made = fill(WORKSHEET, unrostered("301", "301", 7.0, origin=("", "301")), unrostered("u00019", "u00019", 8.0))
    assert [each.row.id for each in made.placed] == ["303"]
    assert left(made) == {"301": "there is no row for this person"}


def test_reports_go_to_each_member_of_a_group() -> None:
    shared: dict[str, Any] = {"group": "Blue", "submission": "s"}
    made = fill(WORKSHEET, entry("301", "Jane Doe", **shared), entry("302", "José Núñez", **shared))
    course = moodle()
    assert list(unzipped(made.feedback)) == [
        "Jane Doe_301_assignsubmission_file/report.html",
        "José Núñez_302_assignsubmission_file/report.html",
    ]
    assert course.upload_feedback(made.feedback) == []
    assert course.people[302].files == {"report.html": b"<p>s</p>"}
    assert course.upload_feedback(made.feedback) == []
    course.people[301].own_files = {"report.html": b"<p>s</p>"}
    assert course.upload_feedback(made.feedback) == ["Jane Doe_301_assignsubmission_file/report.html"]


@pytest.mark.parametrize("name", ["Jane_X Doe", "../Jane", "Jane/Doe", "~Jane", "._Jane"])
def test_names_do_not_break_the_paths_of_reports(name: str) -> None:
    text = WORKSHEET.replace("Jane Doe", name)
    made = fill(text, entry("u00017", name))
    course = moodle()
    assert course.upload_feedback(made.feedback) == []
    assert list(course.people[301].files) == ["report.html"]
    assert ".." not in next(iter(unzipped(made.feedback)))


def test_a_worksheet_that_was_filled_before_is_named() -> None:
    log = Log(people={"301": Once(digest=digest("301 1.0"), written="1.00")}, exports=(digest_of(WORKSHEET.encode()),))
    made = fill(WORKSHEET, entry("301", "Jane Doe", 12.5), log=log)
    assert made.notes[0].startswith("this worksheet was filled before")


def test_missing_people_may_get_zero_with_a_comment() -> None:
    made = fill(WORKSHEET, absent("301", "Jane Doe"), missing_as_zero=True)
    course = moodle()
    course.import_worksheet(made.table)
    assert (course.people[301].grade, course.people[301].comment) == (0, "Nothing was handed in.")
    assert made.feedback is None


def test_our_own_comment_is_replaced() -> None:
    text = WORKSHEET.replace("grading,,15.00", "grading,3.00,15.00").replace(
        'PM",-,', 'PM",-,3 of 15 points. report.html says why.'
    )
    made = fill(text, entry("301", "Jane Doe", 12.5))
    assert b"12.5 of 15 points. report.html says why.\r\n" in made.table
    assert b"3 of 15 points. r" not in made.table.replace(b"12.5 of 15", b"")


WRONG = {
    "nobody": (WORKSHEET.splitlines()[0] + "\r\n", {}, "there is nobody in the worksheet"),
    "a roster": ("id,name\nu17,Ann\nx,Bob\n", {}, 'its first cell, "x", is no identifier'),
    "no maximum": (WORKSHEET.replace("15.00", ""), {}, "give --column with its heading"),
    "two maxima": (WORKSHEET.replace("15.00", "15.00", 1).replace("15.00,Yes", "14.00,Yes", 1), {}, "give --column"),
    "unknown": (WORKSHEET, {"column": "Mark"}, 'there is no column "Mark"'),
    "texts": (WORKSHEET, {"column": "Status"}, 'the column "Status" holds other things than grades'),
    "comments": (WORKSHEET, {"feedback_column": "Remarks"}, 'there is no column "Remarks"'),
}


@pytest.mark.parametrize(("text", "wishes", "reason"), WRONG.values(), ids=WRONG)
def test_a_worksheet_that_cannot_be_filled_is_refused(text: str, wishes: dict[str, Any], reason: str) -> None:
    with pytest.raises(TableError) as caught:
        fill(text, entry("301", "Jane Doe", 12.5), **wishes)
    assert reason in str(caught.value)


def test_columns_may_be_named() -> None:
    made = fill(WORKSHEET, entry("301", "Jane Doe", 12.5), column="grade", feedback_column="feedback comments")
    assert moodle().import_worksheet(made.table) == [301]


# Brightspace ---------------------------------------------------------------------------------------------------------

GRADES = (
    "OrgDefinedId,Username,Last Name,First Name,Email,"
    "Homework 1 Points Grade <Numeric MaxPoints:10 Weight:50>,Homework 2 Points Grade <Numeric MaxPoints:15>,"
    "Calculated Final Grade Numerator,End-of-Line Indicator\r\n"
    "#000017,#jdoe,Doe,Jane,jane@uni.example,8,,8,#\r\n"
    "#000018,#jnunez,Núñez,José,jose@uni.example,,3.5,3.5,#\r\n"
    "#000019,#klee,Lee,Kim,kim@uni.example,,2,,#\r\n"
)


def brightspace() -> Brightspace:
    users = {"000017": "jdoe", "000018": "jnunez", "000019": "klee"}
    grades = {("000017", "Homework 1"): 8.0, ("000018", "Homework 2"): 3.5, ("000019", "Homework 2"): 2.0}
    return Brightspace(users, {"Homework 1": 10, "Homework 2": 15}, grades=grades)


def test_grades_of_brightspace_are_filled() -> None:
    people = (
        unrostered("Jane_Doe_7001", "Jane Doe", 12.5, origin=("brightspace", "Jane Doe", "7001")),
        entry("#jnunez", "José Núñez", 16.0, logins=("jnunez",)),
        absent("000019", "Kim Lee", Status.EXCUSED),
    )
    made = publish(System.BRIGHTSPACE, GRADES, *people)
    lines = GRADES.splitlines(keepends=True)
    jane, jose = lines[1].replace(",8,,8,", ",8,12.5,8,"), lines[2].replace(",,3.5,3.5", ",,16,3.5")
    assert made.table.decode() == lines[0] + jane + jose
    course = brightspace()
    assert course.import_grades(made.table) == [("000017", "Homework 2"), ("000018", "Homework 2")]
    assert course.grades["000018", "Homework 2"] == 15
    assert any("cuts points above the greatest number" in note and "José Núñez" in note for note in made.notes)
    assert "exempt them in Brightspace" in left(made)["Kim Lee"]


def test_a_number_of_brightspaces_own_is_not_an_exported_id() -> None:
    origin = ("brightspace", "Nobody Known", "000019")
    made = publish(System.BRIGHTSPACE, GRADES, unrostered("Nobody_Known_000019", "Nobody Known", origin=origin))
    assert made.placed == ()
    assert left(made) == {"Nobody Known": "there is no row for this person"}


def test_reports_lie_in_the_folders_of_brightspace() -> None:
    folder, file = "7001-3 - Jane Doe - Nov 21, 2026 205 PM", "7002-3 - José Núñez - Nov 20, 2026 1155 AM"
    made = publish(
        System.BRIGHTSPACE,
        GRADES,
        entry("000017", "Jane Doe", files=(folder,)),
        entry("000018", "José Núñez", files=(f"{file} - hw2.zip",)),
        entry("000019", "Kim Lee", files=("kim",)),
    )
    assert sorted(unzipped(made.feedback)) == [f"{folder}/report.html", f"{file} - report.html"]
    assert [each.who for each in made.without_report] == ["Kim Lee"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("End-of-Line Indicator", "End", "it is not an export of Brightspace's grades"),
        ("3.5,3.5,#", "3.5,3.5,", 'the row does not end with "#"'),
        ("Points Grade", "Text Grade", "with “Points grade” chosen"),
        ("MaxPoints:15", "MaxPoints:20", "20 points are possible in this column"),
    ],
)
def test_an_export_of_brightspace_that_cannot_be_filled_is_refused(old: str, new: str, reason: str) -> None:
    with pytest.raises(TableError) as caught:
        publish(System.BRIGHTSPACE, GRADES.replace(old, new), entry("000017", "Jane Doe"))
    assert reason in str(caught.value)


# Blackboard ----------------------------------------------------------------------------------------------------------

CENTER = (
    '"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"Homework 2 [Total Pts: 15 Score] |664617"\t'
    '"Total [Total Pts: up to 25 Score] |664618"\n'
    '"Doe"\t"Jane"\t"jdoe"\t"000017"\t""\t"3"\n'
    '"Núñez"\t"José"\t"j_nunez"\t"000018"\t"In Progress(2.00)"\t""\n'
    '"Lee"\t"Kim"\t"klee"\t"000019"\t"4.00"\t""\n'
)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_grade_center_is_filled(encoding: str) -> None:
    text = CENTER if encoding == "utf-16" else CENTER.replace("\t", ",")
    before = text.encode(encoding)
    people = (
        entry("000017", "Jane Doe"),
        unrostered("nunez", "nunez", 14.0, origin=("blackboard", "Home_work 2_j_nunez", "nunez")),
    )
    made = publish(System.BLACKBOARD, before, *people)
    lines = text.splitlines(keepends=True)
    expected = lines[0] + lines[1].replace('""', '"12.5"') + lines[2].replace('"In Progress(2.00)"', '"14"')
    assert made.table == expected.encode(encoding)
    course = Blackboard({"jdoe", "j_nunez", "klee"}, {"664617"}, {("klee", "664617"): 4.0})
    assert course.upload(made.table) == [("jdoe", "664617"), ("j_nunez", "664617")]
    assert sorted(unzipped(made.feedback)) == ["j_nunez/report.html", "jdoe/report.html"]
    assert any("takes no archive of feedback" in note for note in made.notes)


def test_a_table_that_is_not_blackboards_is_refused() -> None:
    with pytest.raises(TableError) as caught:
        publish(System.BLACKBOARD, GRADES, entry("000017", "Jane Doe"))
    assert "there is no column of an assignment" in str(caught.value)
    with pytest.raises(TableError) as caught:
        publish(System.BLACKBOARD, "a,b\n1,2\n", entry("000017", "Jane Doe"))
    assert "it is not a table of Blackboard's Grade Center" in str(caught.value)
