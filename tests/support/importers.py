"""Replicas of the importers of learning management systems, with what they refuse and what they skip silently.

Those of Canvas and Moodle follow the importers' own code, rule by rule. Those of Brightspace and Blackboard follow
their documentation and other people's programs.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class RefusedByImporterError(Exception):
    """The importer refuses the whole file."""


def unzipped(content: bytes | None) -> dict[str, bytes]:
    """Return the files of a zip."""
    if content is None:
        return {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def table(text: str, delimiter: str = ",") -> list[list[str]]:
    """Return the rows of a table as Ruby and PHP read it, which refuse what is not quoted right."""
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]


# Canvas --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CanvasStudent:
    """A student of a Canvas course."""

    sortable: str
    name: str
    sis: str = ""
    login: str = ""


@dataclass
class Canvas:
    """A course, and the two imports of it.

    assignments: titles by ids.
    scores: by student and assignment: a number as text, "EX", or "" for none.
    unassigned: pairs of student and assignment, whose cells are ignored.
    attachments: by id: the owner, the name that is shown, and whether it belongs to the current submission.
    """

    students: dict[int, CanvasStudent]
    assignments: dict[int, str]
    scores: dict[tuple[int, int], str] = field(default_factory=dict)
    possible: dict[int, str] = field(default_factory=dict)
    unassigned: set[tuple[int, int]] = field(default_factory=set)
    attachments: dict[int, tuple[int, str, bool]] = field(default_factory=dict)

    def import_gradebook(self, content: bytes) -> dict[tuple[int, int], tuple[str, str]]:
        """Return the changes that Canvas offers, old and new score by student and assignment, and make them.

        Raises RefusedByImporterError for a file that it refuses, or that would make new students or assignments.
        """
        text = content.decode("utf-8-sig")
        rows = table(text, self._delimiter(text.splitlines()[:3]))
        head, *rest = rows
        start = self._student_columns(head)
        columns = {}
        for at in range(start, len(head)):
            if re.search(r"(Current|Final) (Score|Points|Grade)|Override (Score|Grade|Status)", head[at]):
                continue
            match = re.fullmatch(r"(.*) \((\d+)\)", head[at])
            if match is None or int(match[2]) not in self.assignments:
                raise RefusedByImporterError(f"a new assignment: {head[at]}")
            columns[at] = int(match[2])
        points: list[str] = []
        changes: dict[tuple[int, int], tuple[str, str]] = {}
        for row in rest:
            if "Points Possible" in row[0]:
                points = row
                self.possible.update({id_: row[at] for at, id_ in columns.items() if row[at]})
            elif all(re.fullmatch(r"(?i)\s*(Muted|Manual Posting.*)?\s*", cell) for cell in row):
                continue
            else:
                student = self._student(head, row)
                for at, assignment in columns.items():
                    if (points and "read only" in points[at]) or (student, assignment) in self.unassigned:
                        continue
                    old, new = self.scores.get((student, assignment), ""), _normalised(row[at].strip())
                    if not self._equal(old, new):
                        changes[student, assignment] = (old, new)
        self.scores.update({place: new for place, (_, new) in changes.items()})
        return changes

    def _delimiter(self, lines: list[str]) -> str:
        counts = {}
        for each in ";,":
            found = {len(next(csv.reader([line], delimiter=each))) for line in lines}
            counts[each] = found.pop() if len(found) == 1 else 0
        return ";" if counts[";"] > counts[","] else ","

    def _student_columns(self, head: list[str]) -> int:
        names = 4 if head[:2] == ["LastName", "FirstName"] else 3
        whole = (len(head) > 3 and "Student" in head[0] and "ID" in head[1]) or (
            len(head) > 4 and "LastName" in head[0] and "FirstName" in head[1] and "ID" in head[2]
        )
        if not whole:
            raise RefusedByImporterError("Invalid header row")
        columns = names
        if head[names - 1] == "SIS Login ID":
            columns += 1
        elif head[names - 1 : names + 1] == ["SIS User ID", "SIS Login ID"]:
            columns += 2 + (head[names + 1] == "Integration ID")
            columns += head[columns - 1] == "Root Account"
        if "Section" not in head[columns - 1]:
            raise RefusedByImporterError("Invalid header row")
        return columns

    def _student(self, head: list[str], row: list[str]) -> int:
        cells = dict(zip(head, row, strict=True))
        id_ = cells["ID"]
        if id_.isdigit() and int(id_) in self.students:
            return int(id_)
        for heading, key in (("SIS User ID", "sis"), ("SIS Login ID", "login")):
            for number, student in self.students.items():
                if cells.get(heading) and getattr(student, key) == cells[heading]:
                    return number
        for number, student in self.students.items():
            if row[0] in (student.name, student.sortable):
                return number
        raise RefusedByImporterError(f"a new student: {row[0]}")

    def _equal(self, old: str, new: str) -> bool:
        if old == new or (old in ("", "-") and new in ("", "-")):
            return True
        if not old or not new or "EX" in (old.upper(), new.upper()):
            return False
        return round(float(old), 2) == round(float(new), 2)

    def upload_submissions(self, content: bytes | None) -> tuple[dict[int, list[tuple[str, bytes]]], list[str]]:
        """Return the comments' attachments by student, each with the name that is shown; and the ignored files."""
        comments: dict[int, list[tuple[str, bytes]]] = {}
        ignored = []
        for path, data in unzipped(content).items():
            name = path.rpartition("/")[2]
            parts = [part for part in name.split("_") if part != "LATE"]
            numbers = [int(part) for part in parts if part.isascii() and part.isdigit()][:2]
            useless = parts[-1].startswith("link") or name.startswith("._") or len(numbers) < 2
            owner, shown, current = self.attachments.get(numbers[1] if not useless else -1, (-1, "", False))
            if useless or owner != numbers[0] or not current:
                ignored.append(path)
            else:
                comments.setdefault(owner, []).append((shown, data))
        return comments, ignored


