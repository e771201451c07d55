"""Name probes in the host without importing their modules, which import torch.

A family of graders has its probes in `graders/<family>/probes.py`, and may have more in `<subject>_probes.py` beside
it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gengrade.home import module_path
from gengrade.sandbox.closure import probe_module


@dataclass(frozen=True, slots=True)
class Probe:
    """The name of a function that runs in a guest and calls student code.

    `Probe("vae", "kld")` names the function kld in graders/vae/probes.py, and `Probe("vae.loop", "train")` the function
    train in graders/vae/loop_probes.py.
    """

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"


class _File:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:  # a probe in this file, or otherwise another file of probes
        path = module_path(probe_module(self._name)).with_suffix(".py")
        if path.is_file() and name in _functions(path):
            return Probe(self._name, name)
        further = f"{self._name}.{name}"
        if self._name.count(".") or not module_path(probe_module(further)).with_suffix(".py").is_file():
            raise AttributeError(f"{path} has no function {name}")
        return _File(further)


class _Probes:
    """`probes.vae.kld` names a probe in graders/vae/probes.py, `probes.vae.loop.train` one in loop_probes.py there."""

    def __getattr__(self, family: str) -> _File:
        if not module_path(f"graders.{family}").is_dir():
            raise AttributeError(f"there is no family of graders {family}")
        return _File(family)


@cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


probes = _Probes()
