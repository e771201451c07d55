"""Fill grades that Brightspace exported, and name reports as its upload of feedback files wants them.

By Brightspace's documentation and other people's programs, since its importer's code is not public:

1. A file has "OrgDefinedId" or "Username", columns "… Points Grade", and "End-of-Line Indicator" with "#" in each row.
   Ids begin with "#". Whoever is not in the file stays as they are.
2. Points above the greatest number are cut to it, unless the item says "Can Exceed".
3. A file of feedback lies in a folder with the name that the downloaded submission had.
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
from gengrade.publish.tables import Row, Table, TableError, read_table
from gengrade.submissions.names import BRIGHTSPACE, identify
from gengrade.texts import listed

_END: Final = "End-of-Line Indicator"
_MARK: Final = "#"
_TITLE: Final = re.compile(r"(?P<title>.*?) Points Grade(?: <(?P<about>.*)>)?", re.DOTALL)
_MOST: Final = re.compile(r"MaxPoints:(?P<most>[\d.,]+)")
_CALCULATED: Final = ("calculated final grade", "adjusted final grade")
_NAMED: Final = 6


def read(content: bytes, path: Path, wishes: Wishes) -> Export:
    """Read exported grades. Raises TableError."""
    table = read_table(content, path)
    end = table.column(_END)
    if end is None or (table.column("OrgDefinedId") is None and table.column("Username") is None):
        reason = (
            f'it is not an export of Brightspace\'s grades, which has "OrgDefinedId" or "Username" and "{_END}": '
            "export the grades there with the key field, and do not change the file"
        )
        raise TableError(path, table.head.line, reason)
    rows = [row for row in table.rows if not row.blank]
    wrong = next((row for row in rows if row.cell(end) != _MARK), None)
    if wrong is not None:
        raise TableError(path, wrong.line, f'the row does not end with "{_MARK}" in "{_END}": export the grades anew')
    found = {at: match for at, each in enumerate(table.headings) if (match := _TITLE.fullmatch(each))}
    titles = {at: match["title"] for at, match in found.items() if not key(match["title"]).startswith(_CALCULATED)}
    if not titles:
        reason = 'there is no column "… Points Grade": export the grades with “Points grade” chosen as grade value'
        raise TableError(path, table.head.line, reason)
    column = chosen(titles, {at: table.headings[at] for at in titles}, wishes, path, table.head.line)
    about = _MOST.search(found[column]["about"] or "")
    most = number(about["most"]) if about else None
    notes = () if most is not None else ("the file does not say how many points are possible in the column",)
    return Export(table, column, most, tuple(_person(row, table) for row in rows), notes=notes)


def _person(row: Row, table: Table) -> Person:
    def cell(heading: str) -> str:
        return table.text(row, heading).removeprefix(_MARK)

    first, last = cell("First Name"), cell("Last Name")
    return Person(
        line=row.line,
        id=cell("OrgDefinedId") or cell("Username"),
        name=" ".join(filter(None, (first, last))),
        sortable=(f"{last}, {first}",) if first and last else (),
        logins=tuple(filter(None, (cell("Username"), cell("Email")))),
    )


def fill(export: Export, placed: Sequence[Placed], wishes: Wishes) -> Filled:
    """Return the grades with the points, and without the rows of all others."""
    kept = [each for each in placed if each.given.points is not None]
    left = [
        LeftOut(each.given.entry.name, "the file cannot say that somebody is excused: exempt them in Brightspace")
        for each in placed
        if each.given.points is None
    ]
    cells = {each.row.line: {export.column: written(each.given.points or 0)} for each in kept}
    above = [
        each.given.entry.name for each in kept if export.most is not None and (each.given.points or 0) > export.most
    ]
    notes = []
    if above:
        who = listed(above, _NAMED)
        notes.append(f"Brightspace cuts points above the greatest number, unless the item may exceed it: {who}")
    return Filled(export.table.filled(cells, keep_others=False), tuple(kept), tuple(left), tuple(notes))


def archive(reports: Sequence[Report]) -> Archive:
    """Return the reports, each in the folder that the downloaded submission had, or beside its file."""
    members: dict[str, bytes] = {}
    left: list[LeftOut] = []
    for report in reports:
        name = next((each for each in report.files if identify(each).system == BRIGHTSPACE), None)
        if name is None:
            left.append(LeftOut(report.who, "there is no file of theirs from Brightspace, whose name says whose it is"))
            continue
        file = identify(name).file
        folder = name[: -len(f" - {file}")] if file and name.endswith(f" - {file}") else name
        members[f"{folder}/{REPORT}" if folder == name else f"{folder} - {REPORT}"] = report.content
    said = "that Brightspace takes these files as feedback is known from its documentation, and was not tried"
    return Archive(members, tuple(left), (said,) if members else ())
