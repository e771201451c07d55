"""Names that old hand-outs use and newer libraries have dropped, and libraries that do not import as they are."""

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
    """Imports torchvision, also where its native library cannot load (a CPU-only torch beside a CUDA build of it).

    Its Python code registers kernels for two operators that the native library would have defined; they are defined
    here instead. Raises ImportError where it is not installed.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]  # half imported
        _define_operators()
        importlib.import_module("torchvision")


def _define_operators() -> None:
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEEP.append(library)  # its definitions live as long as it does


def restore_numpy_names() -> None:
    """numpy 2 removed what the courses' hand-outs of 2017 to 2020 call."""
    replacements = {"product": np.prod, "cumproduct": np.cumprod, "float_": np.float64, "Inf": np.inf, "NaN": np.nan}
    for name, value in replacements.items():
        if name not in np.__dict__:
            setattr(np, name, value)


def map_files_for_shared_memory() -> None:
    """Shared memory of Python's `mmap` gets a file in the run's scratch folder, whose size is limited.

    The system call for shared memory without a file is refused: what a process has of it can be hidden.
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
    """Loaders without worker processes: those talk over sockets with names, which need namespaces to be safe.

    What a loader gives is the same; it takes longer.
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
