"""Measure what a student waits for: the start, the first verdict and the end of a check of one's own submission."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import REFERENCE, ROOT, Row
from gengrade.course import find
from gengrade.sandbox import Isolation, Sandbox, choose

_MISTAKEN = ROOT / "submissions" / "mistakes"
_COUNTED = re.compile(rb"\b([1-9]\d*)/(\d{2,})\b")  # of the progress bar: checks that have ended, and all
_TIMES = 3


@dataclass(frozen=True, slots=True)
class _Waited:
    """Seconds from the command to its first verdict and to its end, and those of the search for known mistakes."""

    first: float
    end: float
    diagnosis: float


def measure(folder: Path) -> list[Row]:
    torch = statistics.median(_seconds([sys.executable, "-c", "import torch"]) for _ in range(_TIMES))
    start = statistics.median(_start(folder / f"start-{number}") for number in range(_TIMES))
    right = folder / "right"
    shutil.copytree(REFERENCE, right, ignore=shutil.ignore_patterns("__pycache__"))
    good, bad = _checked(right, folder / "good"), _checked(_MISTAKEN, folder / "bad")
    first = 2 * torch + 1
    return [
        Row("import torch", f"{torch:.1f} s"),
        Row(
            "a worker's sandbox is ready, in the time of import torch",
            f"{start / torch:.1f} times",
            "2.5 times",
            start <= 2.5 * torch,
        ),
        Row("first verdict of a self-check", f"{good.first:.1f} s", f"{first:.1f} s", good.first <= first),
        Row("end of a self-check, unit profile: a right submission", f"{good.end:.1f} s", "12 s", good.end <= 12),
        Row("  the mistaken example", f"{bad.end:.1f} s", "20 s", bad.end <= 20),
        Row("  of which the search for known mistakes", f"{bad.diagnosis:.1f} s", "5 s", bad.diagnosis <= 5),
    ]


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began


def _start(folder: Path) -> float:
    (folder / "trees").mkdir(parents=True)
    with Sandbox(choose(Isolation.AUTO, single=False), find("uva2020"), folder / "trees") as sandbox:
        began = time.monotonic()
        sandbox.warm()
        return time.monotonic() - began


def _checked(submission: Path, out: Path) -> _Waited:
    """Check one submission as a student does, in a terminal, where the progress bar counts its checks."""
    command = [sys.executable, str(ROOT / "run_grading.py"), str(submission), "--profile", "unit", "--out", str(out)]
    ours, theirs = pty.openpty()
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    first = 0.0
    while True:
        try:
            text = os.read(ours, 1 << 16)
        except OSError:  # the terminal's other end is closed
            break
        if not first and _COUNTED.search(text):
            first = time.monotonic() - began
    process.wait()
    end = time.monotonic() - began
    os.close(ours)
    (facts,) = out.glob("*/facts.json")
    stages = json.loads(facts.read_text())["provenance"]["stages"]
    return _Waited(first, end, stages["diagnosis"])
