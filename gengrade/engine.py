"""A run over a class: submissions in, facts, grades and reports out, as many side by side as there are workers.

What was finished is found again, so that a run that was killed goes on where it stood, and a changed rubric only
scores. A worker's death costs its submission one more try; a second one is recorded as our fault.
"""

from __future__ import annotations

import fcntl
import fnmatch
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import FrameType
from typing import IO, Final

from gengrade import data as datasets
from gengrade import records
from gengrade.atomic import NO_ROOM, write_whole
from gengrade.authenticity import Seal, authority, key_file
from gengrade.course import Course, chosen, courses
from gengrade.fitting import better_fit
from gengrade.grade import Grade, score
from gengrade.grading.checks import known, with_needs
from gengrade.home import HOME, python_path
from gengrade.job import Job, broken_facts, changed, read_facts, reference_evidence, with_reference, write_facts
from gengrade.marks import Marks, MarksError
from gengrade.paths import from_here, printable
from gengrade.places import (
    MARKS,
    TEMPORARY,
    TREES,
    WORK,
    Output,
    Owners,
    Source,
    folder_for,
    output,
    read_plain,
    read_trusted,
    require_ours,
)
from gengrade.report import write_gradebook, write_index, write_report
from gengrade.rubric import CheckItem, ManualItem, MeasureItem, Rubric
from gengrade.sandbox import SCRATCH_PREFIX, Kept, Tier, choose, reaches, remove
from gengrade.submissions import Submission, discard, discover
from gengrade.texts import listed, without_middle

