"""From facts to grades and pages. Nothing of a submission is opened for it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from gengrade.atomic import write_whole
from gengrade.engine.rescoring import GRADE
from gengrade.engine.results import Graded
from gengrade.grade import score
from gengrade.job import Job, read_facts
from gengrade.marks import Marks
from gengrade.report import write_gradebook, write_index, write_report
from gengrade.rubric import Rubric
from gengrade.submissions import Discovery, Submission

_WRITERS: Final = 4


def write_grades(job: Job, discovery: Discovery, rubric: Rubric, marks: Mapping[str, Marks]) -> dict[str, Graded]:
    """Write the grades, reports and pages of the class, and return its grades by the submission's id.

    The class's pages show all submissions that were ever graded, also when only some were asked for now.
    """
    with ThreadPoolExecutor(_WRITERS) as pool:  # one writes to the disk while another renders
        scores = pool.map(lambda each: _write_grade(job, each, rubric, marks.get(each.id)), discovery.submissions)
        graded = {one.submission.id: one for one in scores if one is not None}
    grades = [one.grade for one in graded.values()]
    if not discovery.single:
        write_index(grades, job.out)
    write_gradebook(grades, rubric, job.out)
    return graded


def _write_grade(job: Job, submission: Submission, rubric: Rubric, marks: Marks | None) -> Graded | None:
    """Write a submission's grade and report; None for one that was not graded yet."""
    folder = job.folder(submission)
    facts = read_facts(job, submission)
    if facts is None:
        return None
    grade = score(facts, rubric, marks)
    write_whole(folder / GRADE, grade.to_json())
    return Graded(submission, grade, folder, write_report(grade, facts, folder))
