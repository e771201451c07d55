"""Score students of a graded class again after somebody changed their marks. Nothing of a submission is opened."""

from __future__ import annotations

from contextlib import suppress

from gengrade.engine.grades import GRADE, write_class_pages, write_grade
from gengrade.engine.record import GradedClass
from gengrade.grade import Grade
from gengrade.lateness import Lateness, LateSource
from gengrade.marks import Marks
from gengrade.marks.store import NAME
from gengrade.people import Standing
from gengrade.places import Owners
from gengrade.report.index import INDEX


def rescore(graded: GradedClass, student: str, marks: Marks | None) -> Grade | None:
    """Write a student's grade and report with these marks, and return the grade; None if there are no facts of ours."""
    standing = _standing(graded, student)
    written = write_grade(graded.out / student, student, graded.seal, graded.rubric, marks, standing)
    return written[0] if written else None


def _standing(graded: GradedClass, student: str) -> Standing:
    """Return what is known about a submission's people; its last grade knows it if an earlier version graded it."""
    if student in graded.people.lateness:
        return graded.people.standing(student)
    late = None
    with suppress(OSError, ValueError):
        late = _grade_in(graded, student, Owners.of(graded.out)).late
    return Standing(lateness=Lateness(late=late, source=None if late is None else LateSource.NAME))


def _grade_in(graded: GradedClass, student: str, owners: Owners) -> Grade:
    """Read a student's grade. Raises OSError or ValueError if there is none, and PlaceError."""
    path = graded.out / student / GRADE
    owners.require(path, path.lstat())
    return Grade.read(path)


def grades_of(graded: GradedClass) -> dict[str, Grade]:
    """Return the grades in the folder of results, by the student's id, of all who were graded. Raises PlaceError."""
    owners = Owners.of(graded.out)
    found = {}
    for student in graded.names:
        with suppress(OSError, ValueError):  # a student who was not graded yet
            found[student] = _grade_in(graded, student, owners)
    return found


def by_its_marks(graded: GradedClass) -> GradedClass:
    """Return a class with the criteria that were changed while marking, and with all grades by the present marks.

    A marking room that was killed has kept each mark, but may not have written what follows from it.
    """
    if not (graded.marks / NAME).exists():
        return graded
    with graded.open_marks() as store:
        graded, marks = graded.amended(store), store.all_current()
    stale = [
        student
        for student, grade in grades_of(graded).items()
        if grade.provenance.marks != marks.get(student, Marks()).sha256
        or grade.provenance.amendments != graded.rubric.amendments
    ]
    for student in stale:
        rescore(graded, student, marks.get(student))
    if stale:
        rewrite_class_pages(graded)
    return graded


def rewrite_class_pages(graded: GradedClass) -> None:
    """Write the pages about the whole class from its grades."""
    grades = list(grades_of(graded).values())
    index = len(grades) > 1 or (graded.out / INDEX).exists()
    write_class_pages(grades, graded.rubric, graded.out, graded.names, graded.people, index=index)
