"""Measure the most expensive inputs, fuzz, and print the faults: `python -m tests.attacks.fuzzing`."""

from __future__ import annotations

import argparse
import json
import mmap
import multiprocessing
import os
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from gengrade.facts import Outcome
from tests.attacks import fuzzing
from tests.attacks.fuzzing import handing_in
from tests.attacks.fuzzing.costs import WORST, WORST_BYTES, WORST_SECONDS, cost
from tests.attacks.fuzzing.inputs import MOST_BYTES
from tests.attacks.fuzzing.worker import Worker

_HANGING_SECONDS: Final = 120.0


def _search(jobs: int, seed: int, seconds: float, inputs: int, out: Path) -> list[str]:
    """Run the workers, watch over them, and return their faults."""
    context = multiprocessing.get_context("fork")
    faults: list[str] = []
    crew = []
    for number in range(seed, seed + jobs):
        shared = mmap.mmap(-1, 12 + MOST_BYTES)
        worker = Worker(number, seconds, inputs // jobs, out, shared)
        process = context.Process(target=worker.run)
        process.start()
        crew.append((process, shared))
    for process, shared in crew:
        count, since = b"", time.monotonic()
        while process.is_alive():
            process.join(1)
            if bytes(shared[:8]) != count:
                count, since = bytes(shared[:8]), time.monotonic()
            elif time.monotonic() - since > _HANGING_SECONDS:
                process.kill()
        if process.exitcode:
            _, length = struct.unpack("<QI", shared[:12])
            words = f"a process hung or died ({process.exitcode})"
            faults.append(f"{words}\ninput: {bytes(shared[12 : 12 + length]).hex()}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.fuzzing", description=fuzzing.__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--inputs", type=int, default=100_000_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a folder for inputs that show a fault; a new one, if none is named")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="gengrade-fuzzing-"))
    out.mkdir(parents=True, exist_ok=True)
    faults = []
    for name, (tag, make) in WORST.items():
        spent = cost(tag, make())
        print(f"{name:34} {spent.seconds:6.2f} s {spent.bytes >> 20:5} MB  {spent.outcome}", flush=True)
        if spent.seconds > WORST_SECONDS or spent.bytes > WORST_BYTES or spent.outcome not in list(Outcome):
            faults.append(f"{name} costs too much, or raises: {spent}")
    faults += handing_in.search(options.seed * 1_000_000, options.seconds / 6, options.inputs)
    faults += _search(options.jobs, options.seed, options.seconds, options.inputs, out)
    reports = [json.loads(path.read_text()) for path in sorted(out.glob("worker-*.json"))]
    if not reports:
        print("\n".join(faults))
        return 1
    faults += [fault for report in reports for fault in report["faults"]]
    reached = {line for report in reports for line in report["reached"]}
    every = {line for report in reports for line in report["lines"]}
    print(
        f"{sum(report['inputs'] for report in reports):,} inputs in {max(r['seconds'] for r in reports):.0f} s; "
        f"{len(reached)} of {len(every)} lines and {max(r['pairs'] for r in reports)} pairs reached, "
        f"{sum(report['kept'] for report in reports)} inputs kept; "
        f"the slowest took {max(r['slowest'] for r in reports):.3f} s; {len(faults)} faults; {out}"
    )
    print("not reached:", ", ".join(sorted(every - reached)) or "nothing")
    for fault in faults:
        print(fault)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
