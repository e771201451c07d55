"""The processors of this machine, and how workers share them."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path


def available() -> list[int]:
    """Return the numbers of the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@cache
def model() -> str:
    """Return the model of this machine's processors, on which the last digits of a number may depend."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def shares_of(processors: Sequence[int], workers: int) -> list[str]:
    """Return a share of the processors for each worker, such as "0,2"; no two overlap where there are enough."""
    found = [processors[index::workers] or [processors[index % len(processors)]] for index in range(workers)]
    return [",".join(map(str, share)) for share in found]
