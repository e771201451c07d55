"""Write the gradebook, as CSV and as an Excel workbook: a row for each student and a column for each question.

A cell is empty while something in it is not decided yet. A zero would be taken for a decision by whoever imports the
table elsewhere, and a sum of what is settled so far for the student's points.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import xlsxwriter  # type: ignore[import-untyped]

from gengrade.atomic import write_whole
from gengrade.grade import Grade, QuestionGrade
from gengrade.report.text import one_line, points
from gengrade.rubric import Question, Rubric

CSV: Final = "gradebook.csv"
WORKBOOK: Final = "gradebook.xlsx"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")  # the first characters of formulas, in some spreadsheet
_SUMS: Final = ("Settled points", "Settled bonus", "Late penalty", "Total", "Possible", "Pending", "Pending bonus")
_BYTE_ORDER_MARK: Final = "\ufeff"  # without it, Excel reads a file as text of the system's old encoding
_WIDTHS: Final = (24, 24, 6)  # of the first columns, in characters

Cell = str | float | None


def rows(grades: Iterable[Grade], rubric: Rubric, names: Mapping[str, str]) -> list[list[Cell]]:
    """Return the table with its headings, students in the order of their ids; text is not escaped yet.

    grades: of the class.
    names: of the students, by their ids; those without one are called by their ids.

    The total is that of the settled points and bonus less the penalty, and empty while anything is pending.
    """
    questions = tuple(rubric.questions())
    table: list[list[Cell]] = [["Student", "Name", "Late", *map(_heading, questions), *_SUMS]]
    for grade in sorted(grades, key=lambda grade: (grade.student.casefold(), grade.student)):
        graded = {question.id: question for question in grade.questions}
        late = None if grade.late is None else "yes" if grade.late else "no"
        total = None if grade.pending or grade.bonus_pending else grade.total
        sums = (grade.points, grade.bonus, grade.penalty, total, grade.possible, grade.pending, grade.bonus_pending)
        cells = [_settled(graded.get(question.id)) for question in questions]
        table.append([grade.student, names.get(grade.student, grade.student), late, *cells, *sums])
    return table


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


def write_gradebook(grades: Iterable[Grade], rubric: Rubric, out: Path, names: Mapping[str, str]) -> tuple[Path, Path]:
    """Write `gradebook.csv` and `gradebook.xlsx` into the folder of results, and return their paths."""
    table = rows(grades, rubric, names)
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
