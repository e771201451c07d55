"""Freeze what students are given: a numbered folder with their reports, the gradebook, and what these were made from.

    results/releases/1/manifest.json              who gets what, and all that the points depend on; sealed
                       <submission>/report.html   as the student sees it, with the release's number
                                    grade.json
                       gradebook.csv, gradebook.xlsx, index.html, rubric.yaml, marks.csv

A release is written once and never changed: its files are compared with the manifest's hashes before they are used.
The secret, from which the inputs of checks were drawn, is kept apart from it. The manifest and the reports show its
hash, so that it can be shown later that the inputs were not chosen for anybody.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from gengrade import __version__
from gengrade.atomic import write_whole
from gengrade.course import load
from gengrade.engine import GradedClass, UsageError, grades_of, seeds
from gengrade.engine.grades import GRADE, write_class_pages
from gengrade.engine.record import KeptRun
from gengrade.facts import Frozen
from gengrade.grade import Grade
from gengrade.job import facts_in
from gengrade.job.provenance import code_hash
from gengrade.marks.store import NAME
from gengrade.marks.table import in_order, to_csv
from gengrade.paths import from_here, printable
from gengrade.places import RELEASES, WORK, Owners, read_plain
from gengrade.publish.entries import REPORT, Entry, entries_of
from gengrade.publish.published import digest_of
from gengrade.report.student import Stamp, student_page
from gengrade.texts import listed

RUBRIC: Final = "rubric.yaml"
_MARKS: Final = "marks.csv"
_MANIFEST: Final = "manifest.json"
_KIND: Final = "release"  # under which the seals of manifests are made
_SECRETS: Final = ".secrets"  # the folder of seeds and secrets, beside the releases
_WRITERS: Final = 4
_NAMED: Final = 5


class Circumstances(Frozen):
    """All that the points of a class depend on, besides submissions and marks.

    version: of gengrade.
    code: a hash over the graders, the course and the harness below them.
    rubric: a hash over the rubric's file.
    amendments: a hash over the criteria that were changed while marking; None if they are the rubric's.
    run: the options of the last run; None if an earlier version graded the class.
    seed: of the inputs; None like `run`.
    commitment: the hash of the secret that the inputs were drawn with; None like `run`.
    """

    version: str
    course: str
    code: str
    rubric: str
    amendments: str | None
    run: KeptRun | None
    seed: int | None
    commitment: str | None


class Manifest(Frozen):
    """What a release holds. `files` are the hashes of its files, by their paths in its folder."""

    number: int
    at: datetime  # UTC
    by: str
    assignment: str
    circumstances: Circumstances
    entries: tuple[Entry, ...]
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def stamp(self) -> Stamp:
        """What reports say about the release."""
        return Stamp(self.number, f"{self.at:%Y-%m-%d %H:%M} UTC", self.circumstances.commitment)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The grades of a class at one time: in a release, or now.

    name: "release 2" or "now".
    entries: what each person gets.
    grades: by the submission's id.
    """

    name: str
    circumstances: Circumstances
    entries: tuple[Entry, ...]
    grades: Mapping[str, Grade]


@dataclass(frozen=True, slots=True)
class Release:
    """A release, and where it lies."""

    folder: Path
    manifest: Manifest

    @property
    def number(self) -> int:
        return self.manifest.number

    def content(self, path: str) -> bytes:
        """Return the content of one of its files. Raises UsageError if it was changed since, and OSError."""
        content = read_plain(self.folder / path)
        if digest_of(content) != self.manifest.files.get(path):
            raise UsageError(
                f"{printable(str(from_here(self.folder / path)))}: it was changed since release {self.number} was "
                "made, so that it is not what students were given: bring the file back, or make a new release"
            )
        return content

    def snapshot(self) -> Snapshot:
        """Return its grades. Raises UsageError if one of its files is missing, or was changed."""
        submissions = {entry.submission for entry in self.manifest.entries if entry.digest is not None}
        try:
            grades = {
                submission: Grade.model_validate_json(self.content(f"{submission}/{GRADE}"))
                for submission in submissions
                if submission is not None
            }
        except OSError as error:
            where = error.filename or self.folder
            raise UsageError(
                f"{where}: a file of release {self.number} cannot be read ({error.strerror}): bring it back"
            ) from None
        name = f"release {self.number}"
        return Snapshot(name, self.manifest.circumstances, self.manifest.entries, grades)


def snapshot_now(graded: GradedClass) -> Snapshot:
    """Return the grades as they are now."""
    grades = grades_of(graded)
    entries = entries_of(grades, graded.kept, graded.names)
    drawn = seeds.kept(graded.out / WORK, graded.seal) if graded.run else None
    course = load(graded.run.course) if graded.run else None
    circumstances = Circumstances(
        version=__version__,
        course=course.name if course else next((each.provenance.course for each in grades.values()), ""),
        code=f"sha256:{code_hash(course)}" if course else "",
        rubric=graded.rubric.sha256,
        amendments=next((each.provenance.amendments for each in grades.values()), None),
        run=graded.run,
        seed=drawn.seed if drawn else None,
        commitment=drawn.commitment if drawn else None,
    )
    return Snapshot("now", circumstances, entries, grades)


