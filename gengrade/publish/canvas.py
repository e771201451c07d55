"""Fill a gradebook that Canvas exported, and name reports as Canvas's upload of submissions wants them.

What Canvas's importers do, by their own code:

1. The gradebook begins with "Student,ID" or "LastName,FirstName,ID", and "Section" is the last column of the student.
   A student is found by the id, the SIS id, the login and the name; who is not in the file stays as they are.
2. A blank over a score deletes the score. Therefore only rows that get a value are in the filled file.
3. A column whose cell of possible points says "(read only)" is ignored, and so is one that sums others.
4. A file of feedback belongs to the user and the attachment whose numbers are the first two in its name, and is shown
   under the name of that attachment. It is ignored unless the attachment is of the present submission.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gengrade.people import Person
from gengrade.people.words import key
from gengrade.publish.entries import REPORT
from gengrade.publish.model import Archive, Export, Filled, LeftOut, Placed, Report, Wishes
from gengrade.publish.numbers import chosen, number, written
from gengrade.publish.packing import tarred, zipped
from gengrade.publish.tables import Row, Table, TableError, read_table
from gengrade.submissions.names import CANVAS, identify
from gengrade.texts import listed

EXCUSED: Final = "EX"
_HEADS: Final = (("student", "id"), ("lastname", "firstname", "id"))
_TITLE: Final = re.compile(r"(?P<title>.*) \(\d+\)", re.DOTALL)
_READ_ONLY: Final = "(read only)"
# A column whose heading holds one of these is no assignment for Canvas, whatever else stands in it.
_SUMS: Final = re.compile(r"(?:Current|Final) (?:Score|Points|Grade)|Override (?:Score|Grade|Status)")
_SECTION: Final = "section"
_ZIPS: Final = (".zip",)
_TARS: Final = (".tar.gz", ".tgz", ".tar")
_PAGES: Final = (".html", ".htm")
_NAMED: Final = 6


def read(content: bytes, path: Path, wishes: Wishes) -> Export:
    """Read a gradebook. Raises TableError."""
    table = read_table(content, path)
    head = tuple(map(key, table.headings))
    if not any(head[: len(each)] == each for each in _HEADS) or _SECTION not in head:
        reason = (
            'it is not a gradebook of Canvas, whose headings begin with "Student,ID" and have a column "Section": '
            "export the gradebook there, and do not change it"
        )
        raise TableError(path, table.head.line, reason)
    possible = next((row for row in table.rows if _is_possible(row)), None)
    after = range(head.index(_SECTION) + 1, len(head))
    found = {at: match for at in after if (match := _TITLE.fullmatch(table.headings[at]))}
    titles = {at: match["title"] for at, match in found.items() if not _SUMS.search(table.headings[at])}
    if possible is not None:
        titles = {at: title for at, title in titles.items() if _READ_ONLY not in possible.cell(at)}
    column = chosen(titles, {at: table.headings[at] for at in titles}, wishes, path, table.head.line)
    most = number(possible.cell(column)) if possible is not None else None
    notes = () if most is not None else ("the file does not say how many points are possible in the column",)
    people = tuple(_person(row, table) for row in table.rows if not _is_other(row, table))
    return Export(table, column, most, people, notes=notes)


def _is_possible(row: Row) -> bool:
    return "points possible" in key(row.cell(0))


def _is_other(row: Row, table: Table) -> bool:
    """Return whether a row is no person's: that of possible points, those above it, or the test student."""
    first = table.column("ID")
    has_id = first is not None and bool(row.cell(first))
    return row.blank or _is_possible(row) or not has_id or key(row.cell(0)) == "student, test"


def _person(row: Row, table: Table) -> Person:
    name = table.text(row, "Student") or ", ".join(
        filter(None, (table.text(row, "LastName"), table.text(row, "FirstName")))
    )
    return Person(
        line=row.line,
        id=table.text(row, "ID"),
        name=name,
        numbers=tuple(filter(None, (table.text(row, "SIS User ID"), table.text(row, "Integration ID")))),
        logins=tuple(filter(None, (table.text(row, "SIS Login ID"),))),
    )


def fill(export: Export, placed: Sequence[Placed], wishes: Wishes) -> Filled:
    """Return the gradebook with the points, and without the rows of all others."""
    table = export.table
    cells = {each.row.line: {export.column: _value(each)} for each in placed}
    always = []
    for row in table.rows:
        if export.people and row.line >= export.people[0].line:
            break
        always.append(row.line)  # the rows about the columns, which stand above the students
    return Filled(table.filled(cells, keep_others=False, always=always), tuple(placed))


def _value(each: Placed) -> str:
    return EXCUSED if each.given.points is None else written(each.given.points)


def archive(reports: Sequence[Report]) -> Archive:
    """Return the reports, each under the name of the file that the student handed in.

    Since it is shown under that name, a report in the place of a zip is a zip, and so on.
    """
    members: dict[str, bytes] = {}
    left: list[LeftOut] = []
    odd: list[str] = []
    for report in reports:
        name = _best(report.files)
        if name is None:
            reason = "there is no file of theirs from Canvas, in whose place the report could be shown"
            left.append(LeftOut(report.who, reason))
            continue
        if _is_anothers(name, report):
            left.append(LeftOut(report.who, f"Canvas would show the report to somebody else, who handed in {name}"))
            continue
        low = name.lower()
        if low.endswith(_ZIPS):
            members[name] = zipped({REPORT: report.content})
        elif low.endswith(_TARS):
            members[name] = tarred({REPORT: report.content}, packed=not low.endswith(".tar"))
        else:
            members[name] = report.content
            if not low.endswith(_PAGES):
                odd.append(f"{report.who} ({identify(name).file})")
    notes = []
    if members:
        notes.append(
            "Canvas ignores, without a word, a report for whoever handed in again since you downloaded the submissions"
        )
        notes.append("Canvas adds the reports once more whenever the archive is uploaded: upload it once")
    if odd:
        who = listed(odd, _NAMED)
        notes.append(f"Canvas shows a report under the student's own file name: these must rename it to .html: {who}")
    return Archive(members, tuple(left), tuple(notes))


def _is_anothers(name: str, report: Report) -> bool:
    """Return whether a file is by its number of another user. Any member may have handed in for a group."""
    (*_, number) = identify(name).key
    alone = not report.people[0].given.entry.group and number.isdigit()
    return alone and number not in [each.row.id for each in report.people]


def _best(names: Sequence[str]) -> str | None:
    """Return the file in whose place a report is readable best, and of several such files the newest."""
    found = []
    for name in names:
        identity = identify(name)
        if identity.system == CANVAS and identity.attachment is not None and not name.startswith("._"):
            low = name.lower()
            found.append((low.endswith(_PAGES), low.endswith((*_ZIPS, *_TARS)), identity.attachment, name))
    return max(found)[-1] if found else None