_TRIES: Final = 2
_END_SECONDS: Final = 30.0  # for a worker to take down its sandbox, on a busy machine
_WRITERS: Final = 4
_LOCK: Final = "lock"
_MOST_NAMED: Final = 5
_REASON_BYTES: Final = 40_000
_ANOTHER_OUT: Final = "Give another --out"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    path: Path
    out: Path | None  # None: "results" here, or beside a submission that it would lie in
    rubric: Path | None = None  # None: the course's own
    course: str | None = None  # a name or a folder; None: the rubric's, or else the default one
    only: str | None = None
    part: str | None = None
    profile: str = "smoke"
    jobs: int = 0  # 0: one for each core
    device: str = "auto"
    data: str | None = None
    isolation: str = "auto"
    public: bool = False
    cache: bool = True
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that happened to a submission."""

    submission: Submission
    event: str  # "check", "graded" or "failed"
    total: int  # submissions of the run
    check: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """One submission's grade, and where its report is."""

    submission: Submission
    grade: Grade
    folder: Path
    report: Path


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left behind."""

    graded: tuple[Graded, ...]
    out: Path
    single: bool
    tier: Tier
    notes: tuple[str, ...]


class UsageError(ValueError):
    """The command line asks for something that cannot be done."""


class Interrupted(KeyboardInterrupt):
    """The run was stopped; what was finished lies in `out`."""

    def __init__(self, out: Path) -> None:
        super().__init__(out)
        self.out = out


class OutputError(UsageError):
    """The folder of results cannot be written to, or not any more."""

    def __init__(self, out: Path, reason: str) -> None:
        super().__init__(
            f"{out}: results cannot be written there ({reason}). Make room, or choose another --out; what was finished"
            " is there, and the same command goes on from it"
        )


def run(options: Options, watch: Callable[[Progress], None] = lambda progress: None) -> Result:
    """Grades what the options name.

    Raises UsageError, InputError, DocumentError, NoSuchTier or Exposed before it starts.

    Raises OutputError, too, when the results find no room. Ctrl-C and SIGTERM come out as Interrupted; what was
    finished by then stays, and is found again.
    """
    course, rubric = chosen(options.course, options.rubric)
    rubric.verify(known())
    discovery = discover(options.path, course.parts)
    submissions = [s for s in discovery.submissions if options.only is None or fnmatch.fnmatch(s.id, options.only)]
    if not submissions:
        pattern = f" whose name matches {options.only!r}" if options.only else ""
        raise UsageError(f"{options.path}: no submission{pattern} is there")
    _refuse_another_course(options, course, submissions)
    tier = choose(options.isolation, single=discovery.single)
    sources = [Source(s.id, (s.source, *s.attachments)) for s in discovery.submissions]
    places = output(options.out, options.path, sources)
    out, ids = places.folder, [source.id for source in sources]
    kept = _kept(options, course, rubric, out, discovery.submissions)
    own = [Kept("the results of a submission", out / s.id, _ANOTHER_OUT) for s in submissions]
    reaches(tier, [*kept, *own], cuda=_device(options.device) == "cuda")  # before anything is written there
    # A key within what is graded would be its author's.
    trusted = authority([options.path, *(path for source in sources for path in source.paths), *_own(out, ids)])
    marks = _marks(places, ids, rubric)
    unused = _unused_marks(places, ids)
    try:
        with _terminated_like_interrupted(), _written(out), _locked(out):
            require_ours(out, ids)
            _tidy(out, discovery.submissions)
            job = _job(options, course, rubric, tier, out, trusted.seal, kept)
            stale = changed(job, submissions)
            if stale:
                _grade_all(with_reference(job), options, stale, watch)
                reference_evidence(job).prune()
            # The class's pages show all that were ever graded, also when only some were asked for now.
            with ThreadPoolExecutor(_WRITERS) as pool:  # one writes to the disk while another renders
                scores = pool.map(lambda s: _score(job, s, rubric, marks.get(s.id)), discovery.submissions)
                graded = {one.submission.id: one for one in scores if one is not None}
            grades = [one.grade for one in graded.values()]
            if not discovery.single:
                write_index(grades, out)
            write_gradebook(grades, rubric, out)
    except KeyboardInterrupt:
        raise Interrupted(out) from None
    notes = (*discovery.notes, *unused, *([trusted.note] if trusted.note else []))
    return Result(tuple(graded[s.id] for s in submissions), out, discovery.single, tier, notes)


def _own(out: Path, ids: Sequence[str]) -> list[Path]:
    """The folders beneath the results that a run writes."""
    return [out / WORK, out / MARKS, *(out / id_ for id_ in ids)]


def _refuse_another_course(options: Options, course: Course, submissions: Sequence[Submission]) -> None:
    """Hours of grading by the wrong rubric would say of everybody that nothing was handed in."""
    known = {**courses(), course.name: course}
    better = better_fit(course.name, submissions, {name: each.parts for name, each in known.items()})
    if better is None:
        return
    name, count, of = better
    found = f"{count} of {of} submissions hold" if of > 1 else "the submission holds"
    raise UsageError(
        f"{options.path}: {found} files of the course {name} ({known[name].title}), and hardly any that the course "
        f"{course.name} asks for. Give --course {name}"
    )


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Two runs over the same folder would overwrite each other's trees."""
    require_ours(out, [])
    with folder_for(out / WORK / _LOCK) as work:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(_LOCK, flags, 0o600, dir_fd=work)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{out}: another run is writing there; wait for it, or choose another --out") from None
        yield
    finally:
        os.close(file)


@contextmanager
def _written(out: Path) -> Iterator[None]:
    """A folder that cannot be written to is the operator's to mend: it is named, and what to do."""
    try:
        yield
    except OSError as error:
        where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        theirs = where is not None and out.resolve() in (where.resolve(), *where.resolve().parents)
        if error.errno is not None and (theirs or error.errno in NO_ROOM):
            raise OutputError(out, os.strerror(error.errno)) from error
        raise


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM, from a time limit or a shutdown, ends a run as Ctrl-C does: workers first, and nothing is left."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # somebody else's to handle
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _tidy(out: Path, submissions: Sequence[Submission]) -> None:
    """Removes what a run that was killed left behind, after `require_ours` has seen no link among it."""
    work = out / WORK
    for leftover in (*work.glob(f"{SCRATCH_PREFIX}*"), work / TEMPORARY):
        remove(leftover)
    for tree in (work / TREES).glob("*"):
        discard(tree)
    results = [out / submission.id for submission in submissions]
    inner = [result / name for result in results for name in ("evidence", "figures")]
    for folder in (work, work / "evidence", *results, *inner):
        for file in folder.glob(".*.tmp"):
            file.unlink()
    for file in (*work.glob("worker-*.log"), *out.glob(".index.html.*.tmp"), *out.glob(".gradebook.csv.*.tmp")):
        file.unlink()
    (work / TEMPORARY).mkdir(exist_ok=True)


