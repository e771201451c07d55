"""Rosters are read with all of their mistakes, and submissions are matched to their rows exactly or not at all."""

from __future__ import annotations

import csv
import io
import random
import unicodedata
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gengrade.people import Handed, People, Person, Roster, people_of, read_roster
from gengrade.people.matching import matched
from gengrade.submissions.names import identify

PATH = Path("roster.csv")
DEADLINE = datetime(2026, 11, 20, 18)

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Homework 2 (4711),Current Score
,,,,,Manual Posting,
    Points Possible,,,,,100,(read only)
"Doe, Jane",12345,u00017,jdoe,Section A,,0
"Müller, Ann-Kathrin",12346,u00018,amueller,Section A and Section B,,0
"van der Berg, Jo",12347,u00019,jberg,Section A,,0
"Student, Test",12399,,8f2c,Section A,,0
"""
MOODLE = """\
Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Last modified (submission),Feedback comments
Participant 301,Jane Doe,u00017,jane@uni.example,Submitted for grading,,100.00,"Saturday, 21 November 2026, 2:14 PM",
Participant 302,José Núñez,u00018,jose@uni.example,No submission,,100.00,-,
Participant 303,Kim Lee,u00019,kim@uni.example,Submitted for grading,,100.00,"Friday, November 20, 2026, 17:05",
"""
BRIGHTSPACE = """\
OrgDefinedId,Username,Last Name,First Name,Email,Homework 2 Points Grade <Numeric MaxPoints:100>,End-of-Line Indicator
#000017,#jdoe,Doe,Jane,jane@uni.example,,#
#000018,#jnunez,Núñez,José,jose@uni.example,,#
"""
BLACKBOARD = """\
"Last Name","First Name","Username","Student ID","Last Access","Availability","Quiz 3 [Total Pts: 10] |664617"
"Doe","Jane","jdoe","000017","2026-11-20 10:00:00","Yes",""
"Núñez","José","jnunez","000018","","Yes",""
"""


def _read(text: str) -> Roster:
    return read_roster(text.encode(), PATH)


def _people(text: str) -> tuple[Person, ...]:
    roster = _read(text)
    assert roster.mistakes == ()
    return roster.people


def _table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def _text(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def _handed(*names: str) -> dict[str, Handed]:
    """Return what the names of files or folders say, by the ids that they get."""
    found = {}
    for name in names:
        identity = identify(name)
        found[identity.id] = Handed(name=identity.name, origin=identity.key, late=identity.late, at=identity.handed_in)
    return found


def _owners(text: str, *names: str) -> dict[str, str]:
    """Return the submission's id by the id of its owner."""
    people = _people(text)
    return {people[row].id: id_ for row, id_ in matched(people, _handed(*names)).submissions.items()}


# Reading -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff", "sep="])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_own_columns_stand_in_any_order(delimiter: str, mark: str, ends: str) -> None:
    lines = [
        ("Extension", "ID", "name", "group", "excused", "login", "email"),
        ("2026-11-22", "17", "Ann Müller", "Blue", "no", "am", "am@uni.example"),
        ("", "", "", "", "", "", ""),
        ("1.5", "18", "Bob", "", "YES", "", ""),
    ]
    mark = f"sep={delimiter}{ends}" if mark == "sep=" else mark
    ann, bob = _people(mark + ends.join(delimiter.join(line) for line in lines))
    skipped = mark.startswith("sep")
    assert (ann.line, ann.id, ann.name, ann.group) == (2 + skipped, "17", "Ann Müller", "Blue")
    assert (ann.extension, ann.excused, ann.logins) == (datetime(2026, 11, 23), False, ("am", "am@uni.example"))
    assert (bob.line, bob.extension, bob.excused, bob.group) == (4 + skipped, 1.5, True, "")


def test_only_the_id_is_needed() -> None:
    assert [(each.id, each.shown) for each in _people("id\n17\n18\n")] == [("17", "17"), ("18", "18")]


