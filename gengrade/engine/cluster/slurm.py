"""A run on Slurm: the scripts are submitted here, and what the nodes tell is shown until the last job has ended.

Who stops watching stops nothing: the jobs go on, and the last one writes the class's pages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gengrade.choices import Isolation
from gengrade.course import Course, chosen
from gengrade.engine import seeds
from gengrade.engine.asked import Asked, asked_of, people_known
from gengrade.engine.cluster.collecting import refuse_beside_nodes
from gengrade.engine.cluster.files import (
    LAST,
    NodeState,
    clear,
    folder_of,
    read_state,
    write_plan,
    write_submitted,
)
from gengrade.engine.cluster.plan import Plan
from gengrade.engine.cluster.queue import waiting
from gengrade.engine.cluster.script import Batch, Scripts, device_on, last_log, scripts_for
from gengrade.engine.errors import UsageError
from gengrade.engine.folder import locked, output_errors, tidy
from gengrade.engine.options import Options
from gengrade.engine.people import deadline_given, roster_given
from gengrade.engine.planning import make_job
from gengrade.engine.record import earlier_students
from gengrade.engine.results import EventKind, Progress
from gengrade.engine.withdrawing import absent
from gengrade.grading.checks import known
from gengrade.job import changed
from gengrade.marks import StoreError
from gengrade.marks.place import require_local
from gengrade.marks.store import NAME
from gengrade.places import MARKS, require_ours
from gengrade.rubric import Rubric
from gengrade.sandbox import choose
from gengrade.submissions import Discovery, Submission, opened

_SECONDS: Final = 2.0  # between two looks at the nodes' files
_LOOKS: Final = 5  # of these between two questions to Slurm
_SUBMIT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that can be submitted: `stale` are the submissions to grade, and `slices` the number of jobs."""

    asked: Asked
    stale: tuple[Submission, ...]
    slices: int
    scripts: Scripts


@dataclass(frozen=True, slots=True)
class OnSlurm:
    """A run that was submitted."""

    planned: Planned
    jobs: tuple[str, ...]  # the numbers of the array and of the last job

    @property
    def out(self) -> Path:
        return self.planned.asked.out


def plan_for(options: Options, batch: Batch, *, dry: bool = False) -> Planned | None:
    """Find out what is to be graded, and begin a run on several machines; None: nothing is left to grade.

    dry: only return what would be submitted, and write nothing.

    Raises UsageError if Slurm is not there or the run cannot be carried out on it, and what a run raises.
    """
    _require_possible(options, dry=dry)
    options = replace(options, device=device_on(options, batch))
    course, rubric = chosen(options.course, options.rubric)
    rubric.verify(known())
    roster_given(options.roster)
    deadline_given(options.deadline)
    with opened(options.path, course.parts) as discovery:
        if discovery.single:
            raise UsageError(f"{options.path}: it is one submission; --slurm is for a class")
        tier = options.isolation.tier or choose(Isolation.AUTO, single=False)
        asked = asked_of(options, course, rubric, discovery, tier)
        if dry:
            return _planned(options, batch, asked, asked.submissions)
        if asked.trusted.note:
            raise UsageError(f"--slurm: {asked.trusted.note}")
        with output_errors(asked.out), locked(asked.out):
            return _begun(options, batch, course, rubric, discovery, asked)


def _require_possible(options: Options, *, dry: bool) -> None:
    if not options.cache:
        raise UsageError("--no-cache: --slurm finds by their keys what nodes have graded; give another --out instead")
    if not dry and shutil.which("sbatch") is None:
        raise UsageError(
            "--slurm: there is no `sbatch` on this machine; give the command where you submit jobs, or --dry-run to "
            "print the scripts"
        )


