"""Write the gradebook, as CSV and as an Excel workbook: a row for each student and a column for each question.

With a roster, there is a row for each person in it, and one for each submission that belongs to nobody.

A cell is empty while something in it is not decided yet. A zero would be taken for a decision by whoever imports the
table elsewhere, and a sum of what is settled so far for the student's points.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import xlsxwriter  # type: ignore[import-untyped]

from gengrade.atomic import write_whole
from gengrade.grade import Grade, QuestionGrade
from gengrade.people import NOBODY, People
from gengrade.report.lines import lines_of
from gengrade.report.text import one_line, points
from gengrade.rubric import Question, Rubric

CSV: Final = "gradebook.csv"
WORKBOOK: Final = "gradebook.xlsx"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")  # the first characters of formulas, in some spreadsheet
_PEOPLE: Final = ("Student", "Name", "Group", "Submission", "Status", "Late")
_SUMS: Final = ("Settled points", "Settled bonus", "Penalty", "Total", "Possible", "Pending", "Pending bonus")
_SECONDS: Final = {"day": 86_400, "hour": 3_600}
_BYTE_ORDER_MARK: Final = "\ufeff"  # without it, Excel reads a file as text of the system's old encoding
_WIDTHS: Final = (24, 24, 12, 24, 18, 6)  # of the first columns, in characters

Cell = str | float | None


def rows(
    grades: Iterable[Grade], rubric: Rubric, names: Mapping[str, str], people: People = NOBODY
) -> list[list[Cell]]:
    """Return the table with its headings, students in the order of their ids; text is not escaped yet.

    grades: of the class.
    names: of the submissions, by their ids; those without one are called by their ids.
    people: of the class.

    The total is that of the settled points and bonus less the penalty. It is empty while anything is pending, as is the
    penalty while that is undecided. Of a person whose submission is not there, or not known, there are no points.
    """
    questions = tuple(rubric.questions())
    lines = lines_of(grades, people, names)
    unit = (rubric.late.per if rubric.late else None) or "day"
    free = any(line.grade.lateness.free_days_used for line in lines if line.grade)
    lateness = [f"Late by ({unit}s)", *(["Free days used"] if free else [])]
    table: list[list[Cell]] = [[*_PEOPLE, *lateness, *map(_heading, questions), *_SUMS]]
    for line in lines:
        # The id of a submission may be that of another student in the roster, who must not get its points.
        first: list[Cell] = [
            None if line.stray else line.id,
            line.name,
            line.group or None,
            line.submission,
            str(line.status),
        ]
        table.append(first + _cells(line.grade, questions, unit, free=free))
    return table


def _cells(grade: Grade | None, questions: Sequence[Question], unit: str, *, free: bool) -> list[Cell]:
    """Return the cells that depend on the grade. `free`: whether there is a column for free days."""
    if grade is None:
        return [None] * (2 + free + len(questions) + len(_SUMS))
    graded = {question.id: question for question in grade.questions}
    late = None if grade.late is None else "yes" if grade.late else "no"
    by = None if grade.lateness.seconds is None else round(grade.lateness.seconds / _SECONDS[unit], 2)
    penalty = None if grade.undecided else grade.penalty
    total = None if grade.open else grade.total
    sums = (grade.points, grade.bonus, penalty, total, grade.possible, grade.pending, grade.bonus_pending)
    used = [grade.lateness.free_days_used] if free else []
    return [late, by, *used, *(_settled(graded.get(question.id)) for question in questions), *sums]


def as_csv(table: Iterable[Iterable[Cell]]) -> str:
    """Return the table as CSV text, with commas, quoting and line ends as in RFC 4180, and a byte order mark."""
    file = io.StringIO()
    csv.writer(file).writerows([_written(each) for each in row] for row in table)
    return _BYTE_ORDER_MARK + file.getvalue()


def as_workbook(table: Iterable[Iterable[Cell]]) -> bytes:
    """Return the table as an Excel workbook, in which text such as "00123456" or "2024-03-05" stays text."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Grades")
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        for place, width in enumerate(_WIDTHS):
            sheet.set_column(place, place, width)
        for number, row in enumerate(table):
            for place, each in enumerate(row):
                if isinstance(each, str):
                    sheet.write_string(number, place, one_line(each), bold if number == 0 else None)
                elif each is not None:
                    sheet.write_number(number, place, each)
        sheet.freeze_panes(1, 1)
    return file.getvalue()


def write_gradebook(
    grades: Iterable[Grade], rubric: Rubric, out: Path, names: Mapping[str, str], people: People = NOBODY
) -> tuple[Path, Path]:
    """Write `gradebook.csv` and `gradebook.xlsx` into the folder of results, and return their paths."""
    table = rows(grades, rubric, names, people)
    write_whole(out / CSV, as_csv(table))
    write_whole(out / WORKBOOK, as_workbook(table))
    return out / CSV, out / WORKBOOK


def cell(text: str) -> str:
    """Return the text as one line, with an apostrophe in front if a spreadsheet might read it as a formula."""
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def _written(content: Cell) -> str:
    if content is None:
        return ""
    return cell(content) if isinstance(content, str) else points(content)


def _heading(question: Question) -> str:
    return f"{question.id} {question.title} ({question.points:g}{' bonus' if question.bonus else ''})"


def _settled(question: QuestionGrade | None) -> float | None:
    if question is None or question.pending or question.bonus_pending:
        return None
    return round(question.points + question.bonus, 2)
