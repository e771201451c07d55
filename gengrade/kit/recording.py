"""Record what the reference and every misconception answer to a course's checks, for a few public seeds.

Each misconception is graded as a submission would be, by the checks that it makes fail. What is kept of it are the
symptoms of its runs, and those of the reference in the runs of its failed tests.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from gengrade import __version__
from gengrade.authenticity import Seal
from gengrade.choices import Isolation, Profile
from gengrade.course import Course
from gengrade.engine import Options, UsageError
from gengrade.engine.checks import checks_to_run
from gengrade.engine.planning import make_job
from gengrade.facts import CheckFact, Outcome
from gengrade.grading.checks import with_needs
from gengrade.grading.misconceptions import Library, Misconception
from gengrade.grading.plugin import Observed
from gengrade.grading.recorded import (
    EVIDENCE,
    MANIFEST,
    NOBODY,
    SYMPTOMS,
    KeptMistake,
    Manifest,
    PublicSeed,
    compacted,
    document,
    is_ours,
)
from gengrade.grading.subject import Subject, request_hash
from gengrade.grading.suspects import plant
from gengrade.grading.symptoms import Symptoms, read
from gengrade.job import Grader, Job
from gengrade.job.reference import reference_subject, with_reference
from gengrade.rubric import Rubric
from gengrade.sandbox import Request, Run, choose, wire
from gengrade.submissions import Submission

Calls = dict[str, dict[str, Symptoms]]  # the symptoms by request and misconception
_LATEST: Final = (1980, 1, 1, 0, 0, 0)  # the time of all members, so that equal recordings are equal files


class RecordingError(UsageError):
    """The reference or a misconception cannot be graded, so that nothing can be recorded."""


@dataclass
class _Heard:
    """What one process has recorded."""

    calls: Calls = field(default_factory=dict)
    evidence: dict[str, bytes] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)  # of the reference's checks, with their messages

    def add(self, request: Request, name: str, symptoms: Symptoms) -> None:
        self.calls.setdefault(request_hash(request), {})[name] = compacted(symptoms)

    def take(self, other: _Heard) -> None:
        for request, by_mistake in other.calls.items():
            self.calls.setdefault(request, {}).update(by_mistake)
        self.evidence |= other.evidence
        self.failed += other.failed


def record(
    course: Course,
    rubric: Rubric,
    *,
    seeds: int,
    profile: Profile,
    jobs: int,
    isolation: Isolation = Isolation.AUTO,
    say: Callable[[int, int], None] = lambda done, all_: None,
) -> bytes:
    """Return the content of the file of recordings.

    rubric: the course's, whose hidden checks are left out.
    seeds: the number of public seeds.
    profile: unit: what checks need that train nothing; smoke: of all checks.
    jobs: how many processes record side by side.
    say: is called with the number of recordings that are done, and of all.

    Raises RecordingError, and what `gengrade.engine.run` raises before it starts.
    """
    library = Library(course.misconceptions)
    pool = tuple(PublicSeed(seed=number, secret=f"{course.name} {number}, known to all") for number in range(seeds))
    with tempfile.TemporaryDirectory(prefix="gengrade-kit-") as folder:
        work = Path(folder)
        options = Options(course.reference, work, course=str(course.folder), profile=profile, public=True, cache=False)
        tier = choose(isolation, single=True)
        job = with_reference(make_job(options, course, rubric, tier, work, Seal.temporary(), ()))
        asked = frozenset(checks_to_run(options, rubric))
        tasks = list(_tasks(library, asked, pool))
        heard = _Heard()
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max(jobs, 1), mp_context=context) as processes:
            waiting = [processes.submit(_record, job, task, work / f"of-{n}") for n, task in enumerate(tasks)]
            for done, each in enumerate(as_completed(waiting), 1):
                heard.take(each.result())
                say(done, len(tasks))
        data = job.data_name
    if heard.failed:
        raise RecordingError(
            f"{course.folder}: its reference and misconceptions cannot be graded ({heard.failed[0]}): mend them; "
            "gengrade course check says more"
        )
    manifest = Manifest(
        course=course.name,
        version=__version__,
        made=date.today().isoformat(),
        data=data,
        seeds=pool,
        mistakes=tuple(
            KeptMistake(name=each.name, sentence=each.sentence, fails=each.fails, raises=each.raises)
            for each in library.values()
            if asked.issuperset(each.fails)
        ),
    )
    return _packed(manifest, heard)


@dataclass(frozen=True, slots=True)
class _Task:
    """What one process records at a time: misconceptions of one family, or the reference, for one seed."""

    seed: PublicSeed
    checks: tuple[str, ...]
    mistakes: tuple[Misconception, ...]  # () for the reference


def _tasks(library: Library, asked: frozenset[str], pool: Sequence[PublicSeed]) -> Iterator[_Task]:
    """Yield the tasks, those of the reference first. Misconceptions that make hidden checks fail are left out."""
    by_checks: dict[tuple[str, ...], list[Misconception]] = {}
    for each in library.values():
        if asked.issuperset(each.fails):
            by_checks.setdefault(tuple(sorted(with_needs(set(each.fails)) & asked)), []).append(each)
    for seed in pool:
        yield _Task(seed, tuple(sorted(asked)), ())
    for seed in pool:
        for checks, mistakes in by_checks.items():
            yield _Task(seed, checks, tuple(mistakes))


def _record(job: Job, task: _Task, out: Path) -> _Heard:
    """Record a task in this process. `out` is a folder of its own."""
    own = job.model_copy(
        update={"out": out, "drawn": task.seed.secret.encode(), "seed": task.seed.seed, "checks": task.checks}
    )
    recorder = _Recorder(own)
    try:
        if not task.mistakes:
            recorder.hear(f"{out.name}-reference", job.course.reference, None)
        for number, mistake in enumerate(task.mistakes):
            folder = out / f"planted-{number}"
            shutil.copytree(job.course.reference, folder, ignore=shutil.ignore_patterns("__pycache__"))
            plant(mistake, folder)
            recorder.hear(f"{out.name}-{number}", folder, mistake)
    finally:
        recorder.close()
    return recorder.heard


class _Recorder(Grader):
    """Grades the reference and copies of it with a misconception, and keeps what their runs show."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.heard = _Heard()
        self._mistake: Misconception | None = None

    def hear(self, id_: str, folder: Path, mistake: Misconception | None) -> None:
        """Grade a folder, in which this misconception is planted (None: the reference's)."""
        self._mistake = mistake
        facts = self.facts(Submission(id=id_, name=id_, late=None, source=folder))
        if mistake is None:
            wrong = [fact for fact in facts.checks.values() if fact.outcome is not Outcome.PASSED]
            self.heard.failed += [f"{fact.check}: {fact.decisive.message}" for fact in wrong]

    def _diagnosed(self, observed: Observed) -> dict[str, CheckFact]:
        """Record the calls of the tests that decide the checks which the misconception makes fail."""
        mistake = self._mistake
        self.heard.failed += [
            f"{mistake.name if mistake else 'reference'}: {_last(fault)}" for fault in observed.faults
        ]
        if mistake is None:
            return observed.checks()
        passed = [id_ for id_ in mistake.fails if observed.checks()[id_].outcome is Outcome.PASSED]
        self.heard.failed += [f"{mistake.name}: {id_} passes, although it says that it fails" for id_ in passed]
        for test in observed.tested:
            if not set(test.checks).intersection(mistake.fails):
                continue
            for call in test.calls:
                self.heard.add(call.request, mistake.name, call.symptoms)
                if test.failed:
                    run = self._suspects.repeat(None, call.request)
                    self.heard.add(call.request, NOBODY, read(call.request.probe, call.request.inputs, run))
        return observed.checks()

    def _reference(self) -> Subject:
        found = reference_subject(self._job, self._sandbox, self._circumstances)
        if self._mistake is None:
            found.listen(self._keep)
        return found

    def _keep(self, request: Request, run: Run) -> None:
        if run.outcome is Outcome.PASSED and not is_ours(request):
            self.heard.evidence[request_hash(request)] = wire.encode(run.evidence)


def _last(fault: str) -> str:
    """Return the last line of a traceback, which says what was wrong."""
    return fault.strip().splitlines()[-1][:300]


def _packed(manifest: Manifest, heard: _Heard) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        members = {
            MANIFEST: manifest.model_dump_json(indent=1).encode(),
            SYMPTOMS: json.dumps(document(dict(sorted(heard.calls.items()))), separators=(",", ":")).encode(),
            **{f"{EVIDENCE}{name}": evidence for name, evidence in sorted(heard.evidence.items())},
        }
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name, _LATEST), text, zipfile.ZIP_DEFLATED)
    return content.getvalue()
