"""Prove and measure what runs on a GPU, in at most eight minutes: `python -m tests.gpu`, or `make gpu`.

It needs a Python with torch for CUDA and gengrade's dependencies, this folder, and no network: without a virtual
environment, give `PYTHONPATH=.`. It runs the tests that are marked `gpu`, grades the examples of the courses that
train, and prints one table: the seconds of each training on the GPU beside those on the processor, and beside the least
that its arithmetic takes. When its time is over, it ends with what it has.

`--dry-run` does the same on the processor with hardly any training, to try this script itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from benchmarks.trainings import Training

ROOT: Final = Path(__file__).resolve().parents[1]
COURSES: Final = ("uva2020", "mila2023", "uva2018", "uva2021", "duke2017", "eecs498", "cs231n_gan", "mit_flow")
SECONDS: Final = 450.0
_TESTS_SECONDS: Final = 120.0
_GOALS: Final = {"uva2020 VAE": 2.0, "uva2020 GAN": 3.0, "uva2020 flow": 3.0, "complete submission": 10.0}
_BRIEF: Final = ("--profile", "unit", "--part", "theory")
_NEEDED: Final = (
    *("torch", "torchvision", "numpy", "scipy", "pytest", "pytest_timeout", "jinja2", "yaml", "matplotlib", "tqdm"),
    *("tensorboard", "pytorch_lightning", "sklearn", "safetensors", "pydantic", "typer", "rich", "xlsxwriter"),
    *("nbformat", "IPython"),
)


@dataclass
class Found:
    """What was found out so far."""

    lines: list[str] = field(default_factory=list)  # what is said before the table
    on_gpu: list[Training] = field(default_factory=list)
    on_cpu: list[Training] = field(default_factory=list)
    rate: float = 0.0  # floating-point operations a second of a matrix product on the GPU
    complete: float | None = None  # seconds of a complete submission
    judged: bool = True  # whether goals are compared
    wrong: bool = False

    def say(self, line: str) -> None:
        """Add a line, and print it at once: the machine may be taken away before the end."""
        self.lines.append(line)
        print(line, flush=True)


class Watch:
    """The time that is left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left, never less than 0."""
        return max(0.0, self._end - time.monotonic())


def missing() -> list[str]:
    """Return the modules that are needed and not installed."""
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def refusal(*, dry: bool) -> str | None:
    """Return why nothing can be measured here, in one line, or None."""
    if lacking := missing():
        return f"error: this Python lacks {', '.join(lacking)}: {sys.executable}"
    if dry:
        return None
    import torch

    if torch.version.cuda is None:
        return f"error: the installed torch {torch.__version__} was built without CUDA; install one with it"
    if not torch.cuda.is_available():
        return "error: torch finds no GPU of NVIDIA on this machine"
    return None


def run_tests(found: Found, watch: Watch) -> None:
    """Run the tests that need a GPU."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests/test_gpus.py", "tests/test_sandbox.py"]
    output, status = _called(command, min(_TESTS_SECONDS, watch.left))
    for line in output.splitlines():
        if line.startswith(("FAILED", "ERROR")):
            found.say(f"  {line}")
    found.say(f"tests on the GPU: {(output.strip().splitlines() or ['no output'])[-1]}")
    found.wrong |= status != 0


def measure_trainings(found: Found, watch: Watch, course: str, device: str, *, dry: bool) -> None:
    """Measure the trainings of a course's reference, as far as the time allows."""
    from benchmarks.measure import mnist
    from benchmarks.trainings import trainings

    data = "digits" if dry else next(iter(mnist()), "digits")
    into = found.on_gpu if device == "cuda" or dry else found.on_cpu
    try:
        for training in trainings(course, device, data, watch.left, few=dry):
            into.append(training)
            where = "the processor" if training.device == "cpu" else "the GPU"
            found.say(f"  {training.name}: {training.seconds:.1f} s on {where}, {training.steps:,} steps")
    except RuntimeError as error:
        found.say(f"  {error}")
        found.wrong = True


def grade_class(found: Found, watch: Watch, course: str, folder: Path, device: str, *, dry: bool) -> None:
    """Grade a course's reference and examples, and say how that ended."""
    from gengrade.course import find

    chosen, classroom, out = find(course), folder / course, folder / f"{course}-results"
    shutil.copytree(chosen.examples, classroom, ignore=shutil.ignore_patterns("__pycache__", "*.md", "*.yaml"))
    shutil.copytree(chosen.reference, classroom / "reference", ignore=shutil.ignore_patterns("__pycache__"))
    began = time.monotonic()
    arguments = ["--only", "reference", *_BRIEF] if dry else []
    status = _graded(classroom, out, course, device, watch, *arguments)
    facts = [json.loads(path.read_text()) for path in sorted(out.glob("*/facts.json"))]
    faults = [f"{one['student']}: {check}" for one in facts for check in _at_fault(one)]
    seconds = time.monotonic() - began
    found.say(f"{course}: {len(facts)} submissions in {seconds:.0f} s, {status}, {len(faults)} faults {faults[:3]}")
    found.wrong |= bool(faults)


