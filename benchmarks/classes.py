"""Measure classes without training: throughput and memory, how the time grows, repeated runs, and scoring again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import REFERENCE, ROOT, Row, class_of, copies_of_reference, grade
from gengrade.atomic import write_whole
from gengrade.authenticity import authority
from gengrade.job import facts_in

_CLASS = 12
_JOBS = 2
_BIG_CLASS = 200
_JOB_MB = 600
_SIZES = (5, 10, 20, 40)
_AWAY = 0.15
_SMALL = ("--profile", "unit", "--part", "theory")
_RESCORING = 3.0  # times the time of writing its files
_PLAIN_CHECKS = 6
_PLAIN = """\
import sys
sys.path.insert(0, {part!r})
import torch, torchvision, scipy.stats, matplotlib.pyplot, pytorch_lightning, torch.utils.tensorboard
from utils import KLD
KLD(torch.ones(64, 8), torch.ones(64, 8))
"""


def measure(folder: Path) -> list[Row]:
    small = class_of(folder / "small", _CLASS)
    cost = grade(small, folder / "small-results", "--profile", "unit", "--jobs", str(_JOBS))
    facts = [json.loads(path.read_text()) for path in (folder / "small-results").glob("*/facts.json")]
    checks = sum(len(one["checks"]) for one in facts)
    compute = sum(sum(one["provenance"]["stages"].values()) for one in facts)
    each, plain = cost.wall / checks, _plain()
    else_ = (_JOBS * cost.wall - compute) / _CLASS
    rows = [
        Row(f"unit profile, {_CLASS} complete submissions", f"{cost.wall:.1f} s, {checks / cost.wall:.1f} checks/s"),
        Row("  of which checks, in all workers", f"{compute:.1f} s"),
        Row("  all else, a submission", f"{else_:.2f} s", "0.5 s", else_ <= 0.5),
        Row("the plain way, a new process a check", f"{1 / plain:.2f} checks/s on one core, {2 / plain:.2f} on two"),
        Row(
            "  throughput against it, both on two cores",
            f"{plain / 2 / each:.0f} times",
            "10 times",
            plain / 2 / each >= 10,
        ),
        Row(
            f"memory of all processes, a job of {_JOBS}",
            f"{cost.peak_mb / _JOBS:.0f} MB",
            f"{_JOB_MB} MB",
            cost.peak_mb / _JOBS <= _JOB_MB,
        ),
    ]
    again = grade(small, folder / "small-results", "--profile", "unit")
    rows.append(_restart(again.wall, _CLASS))
    return [*rows, *_growing(folder), *_big(folder)]


def _growing(folder: Path) -> list[Row]:
    """Measure classes of small hand-ins, each twice as large as the one before: the time should lie on a line."""
    walls = []
    for size in _SIZES:
        classroom = folder / f"growing-{size}"
        for number in range(size):
            (classroom / f"student-{number:03}").mkdir(parents=True)
            answers = f"{(REFERENCE / 'answers.py').read_text()}\nNAME = {number}\n"
            (classroom / f"student-{number:03}" / "answers.py").write_text(answers)
        walls.append(grade(classroom, folder / f"growing-{size}-results", *_SMALL).wall)
    slope, start = np.polyfit(_SIZES, walls, 1)
    line = start + slope * np.array(_SIZES)
    away = float(np.max(np.abs(np.array(walls) - line) / line))
    shown = ", ".join(f"{wall:.1f}" for wall in walls)
    return [
        Row(f"small hand-ins, {', '.join(map(str, _SIZES))} of them", f"{shown} s"),
        Row("  a submission", f"{slope:.2f} s"),
        Row("  largest deviation from a line", f"{away:.0%}", f"{_AWAY:.0%}", away <= _AWAY),
    ]


def _big(folder: Path, *arguments: str) -> list[Row]:
    """Measure two hundred graded submissions with pictures: a repeated run, and scoring by a changed rubric.

    One is graded; the others are copies of it, and their results copies of its results. `arguments` are added to each
    command.
    """
    big, results = folder / "big", folder / "big-results"
    rubric = folder / "rubric.yaml"
    rubric.write_text((ROOT / "rubric.yaml").read_text())
    first, *others = copies_of_reference(big, _BIG_CLASS)
    arguments = ("--rubric", str(rubric), *arguments)
    grade(big, results, *arguments, "--only", first)
    seal = authority([]).seal
    facts = facts_in(results / first, first, seal)
    assert facts is not None
    for name in others:
        shutil.copytree(results / first, results / name, ignore=shutil.ignore_patterns("evidence"))
        document = facts.model_copy(update={"student": name}).model_dump_json(indent=1)
        write_whole(results / name / "facts.json", seal.sealed_json("facts", name, document))
    grade(big, results, *arguments)  # each is opened once, and found to be what was graded
    again = grade(big, results, *arguments)
    rubric.write_text(rubric.read_text().replace("full: 0.84", "full: 0.85"))
    began = time.time()
    scored = grade(big, results, *arguments)
    written = [path for path in results.rglob("*") if path.is_file() and path.stat().st_mtime >= began]
    alone = min(_writing(written, folder / f"written-{attempt}") for attempt in range(3))
    size = sum(path.stat().st_size for path in written) / 1e6
    return [
        _restart(again.wall, _BIG_CLASS),
        Row(f"re-scoring {_BIG_CLASS} after a change of the rubric", f"{scored.wall:.2f} s"),
        Row(f"  writing its {len(written)} files, {size:.0f} MB, alone", f"{alone:.2f} s"),
        Row(
            "  re-scoring against that",
            f"{scored.wall / alone:.1f} times",
            f"{_RESCORING:g} times",
            scored.wall / alone <= _RESCORING,
        ),
    ]


def _writing(files: list[Path], into: Path) -> float:
    """Return the seconds that writing the same files takes: each as a whole, and with its permissions."""
    contents = [path.read_bytes() for path in files]
    began = time.monotonic()
    for number, content in enumerate(contents):
        write_whole(into / str(number) / "file", content)
    return time.monotonic() - began


def _restart(wall: float, count: int) -> Row:
    each = wall / count
    return Row(
        f"starting again on {count} finished ones", f"{wall:.2f} s, {each:.3f} s each", "0.3 s each", each <= 0.3
    )


def _plain() -> float:
    """Return the seconds of one check in a separate process that imports what the hand-out imports."""
    began = time.monotonic()
    for _ in range(_PLAIN_CHECKS):
        script = "import torch\n" + _PLAIN.format(part=str(REFERENCE / "part1"))
        shim = "from gengrade.sandbox.guest.compatibility import import_torchvision; import_torchvision()\n"
        subprocess.run([sys.executable, "-c", shim + script], check=True, cwd=ROOT, capture_output=True)
    return (time.monotonic() - began) / _PLAIN_CHECKS
