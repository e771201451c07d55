"""Stand in for modules that are not installed: packages for logging and progress, and modules that libraries removed.

A package that only records or shows what a program does changes none of its results, so that an object which accepts
everything can replace it. Nothing stands in for other packages: what uses them cannot be judged without them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from types import ModuleType
from typing import Any, Final, Self

MUTED: Final = frozenset(
    {
        *("tensorboardX", "tensorboard_logger", "tensorboardcolab", "wandb", "visdom", "comet_ml", "mlflow", "neptune"),
        *("clearml", "trains", "aim", "livelossplot", "loguru", "termcolor", "colorama", "coloredlogs", "icecream"),
        *("torchviz", "torchsummary", "torchsummaryX", "torchinfo", "pytorch_model_summary", "hiddenlayer", "thop"),
        *("ptflops", "fvcore", "seaborn", "plotly", "bokeh", "ipywidgets", "ipdb", "pudb", "line_profiler"),
        *("memory_profiler", "gpustat", "pynvml", "nvidia_smi", "GPUtil", "prettytable", "google.colab", "codecarbon"),
        *("progressbar", "progress", "alive_progress", "fastprogress", "pkbar", "barbar", "enlighten", "celluloid"),
    }
)
_PICTURES: Final = ("imsave", "imread", "imresize", "toimage", "bytescale")
_NAMES: Final[dict[str, dict[str, str]]] = {  # for each removed module, where its names are now
    "scipy.misc": {
        **{name: f"scipy.special:{name}" for name in ("logsumexp", "comb", "factorial", "factorial2")},
        **{name: f"gengrade.sandbox.guest.scipy_misc:{name}" for name in _PICTURES},
    },
    "torch._six": {
        "string_classes": "builtins:str",
        "int_classes": "builtins:int",
        "inf": "math:inf",
        "nan": "math:nan",
        "container_abcs": "collections:abc",
    },
    "torchvision.models.utils": {"load_state_dict_from_url": "torch.hub:load_state_dict_from_url"},
    "sklearn.externals.joblib": {name: f"joblib:{name}" for name in ("dump", "load", "Parallel", "delayed", "Memory")},
    "IPython.core.display": {name: f"IPython.display:{name}" for name in ("display", "clear_output", "HTML", "Image")},
    "scipy.signal.signaltools": {"convolve2d": "scipy.signal:convolve2d", "convolve": "scipy.signal:convolve"},
}


def stand_in() -> None:
    """Let modules that are not installed be imported, as far as something can replace them."""
    with suppress(ImportError):  # Pillow may be missing; runs could not import this module themselves
        importlib.import_module("gengrade.sandbox.guest.scipy_misc")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
        for name, places in _NAMES.items():
            after_import(name, partial(_add, places))  # some of them are still there, without names


def after_import(name: str, change: Callable[[Any], None]) -> None:
    """Call `change` with a module as soon as it has been imported, at once if it has been already."""
    if name in sys.modules:
        change(sys.modules[name])
    else:
        sys.meta_path.insert(0, _Watch(name, change))


class _Finder(MetaPathFinder):
    """Finds the modules that something can replace; as the last finder, it is asked for what is not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in _NAMES:
            return spec_from_loader(fullname, _Empty(), is_package=False)
        above = [fullname[:index] for index in range(1, len(fullname)) if fullname[index] == "."]
        if not MUTED.isdisjoint({fullname, *above}) and (not above or _is_muted(above[-1])):
            return spec_from_loader(fullname, _Muting(), is_package=True)
        if any(name.startswith(f"{fullname}.") for name in MUTED):  # google, above google.colab
            return spec_from_loader(fullname, _Empty(), is_package=True)
        return None


def _is_muted(module: str) -> bool:
    """Return whether a module is one of the stand-ins, and not an installed package that lacks some module."""
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return isinstance(getattr(spec, "loader", None), _Muting | _Empty) or any(
        name.startswith(f"{module}.") for name in MUTED
    )


class _Empty(Loader):
    """Makes an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Add nothing."""


class _Muting(Loader):
    """Makes modules in which every name is an object that accepts everything."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _MutedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__all__"] = []


class _MutedModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        made: Any = Mute()
        if name == "config":
            made = _Settings()
        elif name == "init":
            made = _Starting(self.config)
        vars(self)[name] = made
        return made


class _Settings(dict[str, Any]):
    """The settings that a program gives to a logging package, and reads from it."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class Mute:
    """Accepts every use. Called with a function, a class or something to iterate over, it returns that."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Accept all arguments, so that classes can inherit from it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        first = args[0] if args else None
        return first if callable(first) or _is_iterable(first) else Mute()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Mute()

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)[name] = value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __getitem__(self, key: Any) -> Any:
        return Mute()

    def __setitem__(self, key: Any, value: Any) -> None:
        """Do nothing."""

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return (Mute,)


class _Starting(Mute):
    """Starts a record: `wandb.init(config={"lr": 1e-3})`."""

    def __init__(self, config: _Settings) -> None:
        vars(self)["_config"] = config

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = kwargs.get("config") or {}
        vars(self)["_config"].update(given if isinstance(given, dict) else vars(given))
        record = Mute()
        record.config = vars(self)["_config"]
        return record


def _is_iterable(thing: object) -> bool:
    return not isinstance(thing, str | bytes) and hasattr(type(thing), "__iter__")


def _add(places: dict[str, str], module: ModuleType) -> None:
    """Add to a module the names that it lacks, from where they are now."""
    for name, place in places.items():
        source, _, original = place.partition(":")
        with suppress(ImportError, AttributeError):  # that library is not installed either
            vars(module).setdefault(name, getattr(importlib.import_module(source), original))


class _Watch(MetaPathFinder):
    """Finds one module as the others would, and changes it once it has been imported."""

    def __init__(self, name: str, change: Callable[[Any], None]) -> None:
        self._name = name
        self._change = change

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Changing(spec.loader, self._change)
        return spec


class _Changing(Loader):
    def __init__(self, loader: Loader, change: Callable[[Any], None]) -> None:
        self._loader = loader
        self._change = change

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)
