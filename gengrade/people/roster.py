"""Read a roster: a table of our own columns, or what Canvas, Moodle, Brightspace or Blackboard export.

Which of them it is, is recognised by its headings. The columns in `ADDED` may stand in each of them. All mistakes are
found at once, with their lines.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from gengrade.documents import DocumentError, suggestion
from gengrade.lateness import parsed_time
from gengrade.people.model import Person
from gengrade.people.words import key
from gengrade.texts import listed, no_text

OWN: Final = ("id", "name", "email", "login")
ADDED: Final = ("group", "extension", "excused", "free_days", "handed_in", "submission")
_DELIMITERS: Final = ",;\t"
_YES: Final = {"yes", "y", "true", "1", "x", "ex", "excused"}
_NO: Final = {"no", "n", "false", "0", "-"}
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)?")
_ROUNDED: Final = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.I)
_LAST_DIGITS: Final = re.compile(r"(\d+)\s*$")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Moodle's English: "Wednesday, 10 June 2026, 2:14 PM" or "Wednesday, June 10, 2026, 2:14 PM".
_MOODLE_TIME: Final = re.compile(
    r"(?:\w+, )?(?:(?P<day>\d{1,2}) (?P<month>[A-Z][a-z]+)|(?P<month2>[A-Z][a-z]+) (?P<day2>\d{1,2}),) "
    r"(?P<year>\d{4}), (?P<hour>\d{1,2}):(?P<minute>\d{2})(?: ?(?P<half>[AP]M))?",
    re.I,
)
_MOST_DAYS: Final = 3_650
_SIMILAR: Final = 0.8  # of an unknown heading to a known one, so that it is taken for a misspelt one


class RosterError(DocumentError):
    """A roster has a mistake."""


@dataclass(frozen=True, slots=True)
class Roster:
    """The people in a roster, all of its mistakes, and sentences about what was not read."""

    people: tuple[Person, ...] = ()
    mistakes: tuple[RosterError, ...] = ()
    notes: tuple[str, ...] = ()


class _Row(NamedTuple):
    line: int
    cells: Mapping[str, str]  # by the key of the heading, without spaces around

    def first(self, *headings: str) -> str:
        """Return the first of these cells that is not empty."""
        return next((self.cells[each] for each in headings if self.cells.get(each)), "")


class _Kind(NamedTuple):
    """A kind of table: what its headings are, which of its rows are people, and who they are."""

    what: str
    fits: Callable[[Sequence[str]], bool]
    person: Callable[[_Row], dict[str, Any] | None]  # None: the row is no person


def _texts(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, texts)))


def _own(row: _Row) -> dict[str, Any]:
    return {
        "id": row.first("id"),
        "name": row.first("name"),
        "logins": _texts(row.first("login"), row.first("email")),
    }


def _canvas(row: _Row) -> dict[str, Any] | None:
    name = row.first("student") or ", ".join(filter(None, (row.first("lastname"), row.first("firstname"))))
    if not row.first("id") and (not name or key(name).startswith(("points possible", "manual posting"))):
        return None
    if key(name) == "student, test" and not row.first("sis user id"):
        return None  # the test student, whom Canvas gives to each course
    return {
        "id": row.first("id"),
        "name": name,
        "numbers": _texts(row.first("sis user id"), row.first("integration id")),
        "logins": _texts(row.first("sis login id")),
    }


def _moodle(row: _Row) -> dict[str, Any]:
    digits = _LAST_DIGITS.search(row.first("identifier"))
    return {
        "id": digits.group(1) if digits else row.first("identifier"),
        "name": row.first("full name"),
        "numbers": _texts(row.first("id number")),
        "logins": _texts(row.first("email address"), row.first("username")),
    }


def _brightspace(row: _Row) -> dict[str, Any]:
    number, login = (row.first(each).removeprefix("#") for each in ("orgdefinedid", "username"))
    first, last = row.first("first name"), row.first("last name")
    return {
        "id": number or login,
        "name": " ".join(filter(None, (first, last))),
        "sortable": (f"{last}, {first}",) if first and last else (),
        "logins": _texts(login, row.first("email")),
    }


def _blackboard(row: _Row) -> dict[str, Any]:
    first, last = row.first("first name"), row.first("last name")
    return {
        "id": row.first("username"),
        "name": " ".join(filter(None, (first, last))),
        "sortable": (f"{last}, {first}",) if first and last else (),
        "numbers": _texts(row.first("student id")),
        "logins": _texts(row.first("username"), row.first("email")),
    }


_KINDS: Final = (
    _Kind(
        "a gradebook of Canvas",
        lambda head: head[:2] == ["student", "id"] or head[:3] == ["lastname", "firstname", "id"],
        _canvas,
    ),
    _Kind("a grading worksheet of Moodle", lambda head: "identifier" in head and "id" not in head, _moodle),
    _Kind(
        "an export of Brightspace",
        lambda head: "orgdefinedid" in head or ("username" in head and "end-of-line indicator" in head),
        _brightspace,
    ),
    _Kind(
        "an export of Blackboard",
        lambda head: {"last name", "first name", "username"} <= set(head) and "id" not in head,
        _blackboard,
    ),
)
_OWN_KIND: Final = _Kind("a roster", lambda head: "id" in head, _own)


def read_roster(content: bytes, path: Path) -> Roster:
    """Return the people in a roster, and all of its mistakes. `path` is used in messages only."""
    try:
        text = _decoded(content, path)
        rows, kind, notes = _table(text, path)
        read = list(rows)
    except RosterError as mistake:
        return Roster(mistakes=(mistake,))
    people: list[Person] = []
    mistakes: list[RosterError] = []
    for row in read:
        if isinstance(row, RosterError):
            mistakes.append(row)
            continue
        found, wrong = _person(row, kind, path)
        mistakes += wrong
        if found is not None:
            people.append(found)
    if not read and not mistakes:
        mistakes.append(RosterError(path, 1, "there is no row below the headings: add one for each student"))
    mistakes += _contradictions(people, path)
    return Roster(tuple(people), tuple(sorted(mistakes, key=lambda each: each.line)), tuple(notes))


def _decoded(content: bytes, path: Path) -> str:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as Blackboard exports for Excel
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        raise RosterError(path, line, no_text(content)) from None


def _table(text: str, path: Path) -> tuple[Iterator[_Row | RosterError], _Kind, list[str]]:
    """Return the rows that are not empty, the kind of the table, and notes. Raises RosterError for its headings."""
    skipped = 0
    if re.match(r"sep=.\r?\n", text):  # a line by which Excel learns the delimiter
        skipped, text = 1, text.partition("\n")[2]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        headings = [heading.strip() for heading in next(reader, [])]
    except csv.Error as problem:
        raise RosterError(path, skipped + 1, f"it is not a table of CSV ({problem}): correct it here") from None
    head = [key(heading) for heading in headings]
    kind = next((each for each in _KINDS if each.fits(head)), _OWN_KIND)
    if not kind.fits(head):
        reason = (
            'there is no column "id", and the headings are not those of an export of Canvas, Moodle, Brightspace or '
            f"Blackboard: name the columns {', '.join((*OWN, *ADDED))}, of which only id is needed"
        )
        raise RosterError(path, skipped + 1, reason)
    columns = {name: place for place, name in reversed(list(enumerate(head))) if name}
    known = (*ADDED, *(OWN if kind is _OWN_KIND else ()))
    for name in known:
        if head.count(name) > 1:
            raise RosterError(path, skipped + 1, f'there are two columns "{name}": keep one of them')
    unknown = [heading for heading in headings if heading and key(heading) not in known]
    for heading in unknown:
        if difflib.get_close_matches(key(heading), known, n=1, cutoff=_SIMILAR):
            reason = f'there is no column "{heading}"{suggestion(key(heading), known)}: correct or remove it'
            raise RosterError(path, skipped + 1, reason)
    notes = []
    if kind is _OWN_KIND and unknown:
        notes.append(f"{path}: these columns are not read: {listed(unknown, 8)}")
    return _rows(reader, columns, len(head), skipped, path), kind, notes


def _delimiter(text: str) -> str:
    """Return the delimiter that stands most often in the first line outside of quotes."""
    outside = "".join(text.partition("\n")[0].split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


def _rows(
    reader: Any, columns: Mapping[str, int], width: int, skipped: int, path: Path
) -> Iterator[_Row | RosterError]:
    line = skipped + 1 + reader.line_num
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if any(cell.strip() for cell in cells[width:]):
                    reason = "it has more cells than the first line: put a text with separators in quotes"
                    yield RosterError(path, line, reason)
                else:
                    stripped = {name: cells[at].strip() for name, at in columns.items() if at < len(cells)}
                    yield _Row(line, stripped)
            line = skipped + 1 + reader.line_num
    except csv.Error as problem:
        yield RosterError(path, line, f"it is not a table of CSV ({problem}): correct it here")


def _person(row: _Row, kind: _Kind, path: Path) -> tuple[Person | None, list[RosterError]]:
    """Return the person in a row, and the row's mistakes; None for a row that is no person, or has a mistake."""
    mistakes: list[RosterError] = []
    made = kind.person(row)
    if made is None:
        return None, []

    def cell(name: str, read: Callable[[str], Any]) -> Any:
        text = row.first(name)
        try:
            return read(text) if text else None
        except ValueError as problem:
            mistakes.append(RosterError(path, row.line, f'"{name}": {problem}'))
            return None

    if not made["id"]:
        mistakes.append(RosterError(path, row.line, "the row has no id: add one, or remove the row"))
    elif _ROUNDED.fullmatch(made["id"]):
        reason = f'a spreadsheet has rounded the id "{made["id"]}": format the column as text, and fill it in again'
        mistakes.append(RosterError(path, row.line, reason))
    group = row.first("group")
    made.update(
        line=row.line,
        group="" if kind.person is _moodle and key(group) == "default group" else group,
        extension=cell("extension", _extension),
        excused=bool(cell("excused", _truth)),
        free_days=cell("free_days", _days),
        handed_in=cell("handed_in", _time),
        submission=row.first("submission"),
    )
    if made["handed_in"] is None and kind.person is _moodle:
        made["handed_in"] = _moodle_time(row.first("last modified (submission)"))
    return (None, mistakes) if mistakes else (Person(**made), [])


