"""Measure the reference's short trainings beside the least time that their arithmetic takes on the same device.

That time is the number of floating-point operations of all steps, forward and backward, divided by the rate of a matrix
product in float32 with as many threads. The runs that evaluate a trained model, and draw pictures, are counted apart.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.measure import ROOT, Row, mnist
from gengrade import gpus
from gengrade.choices import CheckKind, Device
from gengrade.course import DEFAULT, find
from gengrade.facts import Outcome
from gengrade.grading.checks import known
from gengrade.grading.subject import request_hash
from gengrade.sandbox import Request, Run
from validation.direct import Direct
from validation.workbench import Bench, Workbench, reference_of, rubric_of

_SIZE: Final = 1024  # of the matrices
_PRODUCTS: Final = 20
_MOST: Final = 2.0  # times the arithmetic limit
_NAMES: Final = {"vae.training:train": "VAE", "gan:train": "GAN", "flow:train": "flow"}
_ROWS: Final = 32  # of held-out data, while operations are counted
# Hand-outs whose code names no device: what trains it moves everything to the processor first.
_ALWAYS_ON_CPU: Final = {"flow:train", "cgan:train"}
_MARK: Final = "training "  # how a line about a training begins
_LONG_SECONDS: Final = 3600.0
_COUNTED: Final = (1, 3)  # steps of two trainings whose operations are counted; their difference is that of steps alone


@dataclass(frozen=True, slots=True)
class Training:
    """A short training of a course's reference on some device."""

    course: str
    check: str
    probe: str
    device: str
    seconds: float  # of the training
    evaluation: float  # seconds of the runs that follow it, until the next training
    steps: int
    flops: float  # of all steps

    @property
    def name(self) -> str:
        """A short name for a table."""
        return f"{self.course} {_NAMES.get(self.probe, self.probe.partition(':')[0])}"


def measure(folder: Path) -> list[Row]:
    """Measure VAE, GAN and flow on the embedded digits, and on MNIST where that is at hand."""
    rate = rate_of(Device.CPU)
    rows = [Row("a matrix product in float32, one thread", f"{rate / 1e9:.0f} GFLOP/s")]
    for data in ("digits", *mnist()):
        name = "MNIST" if data != "digits" else data
        for training in trainings(DEFAULT, Device.CPU, data):
            limit = training.flops / rate
            what = f"{training.name} on {name}, {training.steps:,} steps"
            measured = f"{training.seconds:.1f} s, {training.seconds / limit:.1f} times {limit:.1f} s"
            rows += [
                Row(what, measured, f"{_MOST:g} times", training.seconds <= _MOST * limit),
                Row("  evaluation and pictures", f"{training.evaluation:.1f} s"),
            ]
    return rows


def trainings(
    course: str, device: str, data: str, seconds: float | None = None, *, few: bool = False
) -> Iterator[Training]:
    """Carry the reference's trainings out in a process of its own, and yield each when it has ended.

    seconds: the most that they may take together; those that do not end in time are left out.
    few: whether each has few steps only, to try this out.

    Raises RuntimeError if the process fails.
    """
    command = [sys.executable, "-m", "benchmarks.trainings", course, device, data, *(["few"] if few else [])]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds or _LONG_SECONDS, end)
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(_MARK):
                    yield Training(**json.loads(line.removeprefix(_MARK)))
            if process.wait() != 0 and not late.is_set():
                errors.seek(0)
                raise RuntimeError(f"the trainings of {course} failed: {errors.read()[-2000:]}")
        finally:
            timer.cancel()
            process.kill()
            process.wait()


def rate_of(device: str) -> float:
    """Return the floating-point operations a second of a matrix product in float32, on one thread of the processor."""
    import torch

    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    size = _SIZE if device == Device.CPU else 8 * _SIZE
    a = torch.rand(size, size, device=device)
    best = float("inf")
    for _ in range(_PRODUCTS):
        began = time.monotonic()
        (a @ a)[0, 0].item()  # this waits until the product is there
        best = min(best, time.monotonic() - began)
    return 2 * size**3 / best


