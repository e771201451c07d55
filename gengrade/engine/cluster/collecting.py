"""The end of a run on several machines: what the last job finds of the others, and who must not disturb them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gengrade.authenticity import Seal
from gengrade.engine.cluster.files import (
    LAST,
    NodeState,
    folder_of,
    read_plan,
    read_state,
    read_submitted,
    write_state,
)
from gengrade.engine.cluster.queue import waiting
from gengrade.engine.cluster.telling import both, telling
from gengrade.engine.errors import UsageError
from gengrade.engine.options import Options
from gengrade.engine.results import Progress
from gengrade.job import Job
from gengrade.paths import from_here, printable
from gengrade.texts import listed

_NAMED: Final = 4


def refuse_beside_nodes(out: Path, seal: Seal) -> None:
    """Raise UsageError while the jobs of a run on Slurm are still there, as far as this machine can ask Slurm."""
    jobs = read_submitted(out, seal)
    if jobs and waiting(jobs):
        raise UsageError(
            f"{out}: jobs on Slurm are writing there ({' and '.join(jobs)}); wait for them, or end them with "
            f"`scancel {' '.join(jobs)}`, after which the same command continues"
        )


def collected(job: Job) -> tuple[str, ...]:
    """Return notes on the machines that did not do all of their slices, which this run does now.

    Raises UsageError if no run was begun, or if this machine would find out other things than those.
    """
    plan = read_plan(job.out, job.seal)
    if plan is None:
        raise UsageError(
            f"{job.out}: no run on several machines was begun there with your key; leave --slice out to grade here"
        )
    plan.require_same(job)
    states = {number: read_state(job.out, number, job.seal) for number in range(1, plan.slices + 1)}
    return tuple(sentences(job.out, states))


@contextmanager
def watched(
    options: Options, out: Path, seal: Seal, watch: Callable[[Progress], None]
) -> Iterator[Callable[[Progress], None]]:
    """Return `watch`; for the last job of a run on several machines, it also tells where the run began."""
    if not options.last:
        yield watch
        return
    with telling(out, LAST, seal) as teller:
        yield both(teller.see, watch)


def tell_status(out: Path, status: int, seal: Seal) -> None:
    """Let the machine where the run began know the exit status of the last job."""
    state = read_state(out, LAST, seal)
    if state is not None:
        write_state(out, state.model_copy(update={"status": status}), seal)


def sentences(out: Path, states: Mapping[int, NodeState | None]) -> Iterator[str]:
    """Yield sentences on slices of which nothing was heard, and on those that were not finished."""
    silent = [str(number) for number, state in states.items() if state is None]
    if silent:
        where = printable(str(from_here(folder_of(out))))
        yield (
            f"of {'slice' if len(silent) == 1 else 'slices'} {listed(silent, _NAMED)}, nothing was heard: see what the "
            f"jobs printed in {where}; their submissions were graded by the last job"
        )
    for number, state in states.items():
        if state is not None and (state.problem is not None or not state.ended):
            why = state.problem or f"{state.machine}: the machine or its job ended"
            yield f"slice {number} was not finished, and the last job graded the rest of it ({why})"
