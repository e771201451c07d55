"""Naming probes in the host without importing them: they import torch, which the host does not need."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gengrade.home import module_path


@dataclass(frozen=True, slots=True)
class Probe:
    """A function in graders.probes."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"


class _Module:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, function: str) -> Probe:
        if function.startswith("__") or function not in _functions(self._name):
            raise AttributeError(f"graders/probes/{self._name}.py has no function {function}")
        return Probe(self._name, function)


class _Probes:
    """`probes.vae.kld` is the function kld of graders/probes/vae.py."""

    def __getattr__(self, module: str) -> _Module:
        if module.startswith("_") or not _file(module).is_file():
            raise AttributeError(f"there is no graders/probes/{module}.py")
        return _Module(module)


def _file(module: str) -> Path:
    return module_path(f"graders.probes.{module}").with_suffix(".py")


@cache
def _functions(module: str) -> frozenset[str]:
    tree = ast.parse(_file(module).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


probes = _Probes()