def test_cells_of_several_lines_do_not_move_the_lines_of_mistakes() -> None:
    (mistake,) = _read('id,name\n1,"Ann\nMüller"\n2,Bob\n2,Cyd\n').mistakes
    assert (mistake.line, mistake.reason) == (
        5,
        'the id "2" is that of line 4 as well: give each student one row',
    )


def test_a_gradebook_of_canvas_is_recognised() -> None:
    jane, ann, jo = _people(CANVAS)
    assert (jane.id, jane.name, jane.numbers, jane.logins) == ("12345", "Doe, Jane", ("u00017",), ("jdoe",))
    assert (ann.line, jo.line) == (5, 6)
    assert _people(_text(_table(CANVAS), ";")) == (jane, ann, jo)
    split = "LastName,FirstName,ID,SIS Login ID,Section\nDoe,Jane,12345,jdoe,A\n"
    assert [each.name for each in _people(split)] == ["Doe, Jane"]


def test_a_worksheet_of_moodle_is_recognised() -> None:
    jane, jose, kim = _people(MOODLE)
    assert (jane.id, jane.name, jane.handed_in) == ("301", "Jane Doe", datetime(2026, 11, 21, 14, 14))
    assert (jose.logins, jose.handed_in) == (("jose@uni.example",), None)
    assert kim.handed_in == datetime(2026, 11, 20, 17, 5)


def test_a_worksheet_of_moodle_names_groups() -> None:
    text = MOODLE.replace("Status,", "Status,Group,").replace("for grading,", "for grading,Blue,")
    text = text.replace("No submission,", "No submission,Default group,")
    assert [each.group for each in _people(text)] == ["Blue", "", "Blue"]


def test_an_export_of_brightspace_is_recognised() -> None:
    jane, jose = _people(BRIGHTSPACE)
    assert (jane.id, jane.name, jane.logins) == ("000017", "Jane Doe", ("jdoe", "jane@uni.example"))
    assert jose.sortable == ("Núñez, José",)
    short = "Username,Homework 2 Points Grade,End-of-Line Indicator\n#jdoe,,#\n"
    assert [each.id for each in _people(short)] == ["jdoe"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_export_of_blackboard_is_recognised(encoding: str) -> None:
    roster = read_roster(BLACKBOARD.replace(",", "\t").encode(encoding), PATH)
    jane, _ = roster.people
    assert roster.mistakes == ()
    assert (jane.id, jane.name, jane.numbers) == ("jdoe", "Jane Doe", ("000017",))


def test_columns_may_be_added_to_an_export() -> None:
    added = {0: ["extension", "Submission"], 3: ["2", "abc"]}
    rows = [[*row, *added.get(number, ["", ""])] for number, row in enumerate(_table(CANVAS))]
    jane = _people(_text(rows))[0]
    assert (jane.extension, jane.submission) == (2.0, "abc")


WRONG = {
    "no id column": ("name,group\nAnn,Blue\n", [(1, 'there is no column "id"')]),
    "empty": ("", [(1, 'there is no column "id"')]),
    "no rows": ("id,name\n", [(1, "there is no row below the headings")]),
    "misspelt": ("id,extention\n1,2\n", [(1, 'did you mean "extension"?')]),
    "twice a column": ("id,group,Group\n1,2,3\n", [(1, 'two columns "group"')]),
    "no id": ("id,name\n,Ann\n", [(2, "the row has no id")]),
    "cells": ("id,name\n1,Ann,x\n", [(2, "more cells than the first line")]),
    "rounded": ("id\n1.23457E+11\n", [(2, "a spreadsheet has rounded the id")]),
    "quotes": ('id,name\n1,"Ann" B\n', [(2, "not a table of CSV")]),
    "all at once": (
        "id,extension,excused,free_days,handed_in\n"
        "1,tomorrow,,,\n2,-1,,,\n3,,maybe,,\n4,,,1.5,\n5,,,,20.11.2026\n6,99999,,,\n7,1,yes,2,2026-11-20T18:00\n",
        [
            (2, "“tomorrow” is neither a time nor a number of days"),
            (3, "“-1” is neither"),
            (4, "“maybe” is neither yes nor no"),
            (5, "“1.5” is not a whole number of days"),
            (6, "“20.11.2026” is not a time"),
            (7, "more than 3,650"),
        ],
    ),
    "a submission twice": ("id,submission\n1,a\n2,A\n", [(3, 'the submission "A" is that of line 2 as well')]),
    "a group with two": (
        "id,group,submission\n1,Blue,a\n2,blue,b\n",
        [(3, 'the group "blue" has the submission "a" in line 2 and "b" here')],
    ),
}


@pytest.mark.parametrize(("text", "mistakes"), WRONG.values(), ids=WRONG)
def test_all_mistakes_are_named_with_their_lines(text: str, mistakes: list[tuple[int, str]]) -> None:
    found = _read(text).mistakes
    assert [mistake.line for mistake in found] == [line for line, _ in mistakes]
    for mistake, (_, reason) in zip(found, mistakes, strict=True):
        assert reason in mistake.reason


def test_other_encodings_are_refused_with_the_line() -> None:
    (mistake,) = read_roster("id,name\n1,Ann\n2,Müller\n".encode("latin-1"), PATH).mistakes
    assert (mistake.line, mistake.reason) == (3, "it is not UTF-8 text: save it as “CSV UTF-8”")
    (mistake,) = read_roster(b"PK\x03\x04\x14\x00\xff", PATH).mistakes
    assert "it is a workbook of a spreadsheet" in mistake.reason


def test_other_columns_are_named() -> None:
    roster = _read("id,Programme,Verlängerung\n1,CS,2\n")
    assert roster.notes == ("roster.csv: these columns are not read: Programme, Verlängerung",)


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"id,extension\n{text}".encode("utf-8", "replace"))
)
def test_no_file_breaks_the_reader(content: bytes) -> None:
    roster = read_roster(content, PATH)
    assert roster.people or roster.mistakes or content
    for person in roster.people:
        assert Person.model_validate_json(person.model_dump_json()) == person


