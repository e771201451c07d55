"""The files by which the machines of a run know of each other, in `results/.gengrade/cluster/`.

Two properties are deliberate:

1. Each file has one writer, which replaces it as a whole. Nobody locks anything: locks are not reliable on every shared
   file system.
2. Each file is sealed. One that was made with another key counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from gengrade.atomic import write_whole
from gengrade.authenticity import Seal
from gengrade.engine.cluster.plan import Plan
from gengrade.facts import Frozen
from gengrade.places import WORK, read_plain

LAST: Final = 0  # the number of the last job, which belongs to no slice
_KIND: Final = "cluster"
_PLAN, _SUBMITTED = "plan.json", "submitted.json"
_File = TypeVar("_File", bound=Frozen)


class Submitted(Frozen):
    """The jobs of a run, by their numbers in the batch system."""

    jobs: tuple[str, ...]


class NodeState(Frozen):
    """How far a machine has come with its slice."""

    slice: int
    machine: str
    graded: tuple[str, ...] = ()  # the ids of the submissions that are done
    failed: tuple[str, ...] = ()  # those on which the harness failed
    at: Mapping[str, str] = {}  # the check that goes on, by the submission's id
    ended: bool = False
    problem: str | None = None  # why it graded nothing, or stopped
    status: int | None = None  # of the last job: its exit status


def folder_of(out: Path) -> Path:
    """Return the folder of these files, and of what the jobs print."""
    return out / WORK / "cluster"


def clear(out: Path) -> None:
    """Remove what an earlier run left, and make the folder."""
    folder = folder_of(out)
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*folder.glob("*.json"), *folder.glob("*.log"), *folder.glob(".*.tmp")):
        file.unlink(missing_ok=True)


def write_plan(out: Path, plan: Plan, seal: Seal) -> None:
    """Let the machines find the plan."""
    _write(out, _PLAN, plan, seal)


def read_plan(out: Path, seal: Seal) -> Plan | None:
    """Return the plan of the last run on several machines; None: there is none, or it was made with another key."""
    return _read(out, _PLAN, Plan, seal)


def write_submitted(out: Path, jobs: tuple[str, ...], seal: Seal) -> None:
    """Note the numbers of a run's jobs."""
    _write(out, _SUBMITTED, Submitted(jobs=jobs), seal)


def read_submitted(out: Path, seal: Seal) -> tuple[str, ...]:
    """Return the numbers of the last run's jobs."""
    found = _read(out, _SUBMITTED, Submitted, seal)
    return found.jobs if found else ()


def write_state(out: Path, state: NodeState, seal: Seal) -> None:
    """Let the others know how far this machine has come."""
    _write(out, _name(state.slice), state, seal)


def read_state(out: Path, number: int, seal: Seal) -> NodeState | None:
    """Return how far the machine of a slice, or the last job, has come; None: it has not begun."""
    return _read(out, _name(number), NodeState, seal)


def _name(number: int) -> str:
    return f"slice-{number}.json" if number != LAST else "last.json"


def _write(out: Path, name: str, content: Frozen, seal: Seal) -> None:
    write_whole(folder_of(out) / name, seal.sealed_json(_KIND, name, content.model_dump_json(indent=1)), 0o600)


def _read(out: Path, name: str, kind: type[_File], seal: Seal) -> _File | None:
    try:
        document = seal.opened_json(_KIND, name, read_plain(folder_of(out) / name))
        return None if document is None else kind.model_validate_json(document)
    except (OSError, ValidationError):
        return None
