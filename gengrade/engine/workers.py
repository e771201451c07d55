"""A worker as the engine has it: its process, what is said to it and by it, and its end."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, Final

from gengrade import gpus, records
from gengrade.home import python_path
from gengrade.job import Job
from gengrade.messages import JOB, Message, read_message
from gengrade.places import TEMPORARY
from gengrade.submissions import Submission

_END_SECONDS: Final = 30.0  # for a worker to take down its sandbox, on a busy machine
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Place:
    """The part of this machine that a worker has."""

    cores: str  # its own processors, as in "0,2"
    gpu: str | None = None  # the GPU that its runs see; None: they use none


class WorkerProcess:
    """Starts a worker, gives it submissions, and reads its messages."""

    def __init__(self, job: Job, number: int, place: Place) -> None:
        """Start the worker. `number`: no other worker of the run has it."""
        self.place = place
        self.submission: Submission | None = None  # what it is grading
        self._log = job.work / f"worker-{number}.log"
        self._buffer = b""
        with self._log.open("xb") as errors:
            self._process = subprocess.Popen(
                # Files are read as UTF-8 there, whatever the locale is.
                [sys.executable, "-P", "-X", "utf8", "-m", "gengrade.worker", str(os.getpid()), place.cores],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={
                    **os.environ,
                    **({} if place.gpu is None else {gpus.VISIBLE: place.gpu}),
                    "PYTHONPATH": python_path(),
                    "TMPDIR": str(job.work / TEMPORARY),  # where the next run finds what it left when it was killed
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                },
            )

    @property
    def events(self) -> IO[bytes]:
        """The pipe that its messages come by."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def lives(self) -> bool:
        """Whether its process has not ended."""
        return self._process.poll() is None

    def send_job(self, job: Job) -> None:
        """Tell it the job of the submissions that follow."""
        self._send(f"{JOB}{job.model_dump_json()}")

    def assign(self, submission: Submission | None) -> None:
        """Give it the next submission; None: there is no more, and it ends."""
        self.submission = submission
        if submission is not None:
            self._send(records.dumps(submission))
        else:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # its end is noticed where its messages are read

    def messages(self) -> list[Message] | None:
        """Read what it has said since the last call; None at its end."""
        data = os.read(self.events.fileno(), _CHUNK)
        if not data:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [read_message(line) for line in lines]

    def wait(self) -> int:
        """Wait until a worker that closed its pipe has ended, and return its exit status."""
        return self._process.wait()

    def terminate(self) -> None:
        """Tell it to end."""
        self._process.terminate()

    def end(self) -> None:
        """Wait for its end, and kill it when that does not come."""
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """Return the end of its log."""
        return self._log.read_text(errors="replace")[-2000:]