class _Watched:
    """Carries runs out as a sandbox does, and keeps the trainings with their times. It repeats no training."""

    def __init__(self, sandbox: Bench, *, few: bool) -> None:
        self._sandbox = sandbox
        self._few = few
        self._runs: dict[str, Run] = {}
        self.trained: list[tuple[Request, Run]] = []
        self.evaluated: list[float] = []  # seconds after each training

    @property
    def starting(self) -> float:
        return self._sandbox.starting

    @property
    def ours(self) -> _Watched:
        return self

    def close(self) -> None:
        """End the sandbox."""
        self._sandbox.close()

    def run(self, request: Request) -> Run:
        """Carry a run out; a training whose inputs are known already has the known result."""
        key = request_hash(replace(request, seed=0))
        if key in self._runs:
            return self._runs[key]
        if self._few and _is_of_a_model(request):
            request = replace(request, inputs=_with_steps(request.inputs, len(_COUNTED) + 1))
        run = self._sandbox.run(request)
        if request.probe.endswith(f":{gpus.TRAINING}") and _is_of_a_model(request):
            self._runs[key] = run
            self.trained.append((request, run))
            self.evaluated.append(0.0)
        elif self.evaluated:
            self.evaluated[-1] += run.seconds
        return run


def _is_of_a_model(request: Request) -> bool:
    """Return whether a run is one of a model, and not of the classifier in whose features images are compared."""
    return not request.probe.startswith("common.") and _steps(request.inputs) > len(_COUNTED)


def _steps(inputs: Mapping[str, Any]) -> int:
    """Return the steps of a training that has no target, from its inputs."""
    given = {**inputs, **inputs.get("budget", {})}
    if "steps" in given:
        return int(given["steps"])
    batch = given.get("batch", given.get("batch_size"))
    if "epochs" not in given or batch is None:
        return 0
    rows = inputs["points"] if "points" in inputs else inputs["images"]
    return int(given["epochs"]) * (len(rows) // int(batch))


def _with_steps(inputs: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Return the inputs of the same training with that many steps, and hardly any data beside those."""
    given = {**inputs, **inputs.get("budget", {})}
    batch = int(given.get("batch", given.get("batch_size", 1)))

    def changed(name: str, value: Any) -> Any:
        if isinstance(value, Mapping) and name == "budget":
            return {key: changed(key, item) for key, item in value.items()}
        if name in ("steps", "epochs"):
            return steps if name == "steps" else 1
        if name in ("images", "labels", "points") and isinstance(value, np.ndarray):
            return value[: batch * steps]
        return value[:_ROWS] if name in ("held_out", "validation") else value

    return {name: changed(name, value) for name, value in inputs.items()}


def _flops(direct: Direct, request: Request, steps: int) -> float:
    """Return the floating-point operations of all steps of a training, counted from two short ones."""
    from torch.utils.flop_counter import FlopCounterMode

    found: list[float] = []
    for count in _COUNTED:
        with FlopCounterMode(display=False) as counter:
            run = direct.run(replace(request, inputs=_with_steps(request.inputs, count), device=Device.CPU))
        assert run.outcome is Outcome.PASSED, run.message
        found.append(counter.get_total_flops())
    return steps * (found[1] - found[0]) / (_COUNTED[1] - _COUNTED[0])


def _taken(request: Request, run: Run) -> int:
    """Return the steps that a training has taken; one with a target may have ended early."""
    curve = run.evidence.get("curve") if isinstance(run.evidence, Mapping) else None
    planned = _steps(request.inputs)
    epochs = {**request.inputs, **request.inputs.get("budget", {})}.get("epochs")
    return planned if curve is None or not epochs else planned // int(epochs) * len(curve)


def main() -> None:
    """Carry the trainings of a course out, and print each as JSON: COURSE DEVICE DATA [few] are the arguments."""
    course, device, data, *few = sys.argv[1:]
    asked = rubric_of(course).checks()
    checks = [id_ for id_, check in known().items() if check.kind is CheckKind.TRAIN and id_ in asked]
    with (
        tempfile.TemporaryDirectory(prefix="gengrade-bench-") as folder,
        Workbench(Path(folder), "auto", course, device) as bench,
    ):
        watched = _Watched(bench.sandbox, few=bool(few))
        bench.sandbox = watched
        direct, told = None, 0
        for check in checks:
            bench.observe(reference_of(course), check, data=data)
            direct = direct or Direct(find(course))
            for (request, run), evaluation in list(zip(watched.trained, watched.evaluated, strict=True))[told:]:
                steps = _taken(request, run)
                flops = _flops(direct, request, steps)
                on = Device.CPU if request.probe in _ALWAYS_ON_CPU else request.device
                training = Training(course, check, request.probe, on, run.seconds, evaluation, steps, flops)
                print(f"{_MARK}{json.dumps(asdict(training))}", flush=True)
            told = len(watched.trained)


if __name__ == "__main__":
    main()
