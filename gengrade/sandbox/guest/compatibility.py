"""Restore names that old hand-outs use and newer libraries have removed, and import libraries that fail otherwise."""

from __future__ import annotations

import functools
import importlib
import inspect
import mmap
import sys
import tempfile
from typing import Any

import numpy as np
import torch

_KEEP: list[torch.library.Library] = []


def import_torchvision() -> None:
    """Import torchvision, even if its native library cannot be loaded (a CUDA build beside a CPU-only torch).

    Its Python code registers kernels for two operators that the native library would define; this function defines them
    instead. Raises ImportError if torchvision is not installed.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]  # the failed import left it incomplete
        _define_operators()
        importlib.import_module("torchvision")


def _define_operators() -> None:
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEEP.append(library)  # the definitions exist as long as this object


def restore_numpy_names() -> None:
    """Restore the names that hand-outs of 2017 to 2020 use and that numpy 2 removed."""
    replacements = {"product": np.prod, "cumproduct": np.cumprod, "float_": np.float64, "Inf": np.inf, "NaN": np.nan}
    for name, value in replacements.items():
        if name not in np.__dict__:
            setattr(np, name, value)


def map_files_for_shared_memory() -> None:
    """Make Python's `mmap` use a file in the run's scratch folder, whose size is limited, for shared memory.

    The system call for shared memory without a file is refused, since a process can hide such memory from measurement.
    """
    original = mmap.mmap

    class Mapping(original):  # type: ignore[misc, valid-type]
        def __new__(cls, fileno: int, length: int, flags: int = mmap.MAP_SHARED, *args: Any, **kwargs: Any) -> Any:
            if fileno != -1 or not flags & mmap.MAP_SHARED:
                return super().__new__(cls, fileno, length, flags, *args, **kwargs)
            with tempfile.TemporaryFile() as file:
                file.truncate(length)
                return super().__new__(cls, file.fileno(), length, flags & ~mmap.MAP_ANONYMOUS, *args, **kwargs)

    Mapping.__name__ = Mapping.__qualname__ = original.__name__
    mmap.mmap = Mapping  # type: ignore[misc]


def load_in_this_process() -> None:
    """Make torch's DataLoaders load in their own process, without workers.

    Workers communicate over named sockets, which are safe only in namespaces. The loaded data is the same, but loading
    takes longer.
    """
    from torch.utils.data import DataLoader

    original = DataLoader.__init__
    signature = inspect.signature(original)

    @functools.wraps(original)
    def init(*args: Any, **kwargs: Any) -> None:
        given = signature.bind(*args, **kwargs)
        for name in ("num_workers", "prefetch_factor", "persistent_workers", "multiprocessing_context", "timeout"):
            given.arguments.pop(name, None)
        original(*given.args, **given.kwargs)

    DataLoader.__init__ = init  # type: ignore[method-assign]
