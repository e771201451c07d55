"""Read and write the marks of a class as one CSV table, for a spreadsheet.

The columns are student, item, points, criteria (ids with spaces between them), comment, event and files. `event` is
the number of the event in the history that the row was written from. It tells a row that a person changed in the table
from one that somebody has marked otherwise meanwhile. `files` is the hash of what was handed in when the mark was
given: for other files, the mark waits to be confirmed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gengrade.documents import suggestion
from gengrade.marks.files import MarksError
from gengrade.marks.model import Event, Mark, Marks, completed, problem_with
from gengrade.people.words import names_of
from gengrade.rubric import Rubric
from gengrade.texts import no_text

_COLUMNS: Final = ("student", "item", "points", "criteria", "comment", "event", "files")
_NEEDED: Final = ("student", "item", "points")
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table, and its line in the file; `mark` is None for a row without points, criteria and comment."""

    line: int
    student: str
    item: str
    mark: Mark | None
    event: int | None
    content: str | None = None  # the hash of the submission that was marked, if the row says it

    @property
    def key(self) -> str:
        """What a row of a table is remembered by. A row that was exported anew is another one."""
        return "\t".join((self.student, self.item, "" if self.event is None else str(self.event)))


def in_order(marks: Mapping[str, Marks], rubric: Rubric) -> list[Event]:
    """Return the current events of all students, ordered by the student, and by the item's place in the rubric."""
    events = [event for given in marks.values() for heads in given.items.values() for event in heads]
    places = {entry.id: number for number, entry in enumerate(rubric.entries())}
    return sorted(events, key=lambda each: (each.student, places.get(each.item, len(places)), each.item, each.id))


def to_csv(events: Iterable[Event]) -> str:
    """Return marks as the text of a table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for event in events:
        mark = event.mark
        if mark is not None:
            points = "" if mark.points is None else f"{mark.points:g}"
            criteria = "" if mark.criteria is None else " ".join(mark.criteria) or "-"
            writer.writerow([event.student, event.item, points, criteria, mark.comment, event.id, event.content or ""])
    return text.getvalue()


def parse(
    content: bytes,
    path: Path,
    rubric: Rubric,
    students: Mapping[str, str],
    unchanged: Callable[[Row], bool] = lambda row: False,
) -> tuple[list[Row], list[MarksError]]:
    """Return the rows of a table and all of its mistakes.

    content: the bytes of the file, UTF-8, with commas, semicolons or tabs between the cells.
    path: its path, used in messages only.
    students: the names of the students that there are, by their ids.
    unchanged: returns whether a row says what it said when it was written. Such a row is not checked, since the rubric
        may have changed meanwhile.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        return [], [MarksError(path, line, no_text(content))]
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    rows, mistakes = [], []
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in _NEEDED if name not in reader.fieldnames]
        unknown = [name for name in reader.fieldnames if name not in (*_COLUMNS, "")]
        if missing:
            return [], [
                MarksError(path, 1, f'the column "{missing[0]}" is missing: there must be {", ".join(_NEEDED)}')
            ]
        if unknown:
            reason = f'there is no column "{unknown[0]}"{suggestion(unknown[0], _COLUMNS)}: correct or remove it'
            return [], [MarksError(path, 1, reason)]
        for cells in reader:
            if not any(cells.values()):
                continue  # spreadsheets leave empty rows
            try:
                rows.append(_row(cells, path, reader.line_num, rubric, students, unchanged))
            except MarksError as mistake:
                mistakes.append(mistake)
    except csv.Error as problem:
        mistakes.append(MarksError(path, reader.line_num, f"it is not a table of CSV ({problem}): correct it here"))
    return rows, [*mistakes, *_repeated(rows, path)]


def _repeated(rows: Iterable[Row], path: Path) -> Iterator[MarksError]:
    """Yield a mistake for each row about the item of an earlier one. An exported conflict has a row for each mark."""
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        earlier = first.setdefault((row.student, row.item), row)
        if earlier is not row and (None in (row.event, earlier.event) or row.event == earlier.event):
            reason = f"line {earlier.line} has a mark of {row.student} for {row.item} already: remove one of them"
            yield MarksError(path, row.line, reason)


def _row(
    cells: Mapping[str, str | None],
    path: Path,
    line: int,
    rubric: Rubric,
    students: Mapping[str, str],
    unchanged: Callable[[Row], bool],
) -> Row:
    """Return a row as marks. Raises MarksError."""

    def wrong(reason: str) -> MarksError:
        return MarksError(path, line, reason)

    if None in cells:
        raise wrong("it has more cells than the first line: put a text with separators in quotes")
    student, item, points, criteria, comment, event, marked = (cells.get(name) or "" for name in _COLUMNS)
    if student not in students:
        named = [id_ for id_, name in students.items() if names_of(student) & names_of(name)]
        hint = f' (did you mean "{named[0]}"?)' if student and named else suggestion(student, students)
        raise wrong(f'no student has the id "{student}"{hint}: correct or remove the row')
    entries = {entry.id: entry for entry in rubric.entries()}
    if item not in entries:
        raise wrong(f'the rubric has no item "{item}"{suggestion(item, entries)}: correct or remove the row')
    if points and not _NUMBER.fullmatch(points.strip()):
        hint = f"write {points.strip().replace(',', '.')}" if "," in points else "write one, such as 2.5"
        raise wrong(f'"{points}" is not a number of points: {hint}')
    if event and not event.isdecimal():
        raise wrong(f'"{event}" is not a number of an event: leave the cell as it was, or empty')
    if marked and not _HASH.fullmatch(marked.strip()):
        raise wrong(f'"{marked}" is no hash of files: leave the cell as it was, or empty')
    given = float(points) if points else None
    if given is not None and round(given, 2) != given:
        raise wrong(f"{points} points are finer than a hundredth: round them to two decimals")
    met = None if not criteria.strip() else tuple(name for name in criteria.split() if name != "-")
    mark = Mark(points=given, criteria=met, comment=comment)
    row = Row(line, student, item, mark, int(event) if event else None, marked.strip() or None)
    if unchanged(row):
        return row
    reason = problem_with(mark, entries[item])
    if reason:
        raise wrong(reason)
    return replace(row, mark=None if mark == Mark() else completed(mark, entries[item]))
