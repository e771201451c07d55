"""Measures what a kit for students sees without the reference: the cases of `validation.cases`, judged by kits alone.

A kit is recorded for each course with one public seed, which is also the seed of all cases.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Final

from gengrade.atomic import write_whole
from gengrade.choices import Profile
from gengrade.course import courses
from gengrade.grading.diagnosis import Diagnosis
from gengrade.grading.plugin import Observed
from gengrade.grading.recorded import Recorded, RecordedRunner, load
from gengrade.grading.subject import Subject
from gengrade.kit.recording import record
from gengrade.rubric import Rubric
from validation.cases import Case, Verdict, attempted, cases
from validation.direct import TIER
from validation.journal import Journal, computed
from validation.variants import COURSES
from validation.workbench import Workbench

_KINDS: Final = ("caught", "right", "unnamed")


class KitBench(Workbench):
    """A bench that has a kit's recordings in the place of reference and misconceptions."""

    def __init__(self, folder: Path, recorded: Recorded, course: str) -> None:
        super().__init__(folder, TIER, course)
        self._recorded = recorded

    def _reference(self) -> Subject:
        runner = RecordedRunner(self._recorded, self.sandbox, self._folder / "empty")
        return Subject(self._folder / "empty", "", runner, None, self._circumstances, ours=True)

    def _secret(self, seed: int) -> bytes:
        public = self._recorded.manifest.seeds[seed]
        return public.secret.encode() + str(public.seed).encode()

    def _diagnosis(self, observed: Observed) -> Diagnosis:
        return Diagnosis(observed.checks(), observed.tested, self._recorded.mistakes, self._recorded.same)


def survey(
    journal: Journal,
    folder: Path,
    jobs: int,
    watch: Callable[[int, int], None],
    *,
    of: Sequence[str] = COURSES,
    every: int = 1,
) -> dict[Case, Verdict]:
    """Judge cases by kits alone, in `jobs` parallel processes; results in the journal are not computed again.

    Args:
        folder: where recordings are kept, in one file for each course and state of the code.
        of: the courses.
        every: only each so many-th case of a course is judged.
    """
    recordings = {course: folder / f"{journal.code[:16]}-{course}.zip" for course in of}
    for course, path in recordings.items():
        if not path.is_file():
            scheme = Rubric.load(courses()[course].rubric)
            write_whole(path, record(courses()[course], scheme, seeds=1, profile=Profile.UNIT, jobs=jobs))
    wanted = [case for course in of for case in list(cases(*_KINDS, courses=[course]))[::every]]
    return computed(wanted, partial(_in_process, recordings), Verdict, journal, jobs, watch)


@cache
def _bench(course: str, recorded: Path) -> KitBench:
    """Return the bench of a course in this process; its folder is removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="gengrade-validation-")
    bench = KitBench(Path(folder.name), load(recorded), course)
    atexit.register(folder.cleanup)
    atexit.register(bench.sandbox.close)
    return bench


def _in_process(recordings: dict[str, Path], case: Case) -> Verdict:
    return attempted(_bench(case.course, recordings[case.course]), case)
