"""Naming probes in the host without importing them: they import torch, which the host does not need.

A family of graders keeps its probes in `graders/<family>/probes.py`, and further ones in `<subject>_probes.py` beside
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
    """A function that asks student code something.

    `Probe("vae", "kld")` is the function kld of graders/vae/probes.py, `Probe("vae.loop", "train")` the function train
    of graders/vae/loop_probes.py.
    """

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"


class _File:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:  # a probe, or where there is none of that name, another file of the family
        path = module_path(probe_module(self._name)).with_suffix(".py")
        if path.is_file() and name in _functions(path):
            return Probe(self._name, name)
        further = f"{self._name}.{name}"
        if self._name.count(".") or not module_path(probe_module(further)).with_suffix(".py").is_file():
            raise AttributeError(f"{path} has no function {name}")
        return _File(further)


class _Probes:
    """`probes.vae.kld` is a probe of the family `vae`, `probes.vae.loop.train` one of its further file on loops."""

    def __getattr__(self, family: str) -> _File:
        if not module_path(f"graders.{family}").is_dir():
            raise AttributeError(f"there is no family of graders {family}")
        return _File(family)


@cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


probes = _Probes()