def _kept(
    options: Options, course: Course, rubric: Rubric, out: Path, submissions: Sequence[Submission]
) -> tuple[Kept, ...]:
    """What no submission may see of this run and of others, wherever the operator keeps it."""
    path = options.path.resolve()
    move = "Hand it in from another folder"
    kept = [
        _kept_results(out),
        Kept("what is graded", path, move),
        Kept("the folder of what is graded", path.parent, move, wished=True),
        Kept("the marks", out.parent / "marks", "Keep them elsewhere"),
        Kept("the rubric", rubric.path.resolve(), "Keep it elsewhere", public=True),
    ]
    for submission in submissions:
        for source in (submission.source.resolve(), *(each.resolve() for each in submission.attachments)):
            if path not in (source, *source.parents):  # by a link
                kept.append(Kept("a submission", source, move))
    return (*kept, *_kept_course(course), *_kept_key(), *_kept_data(options.data or rubric.data))


def kept_here() -> tuple[Kept, ...]:
    """The same without options, as far as it is known: what a run in this folder would leave, and the data set."""
    return (_kept_results(Path("results")), *_kept_key(), *_kept_data(None))


def _kept_results(out: Path) -> Kept:
    return Kept("the folder of results", out.resolve(), _ANOTHER_OUT)


def _kept_course(course: Course) -> Iterator[Kept]:
    """A course of somebody else's, and its solutions: ours are kept with all that is ours."""
    if not course.folder.is_relative_to(HOME):
        yield Kept("the course", course.folder, "Keep it elsewhere")
        yield Kept("the course's reference", course.reference, "Keep it elsewhere")


def _kept_key() -> Iterator[Kept]:
    if file := key_file():
        yield Kept("your key for results", file.resolve(), "Set GENGRADE_KEY_FILE to a file elsewhere")


def _kept_data(name: str | None) -> Iterator[Kept]:
    for place in datasets.places(name):
        yield Kept("the data set", place, "Keep it elsewhere, and say where by --data")


def _job(
    options: Options, course: Course, rubric: Rubric, tier: Tier, out: Path, seal: Seal, kept: tuple[Kept, ...]
) -> Job:
    work = out / WORK
    data_set = datasets.load(options.data or rubric.data)
    return Job(
        out=out,
        work=work,
        key=seal.key,
        drawn=_secret(work, seal),
        course_folder=course.folder,
        checks=tuple(sorted(_wanted(options, rubric))),
        profile=options.profile,
        part=options.part,
        public=options.public,
        data=options.data or rubric.data,
        data_name=data_set.name,
        data_hash=data_set.sha256,
        tier=tier.value,
        device=_device(options.device),
        cache=options.cache,
        seed=_seed(work, options.seed, seal),
        entry=rubric.entry,
        needs=_rubric_needs(rubric),
        kept=kept,
        limits={name: limits.model_dump(exclude_none=True) for name, limits in rubric.limits.items()},
    )


def _wanted(options: Options, rubric: Rubric) -> set[str]:
    """The checks to run: the rubric's, as far as the profile, the part and the audience ask for them."""
    named: set[str] = set()
    for entry in rubric.entries():
        if isinstance(entry.item, ManualItem) or (options.public and entry.item.hidden):
            continue
        if isinstance(entry.item, CheckItem | MeasureItem):
            named.update(entry.checks)
    families = {id_.partition(".")[0] for id_ in named}
    if options.part is not None:
        if options.part not in families:
            raise UsageError(
                f"--part {options.part}: the rubric has no such part; it has {', '.join(sorted(families))}"
            )
        named = {id_ for id_ in named if id_.startswith(f"{options.part}.")}
    wanted = with_needs(named) - (rubric.hidden_checks() if options.public else set())
    return {id_ for id_ in wanted if options.profile == "smoke" or known()[id_].kind == "unit"}