def grade_complete(found: Found, watch: Watch, folder: Path, device: str, *, dry: bool) -> None:
    """Grade one complete submission of the default course alone, when the class's own trainings are known already."""
    classroom, out = folder / "alone", folder / "alone-results"
    shutil.copytree(ROOT / "reference" / "uva2020", classroom / "complete")
    status = _graded(classroom, out, "uva2020", device, watch, *(_BRIEF if dry else ()))
    for facts in out.glob("*/facts.json"):
        found.complete = float(json.loads(facts.read_text())["provenance"]["seconds"])
    if found.complete is None:
        found.say(f"complete submission: not graded, {status}")


def _at_fault(facts: dict[str, Any]) -> list[str]:
    checks = facts["checks"].items()
    return [name for name, check in checks if any(test["outcome"] == "infra" for test in check["tests"])]


def _graded(classroom: Path, out: Path, course: str, device: str, watch: Watch, *arguments: str) -> str:
    """Grade a class in the strongest isolation of this machine, and return how that ended, in words."""
    from gengrade.sandbox import Isolation, choose

    tier = choose(Isolation.AUTO, single=True)
    command = [sys.executable, "run_grading.py", str(classroom), "--course", course, "--out", str(out)]
    command += ["--device", device, "--seed", "1", "--isolation", tier.value, *arguments]
    output, status = _called(command, watch.left)
    if status is None:
        return "ended for want of time"
    return f"exit status {status}" if status < 2 else f"exit status {status}: {output.strip()[-300:]}"


def _called(command: Sequence[str], seconds: float) -> tuple[str, int | None]:
    """Run a command in this folder; return its output and exit status, None if it did not end in time."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=max(seconds, 1.0),
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode("utf-8", "replace") if isinstance(late.stdout, bytes) else "", None
    return done.stdout, done.returncode


def table(found: Found) -> str:
    """Return the table: for each training its seconds on the GPU, on the processor, and the least, with its goal."""
    rows = [("training", "GPU", "processor", "arithmetic", "goal", "")]
    goals = dict(_GOALS)  # of the first training of each name: later ones are for pictures
    for training in found.on_gpu:
        on_gpu = training.device == "cuda"
        others = [training] if not on_gpu else [each for each in found.on_cpu if each.name == training.name]
        others.sort(key=lambda each: abs(each.steps - training.steps))
        rows.append(
            (
                f"{training.name}, {training.steps:,} steps",
                f"{training.seconds:.1f} s" if on_gpu else "–",
                f"{others[0].seconds:.1f} s" if others else "",
                f"{training.flops / found.rate:.2f} s",
                *_goal(goals.pop(training.name, None) if found.judged else None, training.seconds),
            )
        )
    if found.complete is not None:
        goal = goals["complete submission"] if found.judged else None
        rows.append(("complete submission", f"{found.complete:.1f} s", "", "", *_goal(goal, found.complete)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _goal(goal: float | None, seconds: float) -> tuple[str, str]:
    return ("", "") if goal is None else (f"{goal:g} s", "met" if seconds <= goal else "missed")


def measure(found: Found, watch: Watch, *, dry: bool) -> None:
    """Do everything in the order of its worth, until the time is over."""
    from benchmarks.trainings import rate_of

    device, courses = ("cpu", COURSES[:1]) if dry else ("cuda", COURSES)
    run_tests(found, watch)
    found.rate = rate_of(device)
    found.say(f"a matrix product in float32: {found.rate / 1e12:.2f} TFLOP/s")
    with tempfile.TemporaryDirectory(prefix="gengrade-gpu-") as folder:
        for course in courses:
            if watch.left:
                measure_trainings(found, watch, course, device, dry=dry)
            if watch.left:
                grade_class(found, watch, course, Path(folder), device, dry=dry)
            if course == COURSES[0] and watch.left:
                grade_complete(found, watch, Path(folder), device, dry=dry)
            if course == COURSES[0] and watch.left and not dry:
                measure_trainings(found, watch, course, "cpu", dry=dry)
        for course in () if dry else courses[1:]:
            if watch.left:
                measure_trainings(found, watch, course, "cpu", dry=dry)


def main() -> None:
    """Measure, print the table, and exit with 1 if something went wrong, with 2 if nothing can be measured here."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="end after this time with what there is")
    parser.add_argument("--dry-run", action="store_true", help="try the script on the processor")
    options = parser.parse_args()
    if reason := refusal(dry=options.dry_run):
        print(reason, file=sys.stderr)
        sys.exit(2)
    found, watch = Found(judged=not options.dry_run), Watch(options.seconds)
    measure(found, watch, dry=options.dry_run)
    print(f"\n{table(found)}")
    over = f"The time of {options.seconds:g} s was over; more was to come."
    print("Everything was measured." if watch.left else over)
    sys.exit(int(found.wrong))


if __name__ == "__main__":
    main()
