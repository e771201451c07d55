"""What a worker of Dask does: it says what its machine offers, and grades submissions that are sent to it.

Each of its threads keeps a process that grades, with the reference and its evidence, from one submission to the next.
"""

from __future__ import annotations

import atexit
import tempfile
import threading
from pathlib import Path
from typing import Final

from gengrade import data as datasets
from gengrade import gpus, records
from gengrade.choices import Device
from gengrade.course import find
from gengrade.engine.cluster.machine import Machine, this_machine
from gengrade.engine.cluster.parcels import packed_results, unpacked
from gengrade.engine.crew import Crew
from gengrade.engine.kept import kept_here
from gengrade.engine.sharing import grade_all
from gengrade.facts import Frozen
from gengrade.job import Job, with_reference
from gengrade.paths import InputError
from gengrade.places import TEMPORARY
from gengrade.sandbox import Kept, remove
from gengrade.submissions import Submission

_HERE: Final = threading.local()  # `bench`: that of the thread


class Offer(Frozen):
    """What the machine of a worker offers for a job. `problem`: why it cannot grade by it at all."""

    machine: Machine
    problem: str | None = None


def offer(course: str, data: str | None, data_hash: str, device: Device) -> str:
    """Return what this machine offers, as JSON of an `Offer`.

    course: the name of a course that comes with gengrade.
    data, data_hash: the data set of the job.
    """
    machine = this_machine(find(course))
    problem = None
    try:
        if datasets.load(data).sha256 != data_hash:
            problem = "its data set differs from that of the machine that began the run"
    except InputError as error:
        problem = f"it does not have the data set ({error})"
    if device is Device.CUDA and not gpus.available():
        problem = "it has no GPU of NVIDIA"
    return Offer(machine=machine, problem=problem).model_dump_json()


def grade(job: str, course: str, submission: str, parcel: bytes) -> bytes:
    """Grade a submission, and return its facts and figures.

    job: as JSON.
    submission: as `records.dumps` writes it.
    parcel: what was handed in.
    """
    if not hasattr(_HERE, "bench") or _HERE.bench.given != job:
        if hasattr(_HERE, "bench"):
            _HERE.bench.close()
        _HERE.bench = _Bench(job, course)
    bench: _Bench = _HERE.bench
    return bench.grade(records.loads(Submission, submission), parcel)


class _Bench:
    """A folder on this machine's own disk, with the process that grades there."""

    def __init__(self, given: str, course: str) -> None:
        self.given = given
        self._folder = Path(tempfile.mkdtemp(prefix="gengrade-worker-")).resolve()
        work = self._folder / "work"
        (work / TEMPORARY).mkdir(parents=True)
        own = Kept("the folder of this machine's work", self._folder, "Set TMPDIR to another folder")
        here = {
            "out": self._folder / "results",
            "work": work,
            "machine": None,
            "course_folder": find(course).folder,
            "kept": (*kept_here(), own),
        }
        self._job = with_reference(Job.model_validate_json(given).model_copy(update=here))
        self._crew = Crew().__enter__()
        atexit.register(self.close)

    def close(self) -> None:
        """End the process, and remove the folder."""
        atexit.unregister(self.close)
        self._crew.__exit__(None, None, None)
        remove(self._folder)

    def grade(self, submission: Submission, parcel: bytes) -> bytes:
        into, results = self._folder / "handed-in", self._job.folder(submission)
        try:
            there = unpacked(parcel, submission, into)
            grade_all(self._job, [there], 1, lambda progress: None, self._crew)
            return packed_results(results)
        finally:
            remove(into)
            remove(results)