def _rubric_needs(rubric: Rubric) -> dict[str, tuple[str, ...]]:
    """By check: what all items that read it need. While one of them needs nothing, it is run all the same."""
    needs: dict[str, set[str]] = {}
    for entry in rubric.entries():
        if not isinstance(entry.item, ManualItem):
            own = set(entry.item.needs)
            needs[entry.item.subject] = needs.get(entry.item.subject, own) & own
    return {check: tuple(sorted(needed)) for check, needed in needs.items() if needed}


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "cuda" if Path("/dev/nvidia0").exists() else "cpu"


def _secret(work: Path, seal: Seal) -> bytes:
    """What inputs are derived from beside the seed: the operator's, the last run's, or a new one."""
    given = os.environ.get("GENGRADE_SECRET")
    return _kept_or_drawn(work / "secret", seal, given.encode() if given else None, lambda: secrets.token_bytes(32))


def _seed(work: Path, wanted: int | None, seal: Seal) -> int:
    """The run's seed, kept beside its secret: a run that goes on asks the same questions."""
    given = None if wanted is None else str(wanted).encode()
    return int(_kept_or_drawn(work / "seed", seal, given, lambda: str(secrets.randbelow(2**31)).encode()))


def _kept_or_drawn(file: Path, seal: Seal, given: bytes | None, draw: Callable[[], bytes]) -> bytes:
    """What is given, or what the file holds under the operator's seal, or what is drawn anew; and it is kept there."""
    kept = None
    with suppress(OSError):
        kept = seal.opened(file.name, "", read_plain(file))
    value = next(found for found in (given, kept, draw()) if found is not None)
    if value != kept:
        write_whole(file, seal.sealed(file.name, "", value))
    file.chmod(0o600)
    return value


