"""Read the marks of a run: what people typed into files becomes part of the history, and the history is what counts."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Final

from gengrade.marks import Marks, opened
from gengrade.marks.amendments import amended, note_taken_over
from gengrade.marks.importing import ENDING, files_in, read_files, unused
from gengrade.marks.store import NAME, ContentOf
from gengrade.paths import from_here, printable
from gengrade.places import Output, Owners, read_trusted
from gengrade.rubric import Rubric
from gengrade.submissions import Discovery, content

_FACTS: Final = "facts.json"


@dataclass(frozen=True, slots=True)
class ReadMarks:
    """The current marks by the student's id; sentences about those that cannot be used, and about those taken back.

    rubric: the rubric with the criteria that were changed while marking.
    unfit: sentences about changes of criteria that do not fit the rubric any more.
    """

    rubric: Rubric
    marks: dict[str, Marks] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()


def read_marks(
    places: Output,
    students: Mapping[str, str],
    rubric: Rubric,
    withdrawn: Mapping[str, str],
    content_of: ContentOf,
    *,
    single: bool,
) -> ReadMarks:
    """Take over what people typed into files, and return the marks that count.

    places: the folders of the run.
    students: the names of the students that are graded, by their ids.
    withdrawn: the names of students whose submissions were taken out of the class before; their marks are no mistakes.
    content_of: returns the hash of the submission that new marks in files are for.
    single: whether one submission is graded by itself; others in the results are then students as well.

    Raises StoreError if the store cannot be used, and PlaceError for what cannot be trusted.
    """
    if places.marks is None:
        return ReadMarks(rubric)
    known = {**{id_: id_ for id_ in (_graded_earlier(places.folder) if single else ())}, **withdrawn, **students}
    found, problems = files_in(places.marks, known)
    problems += _elsewhere(places)
    if not found and not (places.marks / NAME).exists():
        return ReadMarks(rubric, problems=tuple(problems))
    with opened(places.marks, rubric.assignment, content_of) as store:
        trusted = partial(read_trusted, owners=Owners.of(places.folder))
        note_taken_over(store, rubric, by=operator(), source="gengrade grade")
        rubric, _, unfit = amended(rubric, store.amendments())
        wrong, notes = read_files(store, found, rubric, trusted, operator())
        marks = store.all_current()
    problems += [*wrong, *unused(marks, known, rubric)]
    return ReadMarks(rubric, marks, tuple(problems), tuple(notes), tuple(unfit.values()))


def known_content(discovery: Discovery, earlier: Mapping[str, str]) -> ContentOf:
    """Return a function from a student's id to the hash of the submission that people have marked in files.

    earlier: the hashes of what the last run graded. Whoever marked since then has read that, and not what was handed in
        again meanwhile.
    """
    submissions = {each.id: each for each in discovery.submissions}

    @cache
    def content_of(student: str) -> str | None:
        if student in earlier or student not in submissions:
            return earlier.get(student)
        return content(submissions[student])

    return content_of


def operator() -> str:
    """Return the name of the person who runs the command, as the system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "unknown"


def _graded_earlier(out: Path) -> list[str]:
    """Return the ids of the students whose results are there."""
    return [facts.parent.name for facts in out.glob(f"*/{_FACTS}")]


def _elsewhere(places: Output) -> list[str]:
    """Return a sentence about files of marks beside the results, where earlier versions read them."""
    if places.beside is None or places.marks is None or not any(places.beside.glob(f"*{ENDING}")):
        return []
    here, there = printable(str(from_here(places.beside))), printable(str(from_here(places.marks)))
    return [f"{here}: marks are not read there, since other assignments could share them; move the files to {there}"]
