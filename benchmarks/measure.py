"""Helpers of all benchmarks: a row of the table, a class of copies, and measuring the command."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "reference" / "uva2020"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; `met` is None if there is no goal."""

    what: str
    measured: str
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """The time and memory of a command."""

    wall: float  # seconds
    cpu: float  # seconds, of it and all its children that were waited for
    peak_mb: float  # the most that it and all below it held together, as proportional shares


def copies_of_reference(folder: Path, count: int) -> list[str]:
    """Make a class of copies of the reference, and return the students' names."""
    names = [f"student-{number:03}" for number in range(count)]
    for name in names:
        shutil.copytree(REFERENCE, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return names


def class_of(folder: Path, count: int) -> Path:
    """Make the same class, each with another additional file so that no two submissions are equal."""
    for name in copies_of_reference(folder, count):
        (folder / name / "part1" / "notes.py").write_text(f"NAME = {name!r}\n")
    return folder


def mnist() -> list[str]:
    """Return the real MNIST's folder as the only entry, or nothing if it is not on this machine."""
    for candidate in (os.environ.get("GENGRADE_DATA"), str(ROOT.parent / "shared" / "data")):
        if candidate and (Path(candidate) / "MNIST").is_dir():
            return [candidate]
    return []


def grade(path: Path, out: Path, *arguments: str) -> Cost:
    """Run the command and measure it. Raises RuntimeError if it fails."""
    command = [sys.executable, str(ROOT / "run_grading.py"), str(path), "--out", str(out), *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watch = _Watch(process.pid)
    output, _ = process.communicate()
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)}: {output}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, watch.stop())


class _Watch:
    """Samples the memory of a process and all below it, four times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        while not self._over.wait(0.25):
            self._peak = max(self._peak, sum(_share_mb(pid) for pid in family(self._pid)))


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                found += map(int, Path(f"/proc/{parent}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return found


def cpu_of(pids: Iterable[int]) -> float:
    """Return the CPU seconds of processes, and of children that they have waited for (proc_pid_stat(5), 14 to 17)."""
    seconds = 0.0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _share_mb(pid: int) -> float:
    """Return a process's proportional set size in MB: shared pages are divided among their users."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        return 0.0
    return 0.0