# Workers ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Worker:
    """A worker process, and the submission that it has."""

    process: subprocess.Popen[bytes]
    log: Path
    cores: str  # its own processors, as its command line names them
    submission: Submission | None = None
    buffer: bytes = b""

    @property
    def events(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def give(self, submission: Submission) -> None:
        self.submission = submission
        self.tell(records.dumps(submission))

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # its end is noticed where its events are read

    def messages(self) -> list[dict[str, object]] | None:
        """What it has said since; None at its end."""
        data = os.read(self.events.fileno(), 1 << 16)
        if not data:
            return None
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


@dataclass(slots=True)
class _Queue:
    """What is left to do, and how often each was tried."""

    waiting: list[Submission]
    total: int
    cores: list[str]  # of workers that are not there: each worker has processors of its own
    tries: dict[str, int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)  # of workers: each has a log of its own

    def next(self) -> Submission | None:
        return self.waiting.pop(0) if self.waiting else None

    def failed(self, submission: Submission) -> bool:
        """Puts it back for another try; False when it has had its tries."""
        self.tries[submission.id] = self.tries.get(submission.id, 0) + 1
        if self.tries[submission.id] >= _TRIES:
            return False
        self.waiting.append(submission)
        return True


def _grade_all(
    job: Job, options: Options, submissions: Sequence[Submission], watch: Callable[[Progress], None]
) -> None:
    available = _processors()
    side_by_side = min(options.jobs or len(available), len(submissions))
    queue = _Queue(list(submissions), len(submissions), _shares(available, side_by_side))
    workers: list[_Worker] = []
    selector = selectors.DefaultSelector()
    try:
        for _ in range(side_by_side):
            _start(job, queue, workers, selector)
        while workers:
            for key, _ in selector.select():
                worker: _Worker = key.data
                messages = worker.messages()
                if messages is None:
                    selector.unregister(worker.events)
                    workers.remove(worker)
                    queue.cores.append(worker.cores)
                    _bury(job, worker, queue, watch)
                    if queue.waiting:
                        _start(job, queue, workers, selector)
                for message in messages or ():
                    _hear(job, worker, message, queue, watch)
    finally:
        selector.close()
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.end()


def _processors() -> list[int]:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _shares(processors: Sequence[int], workers: int) -> list[str]:
    """As many shares of the processors as there are workers, apart from each other where there are enough."""
    shares = [processors[index::workers] or [processors[index % len(processors)]] for index in range(workers)]
    return [",".join(map(str, share)) for share in shares]


def _start(job: Job, queue: _Queue, workers: list[_Worker], selector: selectors.BaseSelector) -> None:
    log = job.work / f"worker-{next(queue.numbers)}.log"
    cores = queue.cores.pop()
    with log.open("xb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gengrade.worker", str(os.getpid()), cores],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={
                **os.environ,
                "PYTHONPATH": python_path(),
                "TMPDIR": str(job.work / TEMPORARY),  # where the next run finds what it left when it was killed
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
    worker = _Worker(process, log, cores)
    workers.append(worker)
    selector.register(worker.events, selectors.EVENT_READ, worker)
    worker.tell(job.model_dump_json())
    _feed(worker, queue)


def _feed(worker: _Worker, queue: _Queue) -> None:
    submission = queue.next()
    worker.submission = submission
    if submission is None:
        assert worker.process.stdin is not None
        worker.process.stdin.close()
    else:
        worker.give(submission)


def _hear(
    job: Job, worker: _Worker, message: dict[str, object], queue: _Queue, watch: Callable[[Progress], None]
) -> None:
    submission = worker.submission
    assert submission is not None
    if "check" in message:
        watch(Progress(submission, "check", queue.total, str(message["check"])))
        return
    if "full" in message:
        raise OutputError(job.out, str(message["full"]))
    error = message["error"]
    if error is None:
        watch(Progress(submission, "graded", queue.total))
    else:
        _lost(job, submission, str(error), queue, watch)
    _feed(worker, queue)


def _bury(job: Job, worker: _Worker, queue: _Queue, watch: Callable[[Progress], None]) -> None:
    """A worker has ended: with nothing in hand, as it should, or in the middle of a submission."""
    worker.process.wait()
    if worker.submission is not None:
        words = f"the worker died (status {worker.process.returncode}): {worker.last_words()}"
        _lost(job, worker.submission, words, queue, watch)


def _lost(job: Job, submission: Submission, reason: str, queue: _Queue, watch: Callable[[Progress], None]) -> None:
    if queue.failed(submission):
        return
    folder = job.folder(submission)
    write_whole(folder / "faults.log", without_middle(reason, _REASON_BYTES))
    write_facts(job, submission, broken_facts(job, submission, "graded twice, lost twice"))
    watch(Progress(submission, "failed", queue.total))


# Reports ------------------------------------------------------------------------------------------------------------


def _score(job: Job, submission: Submission, rubric: Rubric, marks: Marks | None) -> Graded | None:
    """From facts to a grade and a report; nothing of the submission is opened. None for one that was not graded yet."""
    folder = job.folder(submission)
    facts = read_facts(job, submission)
    if facts is None:
        return None
    grade = score(facts, rubric, marks)
    write_whole(folder / "grade.json", grade.to_json())
    return Graded(submission, grade, folder, write_report(grade, facts, folder))


def _marks(places: Output, ids: Sequence[str], rubric: Rubric) -> dict[str, Marks]:
    """What people gave, by the student's id: in the results or beside them. Raises MarksError and PlaceError."""
    owners = Owners.of(places.folder)
    found: dict[str, Marks] = {}
    for id_ in ids:
        for folder in places.marks:
            file = folder / f"{id_}.yaml"
            try:
                content = read_trusted(file, owners)
            except OSError as error:
                reason = f"it cannot be read ({error.strerror}): check its permissions"
                raise MarksError(file, 1, reason) from None
            if content is not None:
                found.setdefault(id_, Marks.parse(content, file, rubric))
    return found


def _unused_marks(places: Output, ids: Sequence[str]) -> list[str]:
    """In a sentence, the files of marks that are nobody's: a mark that was typed is never passed over in silence."""
    files = sorted({file for folder in places.marks for file in folder.glob("*.yaml") if file.stem not in ids})
    if not files:
        return []
    named = listed([printable(str(from_here(file))) for file in files], _MOST_NAMED)
    return [f"{named}: no submission has this id, so these marks count for nobody; name the file by an id"]
