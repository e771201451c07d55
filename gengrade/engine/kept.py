"""What no submission may see of a run and of others, wherever the operator keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from gengrade import data as datasets
from gengrade.authenticity import key_file
from gengrade.caching import OURS, cache_folder
from gengrade.course import Course
from gengrade.engine.options import Options
from gengrade.engine.record import GradedClass
from gengrade.home import HOME
from gengrade.rubric import Rubric
from gengrade.sandbox import Kept
from gengrade.submissions import Submission

_ANOTHER_OUT: Final = "Give another --out"


def kept_by_run(
    options: Options, course: Course, rubric: Rubric, out: Path, submissions: Sequence[Submission]
) -> tuple[Kept, ...]:
    """Return what no submission of the run may see: results, other submissions, marks, rubric, course, key and data."""
    path = options.path.resolve()
    move = "Hand it in from another folder"
    kept = [
        _results(out),
        Kept("what is graded", path, move),
        Kept("the folder of what is graded", path.parent, move, wished=True),
        Kept("the rubric", rubric.path.resolve(), "Keep it elsewhere", public=True),
    ]
    for submission in submissions:
        for source in (submission.source.resolve(), *(each.resolve() for each in submission.attachments)):
            if path not in (source, *source.parents):  # by a link
                kept.append(Kept("a submission", source, move))
    return (*kept, *_course(course), *_key(), *_data(options.data or rubric.data), *_cache())


def kept_of_class(graded: GradedClass, course: Course, submissions: Sequence[Submission]) -> tuple[Kept, ...]:
    """Return what no file that was handed in may see while a class that was graded is marked."""
    options = Options(path=graded.graded, out=graded.out)
    kept = kept_by_run(options, course, graded.rubric, graded.out, submissions)
    return (*kept, *kept_roster(graded.roster), *kept_results(graded.out, submissions))


def kept_roster(roster: Path | None) -> tuple[Kept, ...]:
    """Return the roster, if there is one."""
    return () if roster is None else (Kept("the roster", roster, "Keep it elsewhere"),)


def kept_results(out: Path, submissions: Sequence[Submission]) -> list[Kept]:
    """Return the folders of results of these submissions."""
    return [Kept("the results of a submission", out / each.id, _ANOTHER_OUT) for each in submissions]


def kept_here() -> tuple[Kept, ...]:
    """Return what is known without options: what a run in this folder would leave, the key, and the data set."""
    return (_results(Path("results")), *_key(), *_data(None), *_cache())


def _results(out: Path) -> Kept:
    return Kept("the folder of results", out.resolve(), _ANOTHER_OUT)


def _course(course: Course) -> Iterator[Kept]:
    """Yield a course of somebody else's, and its reference: ours are kept with all that is ours."""
    if not course.folder.is_relative_to(HOME):
        yield Kept("the course", course.folder, "Keep it elsewhere")
        yield Kept("the course's reference", course.reference, "Keep it elsewhere")


def _key() -> Iterator[Kept]:
    if file := key_file():
        yield Kept("your key for results", file.resolve(), "Set GENGRADE_KEY_FILE to a file elsewhere")


def _cache() -> Iterator[Kept]:
    with suppress(RuntimeError):  # there is no home folder
        folder = cache_folder() / OURS
        yield Kept("the cache of our own trainings", folder, "Set XDG_CACHE_HOME to another folder", wished=True)


def _data(name: str | None) -> Iterator[Kept]:
    for place in datasets.places(name):
        yield Kept("the data set", place, "Keep it elsewhere, and say where by --data")
