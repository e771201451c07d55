"""A worker: one of the processes that grade side by side, each with a zygote of its own.

`python -m gengrade.worker PID CORES` gets the engine's process id, and the processors that are this worker's own
("0,1"). It reads a job, then the submissions that are graded by it, one a line, and perhaps another job after them. It
writes what happens, one message a line (`messages`). A worker that dies takes its zygote with it, and loses nothing
that was written. Jobs come by the pipe, since they hold the operator's key: neither the disk nor a list of processes
shows it.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from functools import partial
from types import FrameType
from typing import TextIO

from gengrade import records
from gengrade.atomic import NO_ROOM
from gengrade.forking import end_with_parent
from gengrade.job import Grader, Job
from gengrade.messages import JOB, DiskFull, Finished, Message, write_message
from gengrade.submissions import Submission


def main() -> None:
    """Grade the submissions that come by the standard input, until it ends."""
    # The pipe to the engine is ours alone: whatever a library prints goes to the log.
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the engine handles Ctrl-C
    signal.signal(signal.SIGTERM, _stop)
    end_with_parent(int(sys.argv[1]))  # a worker that outlived its engine would write beside those of the next run
    _keep_to(sys.argv[2])
    assert isinstance(sys.stdin, io.TextIOWrapper)
    sys.stdin.reconfigure(encoding="utf-8", errors="strict")  # PYTHONIOENCODING may name another one
    grader = Grader(_job(sys.stdin.readline()), partial(_send, events))
    try:
        for line in sys.stdin:
            if line.startswith(JOB):
                grader.follow(_job(line))
            else:
                _send(events, _grade(grader, line))
    except KeyboardInterrupt:
        sys.exit(1)  # the engine stopped us; what was finished is on disk
    finally:
        grader.close()


def _stop(number: int, frame: FrameType | None) -> None:
    """End the session on SIGTERM as on Ctrl-C: pytest takes any other exception for the result of a test."""
    raise KeyboardInterrupt


def _keep_to(cores: str) -> None:
    """Stay on these processors: what a submission does to them costs no other worker's time."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [int(core) for core in cores.split(",")])


def _job(line: str) -> Job:
    return Job.model_validate_json(line.removeprefix(JOB))


def _grade(grader: Grader, line: str) -> Message:
    """Grade the submission of that line. What goes wrong here is our fault, and the engine is told."""
    try:
        grader.facts(records.loads(Submission, line))
    except OSError as error:
        if error.errno in NO_ROOM:
            return DiskFull(reason=os.strerror(error.errno))
        return Finished(error=traceback.format_exc())
    except Exception:
        return Finished(error=traceback.format_exc())
    return Finished()


def _send(events: TextIO, message: Message) -> None:
    events.write(write_message(message))


if __name__ == "__main__":
    main()
