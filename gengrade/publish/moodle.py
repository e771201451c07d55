"""Fill a grading worksheet that Moodle exported, and name reports as Moodle's upload of feedback files wants them.

What Moodle's importers do, by their own code:

1. The headings, and the word "Participant", are in the teacher's language. Therefore columns are recognised by what
   stands in them: the greatest grade is the same number in all rows, the grade stands before it, and whether the
   grade can be changed behind it.
2. Numbers are read as that language writes them, with a decimal comma in German and many others.
3. These are skipped without a word: a blank grade, one above the greatest one, a locked one, and one that was changed
   in Moodle after the worksheet was exported. Rows that are as they were change nothing, and so all of them stay.
4. A file of feedback belongs to the participant whose number is the second part, between underscores, of the name of
   a folder. A file of the same name is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gengrade.people import Person
from gengrade.people.words import key
from gengrade.publish.entries import REPORT, Entry
from gengrade.publish.model import Archive, Export, Filled, LeftOut, Placed, Report, Wishes
from gengrade.publish.numbers import decimal_comma, number, written
from gengrade.publish.tables import Row, Table, TableError, read_table
from gengrade.report.text import points
from gengrade.texts import listed

_IDENTIFIER: Final = re.compile(r"(?P<word>\D*?)\s*(?P<id>\d+)")
_TIME: Final = re.compile(r"-|.*\b\d{4}\b.*\d{1,2}[:.]\d{2}.*", re.DOTALL)
_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")
# "no" in the languages of most Moodles, to know which grades are locked.
_NO: Final = frozenset(
    ["no", "nein", "nee", "non", "não", "nej", "nei", "ne", "nie", "ei", "nu", "nem", "нет", "ні", "όχι"]
)
_FEEDBACK: Final = ("feedback comments", "feedback als kommentar")
_SAYS_WHY: Final = f"{REPORT} says why."
_NOTHING: Final = "Nothing was handed in."
_TO_SPACE: Final = re.compile(r'[\\/:*?"<>|_\x00-\x1f]+')
_NAMED: Final = 6
_COLUMNS: Final = 20


def read(content: bytes, path: Path, wishes: Wishes) -> Export:
    """Read a worksheet. Raises TableError."""
    table = read_table(content, path)
    rows = [row for row in table.rows if not row.blank]
    if not rows:
        raise TableError(path, table.head.line, "there is nobody in the worksheet: export it with all participants")
    wrong = next((row for row in rows if not _IDENTIFIER.fullmatch(row.cell(0))), None)
    if wrong is not None:
        reason = (
            f'its first cell, "{wrong.cell(0)}", is no identifier such as "Participant 301": export the grading '
            "worksheet of the assignment in Moodle, and do not change it"
        )
        raise TableError(path, wrong.line, reason)
    grade = _grade_column(table, rows, wishes)
    most = {row.line: found for row in rows if (found := number(row.cell(grade + 1))) is not None}
    locked = frozenset(row.line for row in rows if key(row.cell(grade + 2)) in _NO)
    comma = decimal_comma(cell for row in rows for cell in (row.cell(grade), row.cell(grade + 1)))
    feedback = _feedback_column(table, rows, grade, wishes)
    notes = [] if feedback is not None else ["the worksheet has no column for comments, so that none are written"]
    whole = next(iter(most.values())) if len(set(most.values())) == 1 else None
    people = tuple(_person(row, table, grade) for row in rows)
    return Export(table, grade, whole, people, feedback, comma, locked, most, tuple(notes))


def _grade_column(table: Table, rows: Sequence[Row], wishes: Wishes) -> int:
    path, line = table.path, table.head.line
    columns = listed([f'"{heading}"' for heading in table.headings], _COLUMNS)
    if wishes.column is not None:
        column = table.column(wishes.column)
        if column is None:
            raise TableError(path, line, f'there is no column "{wishes.column}": name one of {columns}')
        if not all(_is_grade(row.cell(column)) for row in rows):
            raise TableError(path, line, f'the column "{wishes.column}" holds other things than grades: name another')
        return column
    found = [at for at in range(2, len(table.headings) - 1) if _is_greatest(rows, at)]
    if len(found) != 1:
        reason = (
            "the column of the grade cannot be told by the greatest grade behind it: give --column with its heading, "
            f"one of {columns}"
        )
        raise TableError(path, line, reason)
    return found[0] - 1


def _is_greatest(rows: Sequence[Row], at: int) -> bool:
    """Return whether a column holds the greatest grade, with the grade before it and two words or one behind it."""
    greatest = {number(row.cell(at)) for row in rows}
    words = {key(row.cell(at + 1)) for row in rows}
    if len(greatest) != 1 or None in greatest or len(words) > 2 or "" in words:
        return False
    graded = all(_is_grade(row.cell(at - 1)) for row in rows)
    return graded and not any(number(word) is not None or _TIME.fullmatch(word) for word in words)


def _is_grade(cell: str) -> bool:
    return cell in ("", "-") or number(cell) is not None


def _feedback_column(table: Table, rows: Sequence[Row], grade: int, wishes: Wishes) -> int | None:
    if wishes.feedback_column is not None:
        column = table.column(wishes.feedback_column)
        if column is None:
            columns = listed([f'"{heading}"' for heading in table.headings], _COLUMNS)
            reason = f'there is no column "{wishes.feedback_column}": name one of {columns}'
            raise TableError(table.path, table.head.line, reason)
        return column
    known = next((column for name in _FEEDBACK if (column := table.column(name)) is not None), None)
    if known is not None:
        return known
    last = len(table.headings) - 1
    if last <= grade + 2 or all(_TIME.fullmatch(row.cell(last)) for row in rows):
        return None  # the last column is the time of the grade
    return last


def _person(row: Row, table: Table, grade: int) -> Person:
    """Return the person in a row. The name is the second cell, unless names are hidden; others may be numbers."""
    match = _IDENTIFIER.fullmatch(row.cell(0))
    assert match is not None
    before = [cell for at in range(1, grade) if (cell := row.cell(at))]
    name_column = table.column("Full name")
    named = name_column is not None or (grade > 2 and _looks_like_a_name(row.cell(1)))
    addresses = [cell for cell in before if _ADDRESS.fullmatch(cell)]
    user = table.column("Username")
    number_column = table.column("ID number")
    numbers = [row.cell(number_column)] if number_column is not None else _numbers(row, table, grade)
    return Person(
        line=row.line,
        id=match["id"],
        name=row.cell(name_column if name_column is not None else 1) if named else "",
        numbers=tuple(filter(None, numbers)),
        logins=tuple(filter(None, (*addresses, row.cell(user) if user is not None else ""))),
        sortable=(match["word"].strip(),) if match["word"].strip() else (),  # the name while names are hidden
    )


def _looks_like_a_name(text: str) -> bool:
    return bool(text) and not _ADDRESS.fullmatch(text) and not any(letter.isdigit() for letter in text)


def _numbers(row: Row, table: Table, grade: int) -> list[str]:
    """Return the cells with digits beside the name, which are student numbers in a worksheet of another language."""
    status = max(grade - 1, 2)
    cells = [row.cell(at) for at in range(2, min(status, len(table.headings)))]
    return [cell for cell in cells if re.fullmatch(r"\w*\d\w*", cell)]


def fill(export: Export, placed: Sequence[Placed], wishes: Wishes) -> Filled:
    """Return the worksheet with grades and comments, and what Moodle would skip. Raises TableError."""
    comma = export.comma if export.comma is not None else wishes.decimal_comma
    left: list[LeftOut] = []
    kept: list[Placed] = []
    for each in placed:
        reason = _skipped(each, export)
        if reason:
            left.append(LeftOut(each.given.entry.name, reason))
        else:
            kept.append(each)
    if comma is None and any(each.given.points != round(each.given.points or 0) for each in kept):
        reason = (
            "no number in it shows whether decimals follow a point or a comma: give --decimal-comma if your Moodle "
            "writes 12,5, and --decimal-point if it writes 12.5"
        )
        raise TableError(export.table.path, export.table.head.line, reason)
    cells: dict[int, dict[int, str]] = {}
    theirs = []
    rows = {row.line: row for row in export.table.rows}
    for each in kept:
        assert each.given.points is not None
        row = rows[each.row.line]
        texts = cells.setdefault(row.line, {})
        if number(row.cell(export.column)) != each.given.points:
            texts[export.column] = written(each.given.points, comma=bool(comma))
        if export.feedback is not None:
            there = row.cell(export.feedback)
            if there and _SAYS_WHY not in there and _NOTHING not in there:
                theirs.append(each.given.entry.name)
            else:
                texts[export.feedback] = _comment(each.given.entry, comma=bool(comma))
    notes = []
    if theirs:
        notes.append(f"comments that were there already stay: {listed(theirs, _NAMED)}")
    if kept:
        notes.append(
            "Moodle skips, without a word, whoever is graded in Moodle after you exported the worksheet: export, fill "
            "and upload it without a break"
        )
    return Filled(export.table.filled(cells, keep_others=True), tuple(kept), tuple(left), tuple(notes))


def _skipped(each: Placed, export: Export) -> str:
    """Return why Moodle would skip a grade, with what to do; "" if it would not."""
    if each.given.points is None:
        return "a worksheet cannot say that somebody is excused: note it in Moodle"
    if each.row.line in export.locked:
        return "the grade is locked or overridden in Moodle's gradebook, and would be skipped: unlock it there"
    if each.given.points < 0:
        return "the points are negative, and would be skipped: enter the grade in Moodle"
    most = export.own_most.get(each.row.line)
    if most is not None and each.given.points > most:
        return (
            f"{points(each.given.points)} points are above the greatest grade, {points(most)}, and would be skipped: "
            "raise it in Moodle, or enter the grade there"
        )
    return ""


def _comment(entry: Entry, *, comma: bool) -> str:
    """Return the comment. It begins with a digit or a letter, and so begins no formula: points are not negative."""
    if entry.total is None or entry.possible is None:
        return _NOTHING
    total, possible = written(entry.total, comma=comma), written(entry.possible, comma=comma)
    late = f", after a deduction of {written(entry.penalty, comma=comma)} for lateness" if entry.penalty else ""
    return f"{total} of {possible} points{late}. {_SAYS_WHY}"


def archive(reports: Sequence[Report]) -> Archive:
    """Return the reports, one for each participant: the members of a group get it each."""
    members = {f"{_folder(each.row)}/{REPORT}": report.content for report in reports for each in report.people}
    notes = []
    if members:
        notes.append("Moodle skips the reports of participants who are not in the group that the page shows")
        notes.append("Moodle notifies each student of the file, unless you switch that off in the upload")
    return Archive(members, notes=tuple(notes))


def _folder(row: Person) -> str:
    name = " ".join(_TO_SPACE.sub(" ", row.name).split()).strip(". ~") or "Participant"
    return f"{name}_{row.id}_assignsubmission_file"
