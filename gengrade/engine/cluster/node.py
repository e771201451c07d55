"""What one machine of several does: it grades its slice of the class, and leaves facts in the folder of results.

Four properties are deliberate:

1. It takes no lock in the folder of results, and opens no database there: that folder is on a shared file system.
2. Trees, turns, the reference's evidence and workers' logs lie on the machine's own disk.
3. It draws no seed and makes no key. If those of the run are not there, nothing is graded.
4. Nothing is scored and no page is written: the last job, or the same command without a slice, does that.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gengrade.authenticity import key_file
from gengrade.choices import Isolation
from gengrade.course import Course, chosen
from gengrade.engine import seeds
from gengrade.engine.asked import Asked, asked_of, people_known
from gengrade.engine.cluster.files import read_plan
from gengrade.engine.cluster.machine import machine_name
from gengrade.engine.cluster.plan import Plan
from gengrade.engine.cluster.slices import Slice
from gengrade.engine.cluster.telling import both, telling
from gengrade.engine.errors import Interrupted, UsageError
from gengrade.engine.folder import output_errors
from gengrade.engine.options import Options
from gengrade.engine.planning import make_job, require_device
from gengrade.engine.results import Progress
from gengrade.engine.sharing import grade_all
from gengrade.engine.signals import terminated_like_interrupted
from gengrade.grading.checks import known
from gengrade.job import Job, changed, with_reference
from gengrade.places import TEMPORARY, WORK, require_ours
from gengrade.rubric import Rubric
from gengrade.sandbox import Kept, choose, remove
from gengrade.submissions import Discovery, opened

_OWN_DISK: Final = ("SLURM_TMPDIR", "TMPDIR")  # variables that name a folder on the machine's own disk


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What a machine has done with its slice: how many submissions it has, and how many of them were graded now."""

    machine: str
    submissions: int
    graded: int
    out: Path


def grade_slice(options: Options, part: Slice, watch: Callable[[Progress], None]) -> SliceResult:
    """Grade a slice of the class that the options name, and call `watch` with what happens.

    Raises UsageError, which names this machine, if it cannot or must not take part; InputError and others as a run
    does. Ctrl-C and SIGTERM come out as Interrupted; what was finished by then stays.
    """
    course, rubric = _at_hand(options)
    rubric.verify(known())
    require_device(options)
    with opened(options.path, course.parts) as discovery:
        if discovery.single:
            raise UsageError(f"{options.path}: it is one submission, of which there are no slices")
        return _graded(options, course, rubric, discovery, part, watch)


def _at_hand(options: Options) -> tuple[Course, Rubric]:
    """Return course and rubric. Raises UsageError if the class, or the operator's key, is not on this machine."""
    if not options.path.exists():
        raise UsageError(
            f"{machine_name()}: {options.path} is not there; the class has to lie on a disk that all machines share"
        )
    file = key_file()
    if file is None or not file.exists():
        raise UsageError(
            f"{machine_name()}: your key {file or ''} is not there, by which machines trust each other's results; set "
            "GENGRADE_KEY_FILE to a copy on a disk that all machines share"
        )
    return chosen(options.course, options.rubric)


def _graded(
    options: Options,
    course: Course,
    rubric: Rubric,
    discovery: Discovery,
    part: Slice,
    watch: Callable[[Progress], None],
) -> SliceResult:
    tier = options.isolation.tier or choose(Isolation.AUTO, single=False)
    asked = asked_of(options, course, rubric, discovery, tier)
    out, seal = asked.out, asked.trusted.seal
    mine = part(asked.submissions)
    try:
        with terminated_like_interrupted(), output_errors(out), _own_folder() as work:
            require_ours(out, [each.id for each in mine])
            drawn = _drawn(options, asked)
            with telling(out, part.number, seal) as teller:
                job = _job(options, course, rubric, asked, drawn, work)
                _require_same(job, read_plan(out, seal))
                stale = changed(job, mine)
                if stale:
                    grade_all(with_reference(job), stale, options.jobs, both(teller.see, watch))
    except KeyboardInterrupt:
        raise Interrupted(out) from None
    return SliceResult(machine_name(), len(mine), len(stale), out)


def _drawn(options: Options, asked: Asked) -> seeds.Drawn:
    """Return the seed and the secret of the run. Raises UsageError if this machine cannot know them."""
    found = seeds.given(options.seed) or seeds.kept(asked.out / WORK, asked.trusted.seal)
    if found is None:
        raise UsageError(
            f"{machine_name()}: {asked.out} holds no run that was begun with your key. Choose an --out on a disk that "
            f"all machines share, or give the same --seed and the same {seeds.VARIABLE} to all of them"
        )
    return found


def _job(options: Options, course: Course, rubric: Rubric, asked: Asked, drawn: seeds.Drawn, work: Path) -> Job:
    """Return the job of a slice, whose work folder lies on this machine's own disk."""
    _, kept = people_known(options, rubric, asked)
    own = Kept("the folder of this machine's work", work, "Set TMPDIR to another folder")
    job = make_job(options, course, rubric, asked.tier, asked.out, asked.trusted.seal, (*kept, own), drawn)
    return job.model_copy(update={"work": work})


def _require_same(job: Job, plan: Plan | None) -> None:
    """Raise UsageError or NoSuchTier unless this machine may grade by the job.

    plan: of the run; None: it was begun by hand, and nothing is known of the other machines.
    """
    if plan is not None:
        plan.require_same(job)
    else:
        choose(Isolation(job.tier.value), single=False)


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Make a folder on this machine's own disk, and remove it at the end."""
    own = next((os.environ[name] for name in _OWN_DISK if os.path.isdir(os.environ.get(name, ""))), None)
    work = Path(tempfile.mkdtemp(prefix="gengrade-slice-", dir=own)).resolve()
    try:
        (work / TEMPORARY).mkdir()
        yield work
    finally:
        remove(work)