def _normalised(text: str) -> str:
    """Return a number with a decimal point: the last separator is the decimal one."""
    if not re.fullmatch(r"-?[0-9.,]+%?", text):
        return text
    *whole, last = re.split("[,.]", text)
    return f"{''.join(whole)}.{last}" if whole else last


# Moodle --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Language:
    """The words and the decimal separator of a language that Moodle speaks."""

    id: str
    participant: str  # the word before the number, as it is written in the first column
    grade: str
    modified: str
    feedback: str
    comma: bool


ENGLISH: Final = Language(
    "Identifier", "Participant ", "Grade", "Last modified (grade)", "Feedback comments", comma=False
)
GERMAN: Final = Language(
    "ID", "Teilnehmer/in", "Bewertung", "Zuletzt geändert (Bewertung)", "Feedback als Kommentar", comma=True
)
DUTCH: Final = Language(
    "Identificatie", "Deelnemer ", "Cijfer", "Laatst gewijzigd (cijfer)", "Feedback-opmerkingen", comma=True
)


@dataclass
class MoodleParticipant:
    """A participant of an assignment. `changed`: whether the grade changed after the worksheet was exported."""

    grade: float | None = None
    comment: str = ""
    locked: bool = False
    changed: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    own_files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Moodle:
    """An assignment, and the two imports of it. `people`: by the number of the participant."""

    people: dict[int, MoodleParticipant]
    most: float = 100.0

    def import_worksheet(self, content: bytes, language: Language = ENGLISH, separator: str = ",") -> list[int]:
        """Read grades and comments, and return whose grade was changed. Whoever is skipped is not named."""
        head, *rows = table(content.decode("utf-8-sig"), separator)
        try:
            id_, grade, modified = (head.index(each) for each in (language.id, language.grade, language.modified))
        except ValueError:
            raise RefusedByImporterError("invalidgradeimport") from None
        feedback = head.index(language.feedback) if language.feedback in head else None
        updated = []
        for row in rows:
            number = row[id_][len(language.participant) :]
            if not number.isdigit() or int(number) not in self.people:
                continue
            assert row[modified], "the time of the last change"
            person = self.people[int(number)]
            new = self._float(row[grade], language)
            skipped = new is None or new < 0 or new > self.most or person.locked or person.changed
            if not skipped and new != person.grade:
                person.grade = new
                updated.append(int(number))
            if feedback and not person.changed:
                person.comment = row[feedback]
        return updated

    def _float(self, text: str, language: Language) -> float | None:
        """Return the number as PHP reads it: the beginning of the text, up to the first letter or separator."""
        text = text.strip().replace(" ", "")
        if not text:
            return None
        match = re.match(r"-?\d+(\.\d+)?", text.replace(",", ".") if language.comma else text)
        return float(match[0]) if match else 0.0

    def upload_feedback(self, content: bytes | None) -> list[str]:
        """Take feedback files over, and return the paths of those that are skipped."""
        skipped = []
        for path, data in unzipped(content).items():
            if not self._take(path, data):
                skipped.append(path)
        return skipped

    def _take(self, path: str, data: bytes) -> bool:
        if path.rpartition("/")[2].startswith((".", "~")):
            return False
        parts = path.split("/")
        while parts:
            info = parts.pop(0).split("_", 4)
            if len(info) < 4 or not info[1].isdigit() or int(info[1]) not in self.people:
                continue
            if info[2:4] != ["assignsubmission", "file"]:
                continue
            name = "/".join([*info[4:5], *parts]) if len(info) > 4 else "/" + "/".join(parts)
            person = self.people[int(info[1])]
            if person.own_files.get(name.strip("/")) == data:
                return False
            person.files[name.strip("/")] = data
            return True
        return False


