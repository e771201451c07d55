"""Write the gradebook, a CSV file with a row for each student and a column for each question."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from gengrade.atomic import write_whole
from gengrade.grade import Grade, QuestionGrade
from gengrade.report.text import one_line, points
from gengrade.rubric import Question, Rubric

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")  # the first characters of formulas, in some spreadsheet


def gradebook(grades: Iterable[Grade], rubric: Rubric) -> str:
    """Return the CSV text, with commas, quoting and line ends as in RFC 4180.

    A question's cell holds its settled points, bonus included.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    questions = tuple(rubric.questions())
    writer.writerow(
        [
            "Student",
            "Late",
            *(cell(_heading(question)) for question in questions),
            "Points",
            "Bonus",
            "Late penalty",
            "Total",
            "Pending",
        ]
    )
    for grade in sorted(grades, key=lambda grade: (grade.student.casefold(), grade.student)):
        graded = {question.id: question for question in grade.questions}
        late = "" if grade.late is None else "yes" if grade.late else "no"
        sums = (grade.points, grade.bonus, grade.penalty, grade.total, grade.pending)
        cells = [_points(graded.get(question.id)) for question in questions]
        writer.writerow([cell(grade.student), late, *cells, *(points(value) for value in sums)])
    return file.getvalue()


def write_gradebook(grades: Iterable[Grade], rubric: Rubric, out: Path) -> Path:
    """Write `gradebook.csv` into the folder of results, and return its path."""
    path = out / "gradebook.csv"
    write_whole(path, gradebook(grades, rubric))
    return path


def cell(text: str) -> str:
    """Return the text as one line, with an apostrophe in front if a spreadsheet might read it as a formula."""
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def _heading(question: Question) -> str:
    return f"{question.id} {question.title} ({question.points:g}{' bonus' if question.bonus else ''})"


def _points(question: QuestionGrade | None) -> str:
    return points(question.points + question.bonus) if question else ""