def _begun(
    options: Options, batch: Batch, course: Course, rubric: Rubric, discovery: Discovery, asked: Asked
) -> Planned | None:
    """Write what all machines must share into the folder of results, which is locked meanwhile."""
    out, seal = asked.out, asked.trusted.seal
    require_ours(out, asked.ids)
    refuse_beside_nodes(out, seal)
    if (out / MARKS / NAME).exists():
        require_local(out / MARKS, StoreError)  # before hours of grading, after which the last job could not score
    absent(options, out, earlier_students(out, seal), discovery)  # another class is refused before anything is queued
    tidy(out, discovery.submissions)
    _, kept = people_known(options, rubric, asked)
    job = make_job(options, course, rubric, asked.tier, out, seal, kept)
    stale = changed(job, asked.submissions)
    if not stale:
        return None
    planned = _planned(options, batch, asked, stale)
    clear(out)
    write_plan(out, Plan.of(job, planned.slices, len(stale)), seal)
    return planned


def _planned(options: Options, batch: Batch, asked: Asked, stale: list[Submission] | tuple[Submission, ...]) -> Planned:
    slices = min(batch.array, len(stale))
    scripts = scripts_for(options, batch, asked.out, asked.tier, slices, folder_of(asked.out))
    return Planned(asked, tuple(stale), slices, scripts)


def scoring(options: Options, batch: Batch) -> Options:
    """Return the options of a run on this machine that scores what nodes have graded, where nothing else is left."""
    return replace(options, device=device_on(options, batch))


def submit(planned: Planned) -> OnSlurm:
    """Submit the array, and the last job, which waits for its end. Raises UsageError if Slurm refuses one."""
    array = _submitted(planned.scripts.array, ())
    try:
        last = _submitted(planned.scripts.last, (f"--dependency=afterany:{array}",))
    except UsageError:
        subprocess.run(["scancel", array], check=False, capture_output=True)
        raise
    write_submitted(planned.asked.out, (array, last), planned.asked.trusted.seal)
    return OnSlurm(planned, (array, last))


def _submitted(script: str, more: tuple[str, ...]) -> str:
    """Submit a script, and return the job's number."""
    environment = {name: value for name, value in os.environ.items() if name != seeds.VARIABLE}  # Slurm stores it
    asked = subprocess.run(
        ["sbatch", "--parsable", *more],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SUBMIT_SECONDS,
        env=environment,
    )
    if asked.returncode != 0:
        raise UsageError(f"Slurm refused the job: {asked.stderr.strip() or 'sbatch said nothing'}")
    return asked.stdout.strip().partition(";")[0]


def follow(run: OnSlurm, watch: Callable[[Progress], None]) -> int | None:
    """Call `watch` with what the nodes tell until the last job has ended.

    Returns the last job's exit status, or None if it ended without having scored anything.
    """
    submissions = {each.id: each for each in run.planned.stale}
    told: set[str] = set()
    while True:
        ended = not waiting(run.jobs)  # asked before the files are read, so that nothing is missed
        for _ in range(1 if ended else _LOOKS):
            for state in _states(run).values():
                for progress in _news(state, submissions, told):
                    watch(progress)
            last = read_state(run.out, LAST, run.planned.asked.trusted.seal)
            if ended:
                return last.status if last else None
            time.sleep(_SECONDS)
            if last is not None and last.status is not None:
                break  # its job ends in a moment


def printed_by_last(run: OnSlurm) -> str:
    """Return what the last job has printed."""
    try:
        return last_log(folder_of(run.out)).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _states(run: OnSlurm) -> Mapping[int, NodeState]:
    seal = run.planned.asked.trusted.seal
    found = {number: read_state(run.out, number, seal) for number in range(LAST, run.planned.slices + 1)}
    return {number: state for number, state in found.items() if state is not None}


def _news(state: NodeState, submissions: Mapping[str, Submission], told: set[str]) -> Iterator[Progress]:
    """Yield what a node has done since the last look."""
    total = len(submissions)
    for ids, kind in ((state.graded, EventKind.GRADED), (state.failed, EventKind.FAILED)):
        for id_ in ids:
            if id_ in submissions and id_ not in told:
                told.add(id_)
                yield Progress(submissions[id_], kind, total, machine=state.machine)
    for id_, check in state.at.items():
        if id_ in submissions and id_ not in told:
            yield Progress(submissions[id_], EventKind.CHECK, total, check, machine=state.machine)
