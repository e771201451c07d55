"""From facts to grades and pages. Nothing of a submission is opened for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from gengrade.atomic import write_whole
from gengrade.authenticity import Seal
from gengrade.engine.people import named
from gengrade.engine.results import Graded
from gengrade.grade import Grade, score
from gengrade.job import Job, facts_in
from gengrade.marks import Marks
from gengrade.people import People, Standing
from gengrade.report import write_gradebook, write_index, write_report
from gengrade.rubric import Rubric
from gengrade.submissions import Discovery, Submission

GRADE: Final = "grade.json"
_WRITERS: Final = 4


def write_grades(
    job: Job,
    discovery: Discovery,
    rubric: Rubric,
    marks: Mapping[str, Marks],
    people: People,
    names: Mapping[str, str],
    kept: Collection[str] = (),
) -> dict[str, Graded]:
    """Write the grades, reports and pages of the class, and return its grades by the submission's id.

    people: of the class.
    names: of the submissions, by their ids, as people read them.
    kept: the ids of submissions that are not in the class any more, but that its pages still show.

    The class's pages show all submissions that were ever graded, also when only some were asked for now.
    """
    submissions = [named(each, names) for each in discovery.submissions]
    with ThreadPoolExecutor(_WRITERS) as pool:  # one writes to the disk while another renders
        scores = pool.map(
            lambda each: _write_grade(job, each, rubric, marks.get(each.id), people.standing(each.id)), submissions
        )
        graded = {one.submission.id: one for one in scores if one is not None}
    others = [write_grade(job.out / id_, id_, job.seal, rubric, marks.get(id_), people.standing(id_)) for id_ in kept]
    grades = [one.grade for one in graded.values()] + [written[0] for written in others if written]
    shown = people.only(graded) if discovery.single else people
    write_class_pages(grades, rubric, job.out, names, shown, index=not discovery.single)
    return graded


def write_class_pages(
    grades: Sequence[Grade], rubric: Rubric, out: Path, names: Mapping[str, str], people: People, *, index: bool
) -> None:
    """Write the gradebook and, if `index`, the page about the class."""
    if index:
        write_index(grades, out, names, people)
    write_gradebook(grades, rubric, out, names, people)


def _write_grade(
    job: Job, submission: Submission, rubric: Rubric, marks: Marks | None, standing: Standing
) -> Graded | None:
    """Write a submission's grade and report; None for one that was not graded yet."""
    folder = job.folder(submission)
    written = write_grade(folder, submission.id, job.seal, rubric, marks, standing)
    return Graded(submission, written[0], folder, written[1]) if written else None


def write_grade(
    folder: Path, id_: str, seal: Seal, rubric: Rubric, marks: Marks | None, standing: Standing
) -> tuple[Grade, Path] | None:
    """Score the facts in a folder of results; return the grade and the path of its report, or None without facts.

    id_: the submission's id, for which the facts must be sealed.
    standing: the people who handed it in, and how late it is for them.
    """
    facts = facts_in(folder, id_, seal)
    if facts is None:
        return None
    grade = score(facts, rubric, marks, standing)
    write_whole(folder / GRADE, grade.to_json())
    return grade, write_report(grade, facts, folder)