def releases(graded: GradedClass) -> list[Release]:
    """Return the releases of a class, the newest last. What is not ours, or was changed, is left out."""
    found = []
    for number in _numbers(graded.out / RELEASES):
        with suppress(UsageError):
            found.append(release(graded, number))
    return found


def newest(graded: GradedClass) -> Release:
    """Return the newest release. Raises UsageError if there is none."""
    found = releases(graded)
    if not found:
        out = printable(str(from_here(graded.out)))
        raise UsageError(f"{out}: nothing was released yet: gengrade release freezes what students get")
    return found[-1]


def release(graded: GradedClass, number: int) -> Release:
    """Return a release by its number. Raises UsageError if there is none, or its manifest was changed."""
    folder = graded.out / RELEASES / str(number)
    shown = printable(str(from_here(folder / _MANIFEST)))
    try:
        Owners.of(graded.out).require(folder, folder.lstat())
        sealed = read_plain(folder / _MANIFEST)
    except OSError:
        known = [str(each) for each in _numbers(graded.out / RELEASES)]
        there = f"there is {listed(known, _NAMED)}" if known else "there is none yet: make one with gengrade release"
        raise UsageError(f"there is no release {number}; {there}") from None
    document = graded.seal.opened_json(_KIND, str(number), sealed)
    if document is None:
        raise UsageError(f"{shown}: it was not written by you, or was changed since: bring the file back")
    try:
        return Release(folder, Manifest.model_validate_json(document))
    except ValidationError:
        raise UsageError(f"{shown}: it was written by another version of gengrade: use that one") from None


def undecided(snapshot: Snapshot) -> list[Entry]:
    """Return those whose points are not decided yet, so that they cannot be given to anybody."""
    return [entry for entry in snapshot.entries if entry.open and not entry.stray]


def make(graded: GradedClass, snapshot: Snapshot, *, by: str) -> Release:
    """Write the next release: what the class's grades are now. Raises OSError, and PlaceError for links.

    graded: the class, with the criteria that were changed while marking.
    snapshot: its grades.
    by: who makes it.
    """
    above = graded.out / RELEASES
    number = max(_numbers(above), default=0) + 1
    manifest = Manifest(
        number=number,
        at=datetime.now(UTC).replace(microsecond=0),
        by=by,
        assignment=graded.rubric.assignment,
        circumstances=snapshot.circumstances,
        entries=snapshot.entries,
    )
    building = above / f".{number}.tmp"
    shutil.rmtree(building, ignore_errors=True)  # of a command that was killed
    write_whole(building / RUBRIC, graded.rubric.path.read_bytes())
    _write_marks(graded, building)
    _write_reports(graded, snapshot, manifest.stamp, building)
    write_class_pages(list(snapshot.grades.values()), graded.rubric, building, graded.names, graded.people, index=True)
    files = {
        str(path.relative_to(building)): digest_of(path.read_bytes()) for path in building.rglob("*") if path.is_file()
    }
    manifest = manifest.model_copy(update={"files": dict(sorted(files.items()))})
    sealed = graded.seal.sealed_json(_KIND, str(number), manifest.model_dump_json(indent=1))
    write_whole(building / _MANIFEST, sealed)
    if drawn := seeds.kept(graded.out / WORK, graded.seal):
        seeds.keep(_secrets(graded, number), drawn, graded.seal)
    folder = above / str(number)
    os.rename(building, folder)
    return Release(folder, manifest)


def _write_marks(graded: GradedClass, folder: Path) -> None:
    """Write all marks, with those of students whose submission is gone."""
    if (graded.marks / NAME).exists():
        with graded.open_marks() as store:
            write_whole(folder / _MARKS, to_csv(in_order(store.all_current(), graded.rubric)))


def _write_reports(graded: GradedClass, snapshot: Snapshot, stamp: Stamp, folder: Path) -> None:
    def write(submission: str, grade: Grade) -> None:
        own = graded.out / submission
        facts = facts_in(own, submission, graded.seal)
        if facts is None:
            raise UsageError(
                f"{printable(str(from_here(own)))}: its facts are missing or were changed: grade the class again"
            )
        write_whole(folder / submission / GRADE, grade.to_json())
        write_whole(folder / submission / REPORT, student_page(grade, facts, own, stamp))

    with ThreadPoolExecutor(_WRITERS) as pool:  # one writes to the disk while another renders
        for _ in pool.map(lambda pair: write(*pair), snapshot.grades.items()):
            pass


def drawn_for(graded: GradedClass, number: int) -> seeds.Drawn | None:
    """Return the seed and the secret of a release; None if they are not there any more."""
    return seeds.kept(_secrets(graded, number), graded.seal)


def _secrets(graded: GradedClass, number: int) -> Path:
    return graded.out / RELEASES / _SECRETS / str(number)


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of the releases in a folder, in their order."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(name) for name in names if name.isdecimal() and name.isascii() and str(int(name)) == name)
