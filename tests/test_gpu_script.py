"""The script of `make gpu` says what is missing, and does its work on the processor with `--dry-run`."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from benchmarks.trainings import Training
from tests import gpu
from tests.support.examples import ROOT


def _called(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so_in_one_line() -> None:
    done = _called()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_NEEDED", ("numpy", "no_such_module", "no_other_module"))
    refusal = gpu.refusal(dry=True)
    assert refusal is not None
    assert "lacks no_such_module, no_other_module" in refusal
    monkeypatch.setattr(gpu, "_NEEDED", ("numpy",))
    assert gpu.refusal(dry=True) is None


def _training(seconds: float, device: str, steps: int = 100) -> Training:
    return Training("uva2020", "gan.frechet", "gan:train", device, seconds, 1.0, steps, 2e12)


def test_the_table_compares_devices_and_goals() -> None:
    found = gpu.Found(rate=4e12, complete=12.0)
    found.on_gpu = [_training(2.0, "cuda"), _training(9.0, "cuda", 30)]
    found.on_cpu = [_training(5.0, "cpu", 30), _training(20.0, "cpu")]
    heading, first, second, complete = map(_cells, gpu.table(found).splitlines())
    assert heading == ["training", "GPU", "processor", "arithmetic", "goal"]
    assert first == ["uva2020 GAN, 100 steps", "2.0 s", "20.0 s", "0.50 s", "3 s", "met"]
    assert second == ["uva2020 GAN, 30 steps", "9.0 s", "5.0 s", "0.50 s"]
    assert complete == ["complete submission", "12.0 s", "10 s", "missed"]


def test_it_ends_in_time() -> None:
    watch = gpu.Watch(0.0)
    assert watch.left == 0
    _, status = gpu._called(["sleep", "60"], watch.left)
    assert status is None


@pytest.mark.slow
def test_a_dry_run_does_everything_on_the_processor() -> None:
    done = _called("--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests on the GPU" in done.stdout
    for row in ("uva2020 VAE, 3 steps", "uva2020 GAN, 3 steps", "uva2020 flow, 3 steps", "complete submission"):
        assert f"\n{row}" in done.stdout
    assert done.stdout.endswith("Everything was measured.\n")