# Matching ------------------------------------------------------------------------------------------------------------


def test_canvas_is_matched_by_id_and_without_it_by_name() -> None:
    names = ("doejane_LATE_12345_501_hw.zip", "müllerannkathrin_12346_502_hw.zip", "vanderbergjo_12347_503_hw.zip")
    expected = {"12345": "doejane_12345", "12346": "müllerannkathrin_12346", "12347": "vanderbergjo_12347"}
    assert _owners(CANVAS, *names) == expected
    own = "id,name\na,Jane Doe\nb,Ann-Kathrin Müller\nc,Jo van der Berg\n"
    assert _owners(own, *names) == dict(zip("abc", expected.values(), strict=True))


def test_moodle_is_matched_by_its_identifier() -> None:
    names = ("Jane Doe_301_assignsubmission_file_", "Participant_303_assignsubmission_file_")
    assert _owners(MOODLE, *names) == {"301": "Jane_Doe_301", "303": "Participant_303"}


def test_brightspace_is_matched_by_name() -> None:
    names = ("7001-33 - Jane Doe - Nov 21, 2026 205 PM", "7002-33 - José Núñez - Nov 20, 2026 1155 AM")
    assert _owners(BRIGHTSPACE, *names) == {"000017": "Jane_Doe_7001", "000018": "José_Núñez_7002"}


def test_a_number_of_brightspace_is_not_taken_for_one_of_the_university() -> None:
    name = "18-33 - Jo Nickname - Nov 21, 2026 205 PM"
    assert _owners("id,name\n18,Jane Doe\n", name) == {}
    assert _owners("id\n18\n", name) == {"18": "Jo_Nickname_18"}
    assert _owners("id,name\n18,Jo Nickname\n19,Jo Nickname\n", name) == {"18": "Jo_Nickname_18"}


def test_blackboard_is_matched_by_the_user_name() -> None:
    name = "Home_work 2_jdoe_attempt_2026-11-20-17-05-33_a.zip"
    assert _owners(BLACKBOARD, name) == {"jdoe": "jdoe"}
    other = matched(_people("id,login\n1,doe\n2,j_doe\n"), _handed(name.replace("jdoe", "j_doe")))
    assert other.submissions == {}, "the name may be of both"
    assert "(line 2)" in other.unclear[0]
    assert "(line 3)" in other.unclear[0]


