"""The GPUs of this machine, and how the submissions that are graded at the same time share them.

Two properties are deliberate:

1. A run sees one GPU only, as `cuda:0`: `CUDA_VISIBLE_DEVICES` hides the others. Several runs that share a GPU take
   turns on it, and each may use its share of the GPU's memory.
2. Only short trainings run on a GPU. Whatever else a check asks for runs on the processor, since starting CUDA takes
   longer than most probes, and since the rounding of a GPU's arithmetic (TF32, bfloat16) can decide no verdict there.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
ORDER: Final = "CUDA_DEVICE_ORDER"
SUBMISSIONS: Final = 4  # that share a GPU, unless the operator says otherwise
TRAINING: Final = "train"  # the name of the probes that run on a GPU, in checks that train
_NODES: Final = "/dev/nvidia[0-9]*"
_OF_MEMORY: Final = 0.9  # the part of a GPU's memory that is shared; CUDA itself takes some for each process
_NONE: Final = {"", "-1", "NoDevFiles", "none"}


def available(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    nodes = glob.glob(_NODES)
    if VISIBLE not in environment or not nodes:
        return [str(index) for index in range(len(nodes))]
    named = [name.strip() for name in environment[VISIBLE].split(",")]
    return [] if named[0] in _NONE else named


@cache
def models() -> tuple[str, ...]:
    """Return the models of this machine's GPUs, on which the last digits of a number may depend."""
    found = []
    for path in sorted(glob.glob("/proc/driver/nvidia/gpus/*/information")):
        with suppress(OSError):
            found += [line for line in Path(path).read_text().splitlines() if line.startswith("Model:")]
    return tuple(found)


def slots_of(gpus: Sequence[str], submissions: int) -> list[str]:
    """Return the GPU of each slot: every GPU has as many slots as submissions share it, and they are dealt in turn."""
    return [*gpus] * submissions


def share_of_memory(submissions: int) -> float:
    """Return the share of a GPU's memory that one run may use if that many submissions share the GPU."""
    return _OF_MEMORY / submissions
