"""Restore what older or newer versions of libraries have, and make libraries work without displays and other devices.

A program that ran on its author's machine has to run here. Names that a version has removed come back if they have an
exact equivalent; `gengrade.sandbox.guest.absent` does the same for modules.
"""

from __future__ import annotations

import builtins
import collections
import collections.abc
import contextlib
import functools
import importlib
import inspect
import io
import math
import mmap
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch

from gengrade.sandbox.guest import absent

_KEEP: list[torch.library.Library] = []
_TYPES: Final = ("Float", "Double", "Half", "BFloat16", "Byte", "Char", "Short", "Int", "Long", "Bool")
_NUMPY: Final = {
    "float": float,
    "int": int,
    "object": object,
    "str": str,
    "complex": complex,
    "unicode": str,
    "float_": np.float64,
    "complex_": np.complex128,
    "string_": np.bytes_,
    "unicode_": np.str_,
    "Inf": np.inf,
    "Infinity": np.inf,
    "infty": np.inf,
    "PINF": np.inf,
    "NINF": -np.inf,
    "NaN": np.nan,
    "NAN": np.nan,
    "PZERO": 0.0,
    "NZERO": -0.0,
    "product": np.prod,
    "cumproduct": np.cumprod,
    "alltrue": np.all,
    "sometrue": np.any,
    "round_": np.round,
    "mat": np.asmatrix,
    "trapz": np.trapezoid,
    "in1d": np.isin,
    "row_stack": np.vstack,
    "asscalar": lambda a: a.item(),
    "asfarray": lambda a, dtype=np.float64: np.asarray(a, dtype=dtype),
    "msort": lambda a: np.sort(a, axis=0),
}


def restore(*, cuda: bool) -> None:
    """Restore the names of older versions, and replace what needs a display, a compiler or a missing device.

    cuda: whether runs use a GPU.
    """
    _restore_names()
    _accept_tensors_for_arrays()
    _run_uncompiled()
    _load_anywhere()
    _make_folders_of_files()
    if cuda:
        _keep_to_one_gpu()
    else:
        replace_cuda()
    absent.stand_in()
    absent.after_import("matplotlib", _draw_without_a_display)
    absent.after_import("scipy.integrate", _restore_integrals)
    absent.after_import("matplotlib.style", _restore_styles)
    absent.after_import("matplotlib.cm", _restore_colormaps)
    absent.after_import("PIL.Image", _restore_filters)
    absent.after_import("torchvision.utils", _restore_range)
    absent.after_import("torchvision.transforms", _restore_transforms)


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


def _restore_names() -> None:
    """Restore the names that hand-outs of 2017 to 2020 use, and that Python and numpy have removed since."""
    _add(np, _NUMPY)
    _add(collections, {name: getattr(collections.abc, name) for name in collections.abc.__all__})
    _add(time, {"clock": time.perf_counter})
    _add(inspect, {"getargspec": inspect.getfullargspec})
    _add(importlib.import_module("fractions"), {"gcd": math.gcd})
    loading = importlib.import_module("torch.utils.data.dataloader")
    _add(loading._BaseDataLoaderIter, {"next": loading._BaseDataLoaderIter.__next__})
    schedulers = importlib.import_module("torch.optim.lr_scheduler")
    for scheduler in list(vars(schedulers).values()):
        if inspect.isclass(scheduler) and issubclass(scheduler, schedulers.LRScheduler):
            scheduler.__init__ = _without("verbose", scheduler.__init__)  # type: ignore[method-assign]


def _add(module: Any, names: dict[str, Any]) -> None:
    for name, value in names.items():
        if name not in vars(module):
            setattr(module, name, value)


