"""Measure the cost of a probe: in an isolated run, without isolation, and in a new process each time."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import Row
from gengrade.course import find
from gengrade.facts import Outcome
from gengrade.sandbox import Isolation, Limits, Request, Sandbox, choose

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
    """Measure the same first optimiser step in an isolated run and in a new Python process."""
    tree = folder / "trees" / "student"
    (tree / "vae").mkdir(parents=True)
    (tree / "vae" / "utils.py").write_text(_UTILS)
    tier = choose(Isolation.AUTO, single=False)
    walls, guest, host = [], [], []
    with Sandbox(tier, find("uva2020"), folder / "trees") as sandbox:
        sandbox.warm()
        inputs = {"mean": np.ones((64, 8), np.float32), "log_std": np.ones((64, 8), np.float32)}
        for number in range(_RUNS):
            before, began = _own_cpu(), time.monotonic()
            run = sandbox.run(Request("vae:kld", tree, inputs, number, Limits()))
            assert run.outcome is Outcome.PASSED, run.message
            walls.append(time.monotonic() - began)
            host.append(_own_cpu() - before)
            guest.append(run.cpu_seconds)
    cpu = 1000 * (statistics.median(guest) + statistics.median(host))
    plain = _plain(folder)
    wall = statistics.median(walls)
    return [
        Row(f"CPU of a probe with its first optimiser step ({tier})", f"{cpu:.0f} ms", "40 ms", cpu <= 40),
        Row("  of which in the host", f"{1000 * statistics.median(host):.1f} ms"),
        Row("wall time of the same probe", f"{1000 * wall:.0f} ms (most {1000 * max(walls):.0f})"),
        Row("wall time of the same code in a new Python process", f"{1000 * plain:.0f} ms ({plain / wall:.0f} times)"),
    ]


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


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