def _extension(text: str) -> datetime | float:
    if _NUMBER.fullmatch(text):
        return _at_most_years(float(text.replace(",", ".")))
    try:
        return parsed_time(text)
    except ValueError:
        raise ValueError(
            f"“{text}” is neither a time nor a number of days: write one such as 2026-11-20, 2026-11-20T18:00 or 2"
        ) from None


def _time(text: str) -> datetime:
    try:
        return parsed_time(text)
    except ValueError:
        raise ValueError(f"“{text}” is not a time: write one such as 2026-11-20T18:00") from None


def _truth(text: str) -> bool:
    if key(text) in _YES | _NO:
        return key(text) in _YES
    raise ValueError(f"“{text}” is neither yes nor no: write one of these, or nothing")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"“{text}” is not a whole number of days: write one such as 2")
    return int(_at_most_years(float(text)))


def _at_most_years(days: float) -> float:
    if days > _MOST_DAYS:
        raise ValueError(f"{days:g} days are more than {_MOST_DAYS:,}: write fewer, or a time")
    return days


def _moodle_time(text: str) -> datetime | None:
    """Return the time that Moodle writes in English; None for "-" and for other languages."""
    match = _MOODLE_TIME.fullmatch(text)
    if match is None:
        return None
    month = (match["month"] or match["month2"])[:3].lower()
    if month not in _MONTHS:
        return None
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].upper() == "PM" else 0)
    day = int(match["day"] or match["day2"])
    try:
        return datetime(int(match["year"]), _MONTHS.index(month) + 1, day, hour, int(match["minute"]))
    except ValueError:
        return None


def _contradictions(people: Sequence[Person], path: Path) -> list[RosterError]:
    """Return the mistakes that only several rows make together."""
    mistakes: list[RosterError] = []
    ids: dict[str, Person] = {}
    submissions: dict[str, Person] = {}
    groups: dict[str, Person] = {}
    for person in people:
        earlier = ids.setdefault(key(person.id), person)
        if earlier is not person:
            reason = f'the id "{person.id}" is that of line {earlier.line} as well: give each student one row'
            mistakes.append(RosterError(path, person.line, reason))
            continue
        if not person.submission:
            continue
        other = submissions.setdefault(key(person.submission), person)
        if other is not person and not (person.group and key(person.group) == key(other.group)):
            reason = (
                f'the submission "{person.submission}" is that of line {other.line} as well: correct one of them, or '
                "write the same group in both rows"
            )
            mistakes.append(RosterError(path, person.line, reason))
        if person.group:
            first = groups.setdefault(key(person.group), person)
            if key(first.submission) != key(person.submission):
                reason = (
                    f'the group "{person.group}" has the submission "{first.submission}" in line {first.line} and '
                    f'"{person.submission}" here: name the one that counts'
                )
                mistakes.append(RosterError(path, person.line, reason))
    return mistakes
