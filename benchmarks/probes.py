"""Measure the cost of a probe: in an isolated run, without isolation, and in a new process each time."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, cpu_of, family
from gengrade.course import find
from gengrade.facts import Outcome
from gengrade.sandbox import Isolation, Limits, Request, Run, Sandbox, choose

_RUNS = 60
_PLAIN_RUNS = 5
_UTILS = """\
import torch
def KLD(mean, log_std):
    layer = torch.nn.Linear(8, 8)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(mean).sum().backward()
    optimizer.step()
    return layer.weight
"""


def measure(folder: Path) -> list[Row]:
    """Measure the same first optimiser step in an isolated run, on our own code and in a new Python process."""
    tree = folder / "trees" / "student"
    (tree / "vae").mkdir(parents=True)
    (tree / "vae" / "utils.py").write_text(_UTILS)
    tier = choose(Isolation.AUTO, single=False)
    inputs = {"mean": np.ones((64, 8), np.float32), "log_std": np.ones((64, 8), np.float32)}
    with Sandbox(tier, find("uva2020"), folder / "trees") as sandbox:
        walled = _cost(sandbox, lambda number: sandbox.run(Request("vae:kld", tree, inputs, number, Limits())))
        ours = _cost(sandbox, lambda number: sandbox.ours.run(Request("vae:kld", tree, inputs, number, Limits())))
    plain = _plain(folder)
    return [
        Row(
            f"CPU of all processes for a probe with its first optimiser step ({tier})",
            f"{walled.cpu:.0f} ms",
            "35 ms",
            walled.cpu <= 35,
        ),
        Row("  of which in the host", f"{walled.host:.1f} ms"),
        Row("wall time of the same probe", f"{walled.wall:.0f} ms", "20 ms", walled.wall <= 20),
        Row("wall time of the same probe on our own code", f"{ours.wall:.0f} ms"),
        Row(
            "wall time of the same code in a new Python process",
            f"{1000 * plain:.0f} ms ({1000 * plain / walled.wall:.0f} times)",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Cost:
    """Milliseconds of a run: median wall time, mean CPU time of all processes, and that of this one."""

    wall: float
    cpu: float
    host: float


def _cost(sandbox: Sandbox, run: Callable[[int], Run]) -> _Cost:
    """Measure a run; what its processes used is counted once they have ended, and so over many runs."""
    sandbox.warm()
    for number in range(_RUNS // 2):
        run(number)
    walls = []
    host, cpu = cpu_of([os.getpid()]), cpu_of(family(os.getpid()))
    for number in range(_RUNS):
        began = time.monotonic()
        done = run(number)
        walls.append(time.monotonic() - began)
        assert done.outcome is Outcome.PASSED, done.message
    host, cpu = cpu_of([os.getpid()]) - host, cpu_of(family(os.getpid())) - cpu
    return _Cost(1000 * statistics.median(walls), 1000 * cpu / _RUNS, 1000 * host / _RUNS)


def _plain(folder: Path) -> float:
    """Return the median seconds of a few new processes."""
    script = folder / "plain.py"
    script.write_text(_UTILS + textwrap.dedent("KLD(torch.ones(64, 8), None)\n"))
    times = []
    for _ in range(_PLAIN_RUNS):
        began = time.monotonic()
        subprocess.run([sys.executable, str(script)], check=True)
        times.append(time.monotonic() - began)
    return statistics.median(times)
