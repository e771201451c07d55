"""Score students of a graded class again after somebody changed their marks. Nothing of a submission is opened."""

from __future__ import annotations

from contextlib import suppress

from gengrade.engine.grades import GRADE, write_class_pages, write_grade
from gengrade.engine.record import GradedClass
from gengrade.grade import Grade
from gengrade.marks import Marks
from gengrade.places import Owners
from gengrade.report.index import INDEX


def rescore(graded: GradedClass, student: str, marks: Marks | None) -> Grade | None:
    """Write a student's grade and report with these marks, and return the grade; None if there are no facts of ours."""
    written = write_grade(graded.out / student, student, graded.seal, graded.rubric, marks)
    return written[0] if written else None


def grades_of(graded: GradedClass) -> dict[str, Grade]:
    """Return the grades in the folder of results, by the student's id, of all who were graded. Raises PlaceError."""
    owners = Owners.of(graded.out)
    found = {}
    for student in graded.names:
        path = graded.out / student / GRADE
        with suppress(OSError, ValueError):  # a student who was not graded yet
            owners.require(path, path.lstat())
            found[student] = Grade.read(path)
    return found


def rewrite_class_pages(graded: GradedClass) -> None:
    """Write the pages about the whole class from its grades."""
    grades = list(grades_of(graded).values())
    write_class_pages(
        grades, graded.rubric, graded.out, graded.names, index=len(grades) > 1 or (graded.out / INDEX).exists()
    )