# Brightspace and Blackboard ------------------------------------------------------------------------------------------


@dataclass
class Brightspace:
    """The grades of a course. `grades`: by the user's id and the item's name."""

    users: dict[str, str]  # user names by OrgDefinedId
    items: dict[str, float]  # the greatest number by name
    exceeding: frozenset[str] = frozenset()
    grades: dict[tuple[str, str], float] = field(default_factory=dict)

    def import_grades(self, content: bytes) -> list[tuple[str, str]]:
        """Return what was changed. A blank changes nothing."""
        head, *rows = table(content.decode("utf-8-sig"))
        if head[-1] != "End-of-Line Indicator" or not {"OrgDefinedId", "Username"} & set(head):
            raise RefusedByImporterError("the file is not a file of grades")
        changed = []
        for row in rows:
            if len(row) != len(head) or row[-1] != "#":
                raise RefusedByImporterError("a row does not end with #")
            cells = dict(zip(head, row, strict=True))
            user = cells.get("OrgDefinedId", "").removeprefix("#")
            if user not in self.users:
                raise RefusedByImporterError(f"an unknown user: {user}")
            for heading, cell in cells.items():
                match = re.match(r"(.*?) Points Grade", heading)
                if match is None or not cell or "Calculated Final" in heading:
                    continue
                item, value = match[1], float(cell)
                if item not in self.exceeding:
                    value = min(value, self.items[item])
                if self.grades.get((user, item)) != value:
                    self.grades[user, item] = value
                    changed.append((user, item))
        return changed


@dataclass
class Blackboard:
    """The Grade Center of a course. `grades`: by the user name and the column's number."""

    users: set[str]
    columns: set[str]
    grades: dict[tuple[str, str], float] = field(default_factory=dict)

    def upload(self, content: bytes) -> list[tuple[str, str]]:
        """Return what was changed."""
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        text = content.decode("utf-16" if wide else "utf-8-sig")
        head, *rows = table(text, "\t" if wide else ",")
        name = head.index("Username")
        changed = []
        for row in rows:
            if row[name] not in self.users:
                raise RefusedByImporterError(f"an unknown user: {row[name]}")
            for heading, cell in zip(head, row, strict=True):
                match = re.search(r"\|(\d+)$", heading)
                if (
                    match
                    and match[1] in self.columns
                    and cell
                    and self.grades.get((row[name], match[1])) != float(cell)
                ):
                    self.grades[row[name], match[1]] = float(cell)
                    changed.append((row[name], match[1]))
        return changed


# Gradescope ----------------------------------------------------------------------------------------------------------

_FORMATS: Final = {"text", "html", "simple_format", "md", "ansi"}
_VISIBLE: Final = {"visible", "hidden", "after_due_date", "after_published"}
_TOP: Final[Mapping[str, Any]] = {
    "score": (int, float),
    "execution_time": (int, float),
    "output": str,
    "output_format": _FORMATS,
    "test_output_format": _FORMATS,
    "test_name_format": _FORMATS,
    "visibility": _VISIBLE,
    "stdout_visibility": _VISIBLE,
    "extra_data": dict,
    "tests": list,
    "leaderboard": list,
}
_TEST: Final[Mapping[str, Any]] = {
    "score": (int, float),
    "max_score": (int, float),
    "status": {"passed", "failed"},
    "name": str,
    "name_format": _FORMATS,
    "number": str,
    "output": str,
    "output_format": _FORMATS,
    "tags": list,
    "visibility": _VISIBLE,
    "extra_data": dict,
}


def gradescope(content: bytes) -> tuple[float, dict[str, dict[str, Any]]]:
    """Return the score and the tests by number in a results.json. Raises RefusedByImporterError."""
    document = json.loads(content, parse_constant=_no_constant)
    problems = [*_problems(document, _TOP)]
    for test in document.get("tests", []):
        problems += _problems(test, _TEST)
    scored = [test["score"] for test in document.get("tests", []) if "score" in test]
    if "score" not in document and not scored:
        problems.append("there is no score")
    numbers = [test["number"] for test in document.get("tests", [])]
    if len(set(numbers)) != len(numbers):
        problems.append("two tests have one number")
    if problems:
        raise RefusedByImporterError(problems)
    return document.get("score", sum(scored)), {test["number"]: test for test in document.get("tests", [])}


def _no_constant(text: str) -> None:
    raise RefusedByImporterError(f"{text} is no JSON")


def _problems(document: Mapping[str, Any], keys: Mapping[str, Any]) -> Iterator[str]:
    for key, value in document.items():
        wanted = keys.get(key)
        if wanted is None:
            yield f"unknown: {key}"
        elif isinstance(wanted, set) and value not in wanted:
            yield f"{key}: {value}"
        elif not isinstance(wanted, set) and not isinstance(value, wanted):
            yield f"{key}: {type(value).__name__}"
