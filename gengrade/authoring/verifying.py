"""Check that a course gets the results it declares for its reference, examples, misconceptions and tryouts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gengrade import tryouts
from gengrade.authoring import expected
from gengrade.authoring.trying import problems_of
from gengrade.choices import CheckKind, Isolation, Profile
from gengrade.course import Course
from gengrade.engine import Options, run
from gengrade.facts import Outcome
from gengrade.grade import Grade, ItemKind
from gengrade.grading.checks import known
from gengrade.grading.misconceptions import Library, Misconception
from gengrade.grading.suspects import plant
from gengrade.rubric import Rubric
from gengrade.sandbox import Sandbox, choose
from gengrade.submissions import discard, lay_out
from gengrade.tryouts import Tryouts

_SEED = 1  # any seed will do


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim about a course, and the problems that contradict it."""

    what: str
    problems: tuple[str, ...]


def verify(course: Course, profile: Profile, *, isolation: Isolation = Isolation.AUTO) -> Iterator[Finding]:
    """Grade a course's own reference, examples and misconceptions as a class is graded, and yield the findings.

    The tryouts run on the reference.

    course: the course to check.
    profile: "unit", or "smoke" to train the reference as well.
    isolation: the isolation of the code, as on the command line.

    Raises the exceptions of `gengrade.engine.run`, LibraryError for a misconception that cannot be planted, and
    ExpectedError and TryoutsError.
    """
    library = Library(course.misconceptions)
    to_try = tryouts.read(course)
    with tempfile.TemporaryDirectory(prefix="gengrade-course-") as folder:
        work = Path(folder)
        yield Finding("the reference earns all automatic points", tuple(_reference(course, work, profile, isolation)))
        if course.examples.is_dir():
            yield Finding("the examples get the stated results", tuple(_examples(course, work, isolation)))
        if library:
            found = f"{len(library)} misconception{'s' * (len(library) != 1)} detected and named"
            yield Finding(found, tuple(_named(course, library, work, isolation)))
        if to_try.checks:
            yield Finding("the tryouts run and print something", tuple(_tried(course, to_try, work, isolation)))


def _reference(course: Course, work: Path, profile: Profile, isolation: Isolation) -> Iterator[str]:
    grades = _graded(course, course.reference, work / "of-reference", profile, isolation)
    for grade in grades.values():
        for item in grade.items:
            if item.kind is not ItemKind.MANUAL and item.outcome not in (Outcome.PASSED, None):
                earned = f"{item.points:g} of {item.possible:g} points"
                yield f"the outcome of {item.check} is {item.outcome}, with {earned}: {item.message}"


def _examples(course: Course, work: Path, isolation: Isolation) -> Iterator[str]:
    stated = expected.read(course.examples)
    yield from expected.differences(
        stated, _graded(course, course.examples, work / "of-examples", Profile.UNIT, isolation)
    )


def _named(course: Course, library: Library, work: Path, isolation: Isolation) -> Iterator[str]:
    """Grade a class for each family of checks: each student has one misconception that fails checks of it."""
    asked = {check.partition(".")[0] for check in Rubric.load(course.rubric).checks()}
    by_family: dict[str, list[Misconception]] = {}
    for misconception in library.values():
        by_family.setdefault(misconception.fails[0].partition(".")[0], []).append(misconception)
    for family, some in by_family.items():
        if family in asked:
            yield from _named_in(family, some, course, work, isolation)
        else:
            yield from (f"{each.name}: the rubric has no check {each.fails[0]}" for each in some)


def _named_in(
    family: str, misconceptions: list[Misconception], course: Course, work: Path, isolation: Isolation
) -> Iterator[str]:
    classroom = work / f"class-{family}"
    students = {f"s{number:04}": misconception for number, misconception in enumerate(misconceptions)}
    for student, misconception in students.items():
        planted = classroom / student
        shutil.copytree(course.reference, planted, ignore=shutil.ignore_patterns("__pycache__"))
        plant(misconception, planted)
    # A folder with one submission would itself be graded as a submission.
    shutil.copytree(course.reference, classroom / "t", ignore=shutil.ignore_patterns("__pycache__"))
    grades = _graded(course, classroom, work / f"of-{family}", Profile.UNIT, isolation, part=family)
    for student, each in students.items():
        yield from (f"{each.name}: {problem}" for problem in _not_as_said(each.fails, each.name, grades[student]))


def _not_as_said(fails: tuple[str, ...], name: str, grade: Grade) -> Iterator[str]:
    checks = {
        item.check: item
        for item in grade.items
        if item.check is not None and known()[item.check].kind is CheckKind.UNIT
    }
    judged = {check: item for check, item in checks.items() if item.outcome not in (None, Outcome.BLOCKED)}
    failed = {check for check, item in judged.items() if item.outcome is not Outcome.PASSED}
    for check in sorted((set(fails) & judged.keys()) - failed):
        yield f"{check} passes, although the misconception says that it fails"
    for check in sorted(failed - set(fails)):
        yield f"{check} does not pass, and the misconception does not say so"
    for check in sorted(failed & set(fails)):
        found = judged[check].misconception
        if found is None or found.name != name:
            yield f"for {check} the report names {found.name if found else 'no misconception'}"


def _tried(course: Course, to_try: Tryouts, work: Path, isolation: Isolation) -> Iterator[str]:
    tree = work / "trees" / "reference"
    tree.parent.mkdir()
    lay_out(course.reference, tree, course.parts)
    try:
        with Sandbox(choose(isolation, single=True), course, tree.parent) as sandbox:
            yield from problems_of(course, to_try, sandbox, tree)
    finally:
        discard(tree)


def _graded(
    course: Course, path: Path, out: Path, profile: Profile, isolation: Isolation, part: str | None = None
) -> Mapping[str, Grade]:
    options = Options(
        path, out, course=str(course.folder), profile=profile, data="digits", isolation=isolation, seed=_SEED, part=part
    )
    return {one.grade.student: one.grade for one in run(options).graded}