def test_folders_are_matched_by_id_login_address_or_name() -> None:
    roster = "id,name,login,email\n17,Ann Müller,am1,\n18,,bob,\n19,,,cyd@uni.example\n20,Dee Doe,,\n"
    names = ("17", "BOB", "cyd@uni.example", unicodedata.normalize("NFD", "Dee  Doe"))
    assert sorted(_owners(roster, *names)) == ["17", "18", "19", "20"]
    assert _owners(roster, unicodedata.normalize("NFD", "ann müller")) == {"17": "ann_müller"}


def test_a_name_that_is_only_similar_matches_nobody() -> None:
    matching = matched(_people("id,name\n1,Ann Müller\n"), _handed("Ann Mueller", "Ann Muller", "Anna Müller", "Ann"))
    assert matching.submissions == {}
    assert len(matching.unlisted) == 4


def test_two_rows_of_one_name_are_unclear_until_an_id_decides() -> None:
    roster = "id,name\n1,Kim Lee\n2,Kim Lee\n"
    matching = matched(_people(roster), _handed("Kim Lee"))
    assert (matching.submissions, matching.doubtful, set(matching.undecided)) == ({}, ("Kim_Lee",), {0, 1})
    assert matching.unclear == (
        'Kim_Lee may belong to Kim Lee (line 2), Kim Lee (line 3): write "Kim_Lee" into the column "submission" of '
        "the right one",
    )
    assert _owners("id,name,submission\n1,Kim Lee,\n2,Kim Lee,Kim_Lee\n", "Kim Lee") == {"2": "Kim_Lee"}
    assert _owners("id,name\n301,Kim Lee\n302,Kim Lee\n", "Kim Lee_302_assignsubmission_file_") == {
        "302": "Kim_Lee_302"
    }


def test_an_id_that_contradicts_the_name_decides_nothing() -> None:
    matching = matched(
        _people("id,name\n7001,Jane Doe\n7002,Jim Roe\n"), _handed("7001-3 - Jim Roe - Nov 21, 2026 205 PM")
    )
    assert matching.submissions == {}
    assert "Jane Doe (line 2), Jim Roe (line 3)" in matching.unclear[0]


def test_two_submissions_of_one_row_are_unclear_until_the_row_names_one() -> None:
    roster = "id,name,login\n17,Ann Müller,am\n"
    matching = matched(_people(roster), _handed("17", "am"))
    assert (matching.submissions, matching.doubtful) == ({}, ("17", "am"))
    assert matching.unclear == (
        '17, am are all of Ann Müller (line 2): write the one that counts into the column "submission" of line 2',
    )
    settled = matched(_people("id,name,login,submission\n17,Ann Müller,am,AM\n"), _handed("17", "am"))
    assert (settled.submissions, settled.replaced, settled.unclear) == ({0: "am"}, ("17",), ())
    assert settled.notes[0].startswith("17 does not count")


def test_a_group_shares_what_one_member_handed_in() -> None:
    roster = "id,name,group\n17,Ann,Blue\n18,Bob,blue \n19,Cyd,\n"
    assert _owners(roster, "Bob") == {"17": "Bob", "18": "Bob"}
    both = matched(_people(roster), _handed("Ann", "Bob", "Cyd"))
    assert (both.submissions, set(both.undecided)) == ({2: "Cyd"}, {0, 1})
    assert "Ann, Bob are all of the group Ann (line 2), Bob (line 3)" in both.unclear[0]
    settled = "id,name,group,submission\n17,Ann,Blue,\n18,Bob,Blue,Ann\n"
    assert _owners(settled, "Ann", "Bob") == {"17": "Ann", "18": "Ann"}


def test_a_row_that_names_no_submission_of_the_class_is_a_mistake() -> None:
    people = _people("id,submission\n17,an\n")
    assert matched(people, _handed("ann")).problems == (
        'line 2: there is no submission "an" (did you mean "ann"?): correct it',
    )
    assert people_of(_handed("ann"), people, None, whole=False).problems == ()


