"""Lets submissions that name a CUDA device run on a machine without one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from graders.adapting import notebooks
from graders.adapting.loading import content


def neutralise_cuda(files: Iterable[Path], *, anyway: bool = False) -> None:
    """Makes `.cuda()` and `"cuda:0"` mean the CPU from now on, if a file hard-codes them and there is no such device.

    `anyway`: also if there is a device, for courses with small networks. It is only done if a file needs it, since it
    costs some microseconds per operation.
    """
    if torch.cuda.is_available():
        if anyway:
            _OnCpu().__enter__()
    elif any(_asks_for_cuda(source) for path in files for source in _sources(path)):
        _OnCpu().__enter__()


def _sources(path: Path) -> list[bytes]:
    """The programs in a file: its content, or the code cells of a notebook."""
    if path.suffix != ".ipynb":
        return [content(path)]
    try:
        return [source.encode() for _, source in notebooks.cells(path)]
    except ValueError:
        return []


class _OnCpu(TorchFunctionMode):
    """Replaces every CUDA device among the arguments of torch functions by the CPU."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.Tensor.cuda:
            return args[0]
        return func(*map(_on_cpu, args), **{key: _on_cpu(value) for key, value in (kwargs or {}).items()})


def _on_cpu(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("cuda"):
        return "cpu"
    if isinstance(value, torch.device) and value.type == "cuda":
        return torch.device("cpu")
    return value


@cache
def _asks_for_cuda(source: bytes) -> bool:
    """Whether a file calls `.cuda()` or names a CUDA device, except in a conditional expression (`… if … else …`)."""
    if b"cuda" not in source:
        return False
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    guarded = {id(node) for choice in ast.walk(tree) if isinstance(choice, ast.IfExp) for node in ast.walk(choice)}
    return any(_names_cuda(node) for node in ast.walk(tree) if id(node) not in guarded)


def _names_cuda(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr == "cuda"
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("cuda")
