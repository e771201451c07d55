"""Fill a Grade Center's table that Blackboard exported. Blackboard takes no archive of feedback.

By other people's programs, since its importer's code is not public:

1. The file is UTF-16 text with tabs, or UTF-8 with commas. A column is called "Title [Total Pts: 10 Score] |664617",
   and is found by that number. A student is found by "Username".
2. Whoever is not in the file stays as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gengrade.people import Person
from gengrade.publish.entries import REPORT
from gengrade.publish.model import Archive, Export, Filled, LeftOut, Placed, Report, Wishes
from gengrade.publish.numbers import chosen, number, written
from gengrade.publish.tables import Row, Table, TableError, read_table
from gengrade.submissions.names import safe_id

_NEEDED: Final = ("Last Name", "First Name", "Username")
_TITLE: Final = re.compile(r"(?P<title>.*?) \[(?P<about>[^\]]*)\] ?\|(?P<id>\d+)", re.DOTALL)
_MOST: Final = re.compile(r"Total Pts: (?:up to )?(?P<most>[\d.,]+)")


def read(content: bytes, path: Path, wishes: Wishes) -> Export:
    """Read an exported table. Raises TableError."""
    table = read_table(content, path)
    if any(table.column(each) is None for each in _NEEDED):
        reason = (
            'it is not a table of Blackboard\'s Grade Center, which has "Last Name", "First Name" and "Username": '
            "download the grades there, and do not change the file"
        )
        raise TableError(path, table.head.line, reason)
    found = {at: match for at, each in enumerate(table.headings) if (match := _TITLE.fullmatch(each))}
    titles = {at: match["title"] for at, match in found.items()}
    column = chosen(titles, {at: table.headings[at] for at in titles}, wishes, path, table.head.line)
    about = _MOST.search(found[column]["about"])
    most = number(about["most"]) if about else None
    notes = () if most is not None else ("the file does not say how many points are possible in the column",)
    people = tuple(_person(row, table) for row in table.rows if not row.blank)
    return Export(table, column, most, people, notes=notes)


def _person(row: Row, table: Table) -> Person:
    first, last = table.text(row, "First Name"), table.text(row, "Last Name")
    return Person(
        line=row.line,
        id=table.text(row, "Username"),
        name=" ".join(filter(None, (first, last))),
        sortable=(f"{last}, {first}",) if first and last else (),
        numbers=tuple(filter(None, (table.text(row, "Student ID"),))),
        logins=tuple(filter(None, (table.text(row, "Username"), table.text(row, "Email")))),
    )


def fill(export: Export, placed: Sequence[Placed], wishes: Wishes) -> Filled:
    """Return the table with the points, and without the rows of all others."""
    kept = [each for each in placed if each.given.points is not None]
    left = [
        LeftOut(each.given.entry.name, "the file cannot say that somebody is excused: exempt them in Blackboard")
        for each in placed
        if each.given.points is None
    ]
    cells = {each.row.line: {export.column: written(each.given.points or 0)} for each in kept}
    return Filled(export.table.filled(cells, keep_others=False), tuple(kept), tuple(left))


def archive(reports: Sequence[Report]) -> Archive:
    """Return the reports in folders by user names, to be attached one by one."""
    members = {f"{safe_id(each.row.id)}/{REPORT}": report.content for report in reports for each in report.people}
    notes = ("Blackboard takes no archive of feedback: attach the reports one by one",) if members else ()
    return Archive(members, notes=notes)
