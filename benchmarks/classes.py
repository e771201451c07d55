"""Measure a class without training: its throughput, and the time of a repeated run with nothing left to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import REFERENCE, ROOT, Row, class_of, copies_of_reference, grade

_CLASS = 12
_JOBS = 2
_BIG_CLASS = 200
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
        Row("memory of all processes, two jobs", f"{cost.peak_mb:.0f} MB", "3,000 MB", cost.peak_mb <= 3000),
    ]
    again = grade(small, folder / "small-results", "--profile", "unit")
    rows.append(_restart(again.wall, _CLASS))
    return rows + _big(folder)


def _big(folder: Path) -> list[Row]:
    """Measure two hundred graded submissions with pictures: a repeated run, and scoring by a changed rubric.

    One is graded; the others are copies of it, and their results copies of its results.
    """
    big, results = folder / "big", folder / "big-results"
    rubric = folder / "rubric.yaml"
    rubric.write_text((ROOT / "rubric.yaml").read_text())
    first, *others = copies_of_reference(big, _BIG_CLASS)
    grade(big, results, "--rubric", str(rubric), "--only", first)
    for name in others:
        shutil.copytree(results / first, results / name, ignore=shutil.ignore_patterns("evidence"))
        facts = results / name / "facts.json"
        facts.write_text(facts.read_text().replace(f'"{first}"', f'"{name}"', 1))
    grade(big, results, "--rubric", str(rubric))  # each is opened once, and found to be what was graded
    again = grade(big, results, "--rubric", str(rubric))
    rubric.write_text(rubric.read_text().replace("full: 0.84", "full: 0.85"))
    scored = grade(big, results, "--rubric", str(rubric))
    return [
        _restart(again.wall, _BIG_CLASS),
        Row(f"re-scoring {_BIG_CLASS} after a change of the rubric", f"{scored.wall:.2f} s", "3 s", scored.wall <= 3),
    ]


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
