"""Ask each node of a Slurm cluster what it offers, before a class is given to it.

`python -m gengrade.engine.cluster.survey` prints what the machine offers on which it is called.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from gengrade.course import DEFAULT, find
from gengrade.engine.cluster.machine import Machine, this_machine
from gengrade.engine.errors import UsageError
from gengrade.home import python_path

_WAIT_SECONDS: Final = 60  # for a node that is busy
_SIDE_BY_SIDE: Final = 16
_STATES: Final = "idle,mixed,allocated"


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What a node offers; or, if it did not answer, why."""

    name: str
    machine: Machine | None
    problem: str = ""


def here() -> Machine:
    """Return what this machine offers for the courses that come with gengrade."""
    return this_machine(find(DEFAULT))


def survey_nodes(partition: str | None) -> list[Surveyed]:
    """Ask all nodes of a partition, or of the whole cluster, that are up. Raises UsageError without Slurm."""
    if shutil.which("sinfo") is None or shutil.which("srun") is None:
        raise UsageError("--cluster: there is no `srun` on this machine; give the command where you submit jobs")
    where = [f"--partition={partition}"] if partition else []
    asked = subprocess.run(
        ["sinfo", "--noheader", "--Node", f"--states={_STATES}", "--format=%N", *where],
        capture_output=True,
        text=True,
        check=False,
        timeout=_WAIT_SECONDS,
    )
    if asked.returncode != 0:
        raise UsageError(f"--cluster: Slurm does not answer: {asked.stderr.strip()}")
    names = sorted(set(asked.stdout.split()), key=_by_number)
    if not names:
        raise UsageError("--cluster: Slurm has no node that is up there; see `sinfo`")
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return list(pool.map(lambda name: _asked(name, where), names))


def _asked(name: str, where: list[str]) -> Surveyed:
    command = ["srun", f"--nodelist={name}", "--nodes=1", "--ntasks=1", f"--immediate={_WAIT_SECONDS}", *where]
    command += [sys.executable, "-P", "-X", "utf8", "-m", "gengrade.engine.cluster.survey"]
    environment = {**os.environ, "PYTHONPATH": python_path()}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=4 * _WAIT_SECONDS, env=environment
        )
        return Surveyed(name, Machine.model_validate_json(done.stdout))
    except subprocess.TimeoutExpired:
        return Surveyed(name, None, f"it did not answer within {4 * _WAIT_SECONDS} s")
    except ValidationError:
        said = done.stderr.strip().splitlines()
        return Surveyed(name, None, said[-1] if said else "gengrade cannot be started there")


def _by_number(name: str) -> tuple[str, int]:
    number = re.search(r"(\d*)$", name)
    assert number is not None
    return name[: number.start()], int(number[1] or 0)


if __name__ == "__main__":
    print(here().model_dump_json())
