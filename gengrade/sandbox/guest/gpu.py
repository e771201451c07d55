"""Give a run its device: its share of the one GPU that it sees, or the processor alone.

CUDA starts before student code does. What a program then writes into `CUDA_VISIBLE_DEVICES` has no effect any more, and
a GPU that cannot be used is a fault of the machine, not of the program.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Final

import torch

from gengrade.sandbox.guest import compatibility

CUDA: Final = "cuda"
_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_MIB: Final = 1 << 20


def choose(device: str, share: float, limits: Mapping[str, float]) -> None:
    """Make a device the one on which this process computes from now on.

    device: "cpu" or "cuda". With "cpu", a GPU of the machine is hidden.
    share: the share of the GPU's memory that the process may use.
    limits: of the run; `memory_mb` limits the memory on the GPU as well.
    """
    if device == CUDA:
        _start(share, limits["memory_mb"])
    elif os.environ.get(_VISIBLE) != "":
        os.environ[_VISIBLE] = ""  # in a process for our own code, after each run it is what it was before
        _replaced()


def release() -> None:
    """Give memory on the GPU back that no tensor uses, if this process uses a GPU at all."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


@cache
def _replaced() -> None:
    compatibility.replace_cuda()


def _start(share: float, memory_mb: float) -> None:
    torch.cuda.init()
    torch.cuda.device_count()  # from now on, torch does not look into the environment again
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(share, memory_mb * _MIB / total), 0)
    # Numbers have the accuracy of float32, as on the processor, and are the same in each run.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
