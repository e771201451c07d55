"""The scripts of a run on Slurm: an array that grades slices of the class, and a last job that scores.

Both call this same command with the options of the run. The operator's key and the secret are in neither: the command
reads them from their files.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gengrade.choices import Device, Tier
from gengrade.engine.options import Options
from gengrade.home import python_path

_LAST_LOG: Final = "last.log"


@dataclass(frozen=True, slots=True)
class Batch:
    """What is asked of Slurm."""

    array: int = 16  # the most slices
    partition: str | None = None
    gpus: int = 0  # for each job
    cpus: int = 0  # for each job, and as many submissions at a time; 0: as many as Slurm gives by default
    time: str | None = None  # for each job, as sbatch takes it
    more: tuple[str, ...] = ()  # further options of sbatch, such as "--account=course"


@dataclass(frozen=True, slots=True)
class Scripts:
    """The two scripts, as text for sbatch."""

    array: str
    last: str


def scripts_for(options: Options, batch: Batch, out: Path, tier: Tier, slices: int, logs: Path) -> Scripts:
    """Return the scripts of a run.

    options: of the run.
    out: the folder of results.
    tier: the isolation that all machines must give.
    slices: how many jobs the array has.
    logs: the folder for what the jobs print.
    """
    words = [sys.executable, "-P", "-X", "utf8", "-m", "gengrade", *arguments(options, batch, out, tier)]
    array = (f"--array=1-{slices}", f"--output={_pattern(logs)}/slice-%a.log", "--requeue")
    last = (f"--output={_pattern(logs)}/{_LAST_LOG}",)
    return Scripts(
        _script(batch, array, words, f'--slice "$SLURM_ARRAY_TASK_ID/{slices}"'),
        _script(batch, last, words, "--slice last"),
    )


def last_log(logs: Path) -> Path:
    """Return the file of what the last job prints."""
    return logs / _LAST_LOG


def device_on(options: Options, batch: Batch) -> Device:
    """Return the device for all machines: a GPU only where one is asked for, whatever this machine has."""
    if options.device is not Device.AUTO:
        return options.device
    return Device.CUDA if batch.gpus else Device.CPU


def arguments(options: Options, batch: Batch, out: Path, tier: Tier) -> list[str]:
    """Return the arguments by which every machine grades as the options say, without the slice and the workers.

    The seed is not among them: it lies in the folder of results, as the secret does.
    """
    return ["grade", str(options.path.resolve()), "--out", str(out), *_chosen(options, batch, tier)]


def _chosen(options: Options, batch: Batch, tier: Tier) -> Iterator[str]:
    if options.rubric is not None:
        yield from ("--rubric", str(options.rubric.resolve()))
    if options.roster is not None:
        yield from ("--roster", _absolute(options.roster))
    for name, value in (("--course", options.course), ("--data", options.data)):
        if value is not None:
            yield from (name, _absolute(value))
    for name, text in (("--only", options.only), ("--part", options.part), ("--deadline", options.deadline)):
        if text is not None:
            yield from (name, text)
    yield from ("--profile", options.profile, "--device", device_on(options, batch), "--isolation", tier)
    if options.gpu_jobs:
        yield from ("--gpu-jobs", str(options.gpu_jobs))
    if options.public:
        yield "--public"


def _absolute(text: str) -> str:
    """Return a path that is the same from everywhere, or a name, such as that of a course, as it is."""
    return os.path.abspath(text) if os.path.exists(text) else text


def _script(batch: Batch, own: tuple[str, ...], words: list[str], rest: str) -> str:
    """Return a script. `own`: its own options of sbatch; `rest`: what follows the command's words, for the shell."""
    asked = ["--job-name=gengrade", "--nodes=1", "--ntasks=1", "--open-mode=append", *own]
    asked += [f"--partition={batch.partition}"] if batch.partition else []
    asked += [f"--gpus={batch.gpus}"] if batch.gpus else []
    asked += [f"--cpus-per-task={batch.cpus}"] if batch.cpus else []
    asked += [f"--time={batch.time}"] if batch.time else []
    lines = ["#!/bin/bash", *(f"#SBATCH {shlex.quote(option)}" for option in (*asked, *batch.more))]
    lines += [f"export PYTHONPATH={shlex.quote(python_path())}"]
    # As many workers as the job has processors, and no shell that would keep signals from the command.
    lines += [f'exec {shlex.join(words)} --jobs "${{SLURM_CPUS_ON_NODE:-1}}" {rest}']
    return "\n".join(lines) + "\n"


def _pattern(path: Path) -> str:
    """Return a path as sbatch takes it, which replaces what follows a percent sign."""
    return str(path).replace("%", "%%")
