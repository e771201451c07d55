"""A worker: one of the processes that grade side by side, each with a zygote of its own.

`python -m gengrade.worker PID CORES` gets the engine's process id, and the processors that are this worker's own
("0,1"). It reads its job, then one submission a line, and writes what happens, one JSON object a line:
`{"check": "vae.kld"}` when a check begins, `{"done": true, "error": null}` at a submission's end;
`{"full": "No space left on device"}` when results cannot be written any more. A worker that dies takes its zygote with
it, and loses nothing that was written. The job comes by the pipe, since it holds the operator's key: neither the disk
nor a list of processes shows it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any, TextIO

from gengrade import records
from gengrade.atomic import NO_ROOM
from gengrade.forking import end_with_parent
from gengrade.job import Grader, Job
from gengrade.submissions import Submission


def main() -> None:
    # The pipe to the engine is ours alone: whatever a library prints goes to the log.
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's to handle
    signal.signal(signal.SIGTERM, _stop)
    end_with_parent(int(sys.argv[1]))  # a worker that outlived its engine would write beside those of the next run
    _keep_to(sys.argv[2])
    job = Job.model_validate_json(sys.stdin.readline())
    grader = Grader(job, lambda check: _say(events, {"check": check}))
    try:
        for line in sys.stdin:
            _say(events, _grade(grader, line))
    except KeyboardInterrupt:
        sys.exit(1)  # the engine stopped us; what was finished is on disk
    finally:
        grader.close()


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a session as Ctrl-C would: pytest takes any other exception for the result of a test."""
    raise KeyboardInterrupt


def _keep_to(cores: str) -> None:
    """What a submission does to its processors, with however many processes, is then no other worker's loss."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [int(core) for core in cores.split(",")])


def _grade(grader: Grader, line: str) -> dict[str, Any]:
    """Grades the submission of that line. What goes wrong here is ours; the engine is told."""
    try:
        grader.facts(records.loads(Submission, line))
    except OSError as error:
        if error.errno in NO_ROOM:
            return {"full": os.strerror(error.errno)}
        return {"done": True, "error": traceback.format_exc()}
    except Exception:
        return {"done": True, "error": traceback.format_exc()}
    return {"done": True, "error": None}


def _say(events: TextIO, message: dict[str, Any]) -> None:
    events.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    main()