words = st.sampled_from(["Ann", "Bob", "Cyd", "Ann Doe", "Doe, Ann", "17", "18", "a b", ""])
rosters = st.lists(
    st.builds(
        Person,
        line=st.just(2),
        id=st.sampled_from(["17", "18", "19", "Ann", "20"]),
        name=words,
        logins=st.lists(words, max_size=1).map(tuple),
        group=st.sampled_from(["", "", "Blue", "Red"]),
        submission=st.sampled_from(["", "", "", "Ann", "17"]),
    ),
    max_size=5,
)
handed = st.lists(
    st.sampled_from(
        [
            "Ann",
            "Bob",
            "17",
            "18",
            "Ann Doe",
            "a b",
            "doeann_17_501_x.zip",
            "doeann_99_502_x.zip",
            "Ann_18_assignsubmission_file_",
        ]
    ),
    unique=True,
).map(lambda names: _handed(*names))


@given(rosters, handed, st.randoms(use_true_random=False))
def test_nothing_is_lost_or_given_twice(roster: list[Person], handed: dict[str, Handed], chance: random.Random) -> None:
    matching = matched(roster, handed)
    owners: dict[str, set[str]] = {}
    for row, id_ in matching.submissions.items():
        owners.setdefault(id_, set()).add(roster[row].group.casefold() or f"row {row}")
    assert all(len(units) == 1 for units in owners.values()), "a submission counts for one row or one group"
    places = [*owners, *matching.unlisted, *matching.doubtful, *matching.replaced]
    assert sorted(places) == sorted(handed), "each submission is in one place"
    assert matching.undecided.isdisjoint(matching.submissions)
    mixed = list(handed.items())
    chance.shuffle(mixed)
    assert matched(roster, dict(mixed)) == matching, "the order of the submissions does not matter"


# Both together -------------------------------------------------------------------------------------------------------


def _found(roster: str, *names: str, deadline: datetime | None = DEADLINE) -> People:
    return people_of(_handed(*names), _people(roster), deadline).people


def test_members_of_a_group_have_their_own_lateness() -> None:
    roster = "id,name,group,extension,excused\n1,Jane Doe,Blue,,\n2,Jim Roe,Blue,2,\n3,Kim Lee,Blue,,yes\n"
    people = _found(roster, "7001-3 - Jim Roe - Nov 21, 2026 600 PM")
    jane, jim, kim = people.members
    assert {each.submission for each in people.members} == {"Jim_Roe_7001"}
    assert (jane.lateness.seconds, jim.lateness.seconds, kim.lateness.late) == (86_400, 0, False)
    assert people.standing("Jim_Roe_7001").members == people.members


def test_times_come_from_the_worksheet_and_from_names() -> None:
    people = _found(MOODLE, "Jane Doe_301_assignsubmission_file_", "Kim Lee_303_assignsubmission_file_")
    assert [each.lateness.seconds for each in people.members] == [20 * 3_600 + 14 * 60, None, 0]
    people = people_of(_handed("7001-3 - Jim Roe - Nov 20, 2026 700 PM"), None, DEADLINE).people
    assert people.lateness["Jim_Roe_7001"].seconds == 3_600


def test_what_only_shows_beside_the_deadline_is_named() -> None:
    rows = _people("id,extension\na,2026-11-19\nb,2\n")
    (problem,) = people_of(_handed("a"), rows, DEADLINE).problems
    assert "line 2: the extension of a ends at 2026-11-20 00:00, before the deadline" in problem
    (note,) = people_of(_handed("a"), rows, None).notes
    assert note == "there is no deadline that days could be added to: give --deadline for b (line 3)"
    aware = datetime.fromisoformat("2026-11-20T18:00Z")
    (note,) = people_of(_handed("7001-3 - Jim Roe - Nov 20, 2026 700 PM"), None, aware).notes
    assert "cannot be compared" in note
    assert note.endswith("late: Jim Roe (until 2026-11-20 18:00+00:00, handed in 2026-11-20 19:00)")
