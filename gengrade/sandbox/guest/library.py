"""The code of ours that the guest holds: probes, and the layouts that turn a folder into a package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def preload(layout: str) -> None:
    """Imports all of it, so that no run has to. Modules that a layout names are optional: libraries of the hand-out."""
    module = importlib.import_module(f"graders.layouts.{layout}")
    for name in module.PRELOAD:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"{name} cannot be imported: {error}")
    importlib.import_module("graders.layouts.loading")
    for contract in module.CONTRACTS.values():
        importlib.import_module(contract.partition(":")[0])
    for info in pkgutil.iter_modules(importlib.import_module("graders.probes").__path__):
        importlib.import_module(f"graders.probes.{info.name}")


def probe(name: str) -> Callable[..., object]:
    """The probe of that name, "module:function"."""
    module, _, function = name.partition(":")
    found: Callable[..., object] = getattr(importlib.import_module(f"graders.probes.{module}"), function)
    return found


def package(layout: str, tree: Path) -> Any:
    """The submission in `tree` as that layout's contracts."""
    module = importlib.import_module(f"graders.layouts.{layout}")
    loading = importlib.import_module("graders.layouts.loading")
    return loading.Package(tree, module.PARTS, module.CONTRACTS)
