"""Why a run ended without an answer: the limits that the zygote held, signals, and a machine without memory."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

from gengrade.facts import Outcome
from gengrade.sandbox.guest.disk import MOST_FILES
from gengrade.sandbox.limits import Limits


def stopped(reason: str, limits: Limits) -> tuple[Outcome, str] | None:
    """Return the outcome and message of a run that the zygote stopped; None for a reason that is none of its own."""
    match reason:
        case "memory":
            return Outcome.MEMORY, f"stopped at {limits.memory_mb} MB of memory: the limit of this check"
        case "processes":
            most = limits.processes
            return Outcome.ERROR, f"stopped: more than {most} processes and threads at once, the limit of this check"
        case "descriptors":
            return Outcome.ERROR, "stopped: too many descriptors were sent and not received"
        case "unmeasurable":
            return Outcome.ERROR, "stopped: what its processes take could not be measured"
        case "disk":
            room = f"files may take {limits.disk_mb} MB in this check, and {MOST_FILES:,} may be there at once"
            return Outcome.ERROR, f"stopped: {room}"
        case _:
            return None


def late(limits: Limits) -> str:
    """Say that a run has used up its time."""
    return f"stopped after {limits.seconds:g} s: the limit of this check"


def death(code: int, number: int) -> str:
    """Say how a process ended, from its exit status and signal. As in shells, a status above 128 means a signal."""
    number = number or max(0, code - 128)
    if number:
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = str(number)
        return f"the process was ended by {name} before it answered"
    return f"the process ended itself before it answered (exit status {code})"


def kills_for_memory() -> int:
    """Count the processes that this machine has ended for want of memory, where its kernel says so."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0
