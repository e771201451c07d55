"""Score students of a graded class again after somebody changed their marks. Nothing of a submission is opened."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from gengrade.atomic import write_whole
from gengrade.engine.record import GradedClass
from gengrade.grade import Grade, score
from gengrade.job import facts_in
from gengrade.marks import Marks
from gengrade.places import Owners
from gengrade.report import write_gradebook, write_index, write_report

GRADE: Final = "grade.json"


def rescore(graded: GradedClass, student: str, marks: Marks | None) -> Grade | None:
    """Write a student's grade and report with these marks, and return the grade; None if there are no facts of ours."""
    folder = graded.out / student
    facts = facts_in(folder, student, graded.seal)
    if facts is None:
        return None
    grade = score(facts, graded.rubric, marks)
    write_whole(folder / GRADE, grade.to_json())
    write_report(grade, facts, folder)
    return grade


def rewrite_class_pages(graded: GradedClass, students: Iterable[str]) -> None:
    """Write the pages about the whole class from the grades of these students."""
    owners = Owners.of(graded.out)
    grades = []
    for student in students:
        path = graded.out / student / GRADE
        with suppress(OSError, ValueError):  # a student who was not graded yet
            owners.require(path, path.lstat())
            grades.append(Grade.read(path))
    if len(grades) > 1 or (graded.out / "index.html").exists():
        write_index(grades, graded.out)
    write_gradebook(grades, graded.rubric, graded.out)