def _without(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that ignores a keyword argument which had no influence on its result."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        kwargs.pop(name, None)
        return function(*args, **kwargs)

    return called


def _accept_tensors_for_arrays() -> None:
    """Let tensors be used as the arrays that older versions of numpy made of them.

    `np.linspace(tensor, tensor)`, for example, gave an array before numpy 2 and gives a tensor now.
    """
    original = torch.from_numpy

    @functools.wraps(original)
    def from_numpy(array: Any, /) -> torch.Tensor:
        return array if isinstance(array, torch.Tensor) else original(array)

    def astype(self: torch.Tensor, dtype: Any, **_: Any) -> Any:
        return self.detach().cpu().numpy().astype(dtype)

    torch.from_numpy = from_numpy  # type: ignore[assignment]
    torch.Tensor.astype = astype  # type: ignore[attr-defined]


def _run_uncompiled() -> None:
    """Make `torch.compile` return what it is given, since compiling takes longer than most checks allow."""

    def uncompiled(model: Any = None, **_: Any) -> Any:
        return model if model is not None else lambda model: model

    torch.compile = uncompiled
    torch.nn.Module.compile = lambda self, *_, **__: None  # type: ignore[method-assign]


def _load_anywhere() -> None:
    """Make `torch.load` read what older versions read, and what was saved on a device that this machine lacks."""
    original = torch.load

    @functools.wraps(original)
    def load(f: Any, map_location: Any = None, pickle_module: Any = None, **options: Any) -> Any:
        if map_location is None or not (callable(map_location) or isinstance(map_location, dict)):
            map_location = "cuda" if torch.cuda.is_available() else "cpu"
        options.setdefault("weights_only", False)  # only the run's own process is at risk
        return original(f, map_location, pickle_module, **options)

    torch.load = load


def _make_folders_of_files() -> None:
    """Make the folder below the working folder that a file is written to, if it is absent.

    Programs write pictures and weights into folders that exist on their author's machine, and that are not handed in
    since they are empty, or are made by a main block, which does not run here.
    """
    original = builtins.open

    @functools.wraps(original)
    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        try:
            return original(file, mode, *args, **kwargs)
        except FileNotFoundError:
            if not set(mode) & set("wax") or not _makes_folder_of(file):
                raise
            return original(file, mode, *args, **kwargs)

    builtins.open = io.open = opened
    saving = torch.save

    @functools.wraps(saving)
    def save(obj: Any, f: Any, *args: Any, **kwargs: Any) -> None:
        try:
            saving(obj, f, *args, **kwargs)
        except (RuntimeError, FileNotFoundError):
            if not _makes_folder_of(f):
                raise
            saving(obj, f, *args, **kwargs)

    torch.save = save


def _makes_folder_of(file: Any) -> bool:
    """Make the folder of a file below the working folder, and return whether it was absent and can be made."""
    if not isinstance(file, str | os.PathLike):
        return False
    folder = os.path.abspath(os.path.dirname(os.fsdecode(file)))
    if os.path.isdir(folder) or os.path.commonpath([folder, os.getcwd()]) != os.getcwd():
        return False
    with contextlib.suppress(OSError):
        os.makedirs(folder)
    return os.path.isdir(folder)


def _keep_to_one_gpu() -> None:
    """Make programs that choose among several GPUs, or another accuracy, use the one that a run sees, as it is set.

    `torch.cuda.set_device(1)` has no effect, nor has `torch.cuda.device(1)` as a context; DataParallel uses one GPU.
    """
    torch.cuda.set_device = _constant(None)  # type: ignore[assignment]
    torch.cuda.device = _Anywhere  # type: ignore[assignment, misc]
    torch.set_float32_matmul_precision = _constant(None)  # type: ignore[assignment]
    original = torch.nn.DataParallel.__init__

    @functools.wraps(original)
    def init(self: Any, module: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        original(self, module, dim=dim)

    torch.nn.DataParallel.__init__ = init  # type: ignore[method-assign]


class _Anywhere(contextlib.nullcontext[None]):
    """A context that chooses no device, whichever is named."""


def replace_cuda() -> None:
    """Make functions about CUDA devices do nothing, and types of CUDA tensors those of the CPU."""
    for name in _TYPES:
        setattr(torch.cuda, f"{name}Tensor", getattr(torch, f"{name}Tensor"))
    answers: dict[str, Any] = {
        **dict.fromkeys(("set_device", "synchronize", "empty_cache", "init")),
        "current_device": 0,
        "get_device_name": "cpu",
        "memory_allocated": 0,
        "max_memory_allocated": 0,
    }
    for name, value in answers.items():
        setattr(torch.cuda, name, _constant(value))
        if hasattr(torch.mps, name):
            setattr(torch.mps, name, _constant(value))
    original = torch.set_default_tensor_type

    @functools.wraps(original)
    def set_default_tensor_type(t: Any) -> None:
        original(t.replace("torch.cuda.", "torch.") if isinstance(t, str) else t)

    torch.set_default_tensor_type = set_default_tensor_type


def _constant(value: object) -> Callable[..., object]:
    return lambda *_, **__: value


def _draw_without_a_display(matplotlib: Any) -> None:
    """Make a choice of a window system (TkAgg, Qt5Agg, …) have no effect."""
    matplotlib.use = _constant(None)
    absent.after_import("matplotlib.pyplot", _always_draw_into_files)


def _always_draw_into_files(pyplot: Any) -> None:
    original = pyplot.switch_backend
    pyplot.switch_backend = lambda newbackend: original("agg")


def _restore_integrals(integrate: Any) -> None:
    _add(
        integrate,
        {"simps": integrate.simpson, "trapz": integrate.trapezoid, "cumtrapz": integrate.cumulative_trapezoid},
    )


def _restore_styles(style: Any) -> None:
    """Let the styles named after seaborn be known by their names without a version."""
    original = style.use

    @functools.wraps(original)
    def use(wanted: Any) -> None:
        original([_style(each) for each in wanted] if isinstance(wanted, list | tuple) else _style(wanted))

    style.use = use


def _style(name: Any) -> Any:
    return re.sub(r"^seaborn(?!-v0)", "seaborn-v0_8", name) if isinstance(name, str) else name


def _restore_colormaps(cm: Any) -> None:
    def get_cmap(name: Any = None, lut: int | None = None) -> Any:
        from matplotlib import colormaps

        found = colormaps.get_cmap(name)
        return found if lut is None else found.resampled(lut)

    _add(cm, {"get_cmap": get_cmap})


def _restore_range(utils: Any) -> None:
    """Let grids and pictures have a `range`, which torchvision calls `value_range` since 2021."""
    for name in ("make_grid", "save_image"):
        original = getattr(utils, name)

        @functools.wraps(original)
        def with_range(*args: Any, original: Callable[..., Any] = original, **kwargs: Any) -> Any:
            if "range" in kwargs:
                kwargs["value_range"] = kwargs.pop("range")
            return original(*args, **kwargs)

        setattr(utils, name, with_range)


def _restore_transforms(transforms: Any) -> None:
    """Restore the names of transforms, and let images have fewer channels than a mean and a deviation are given for."""
    _add(transforms, {"Scale": transforms.Resize, "RandomSizedCrop": transforms.RandomResizedCrop})
    original = transforms.functional.normalize

    @functools.wraps(original)
    def normalize(tensor: Any, mean: Any, std: Any, inplace: bool = False) -> Any:
        given = isinstance(mean, list | tuple) and isinstance(std, list | tuple)
        if given and isinstance(tensor, torch.Tensor) and tensor.ndim >= 3:
            mean, std = mean[: tensor.shape[-3]], std[: tensor.shape[-3]]
        return original(tensor, mean, std, inplace)

    transforms.functional.normalize = normalize


def _restore_filters(image: Any) -> None:
    _add(image, {"ANTIALIAS": image.Resampling.LANCZOS})


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
