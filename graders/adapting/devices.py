"""Lets submissions that name a device run on a machine without that device: everything is on the run's own."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode

from graders.adapting import notebooks

_FOREIGN: Final = re.compile(r"(cuda|mps|xpu|hip|ipu|xla)(:\d+)?$")  # names of devices
_NUMBERED: Final = re.compile(rb"\.to\(\s*\d|device\s*=\s*\d")
_TYPES: Final = re.compile(r"torch\.cuda\.(?=\w+Tensor$)")
_TO_OF_MODULES: Final = torch._C._nn._parse_to  # by which `nn.Module.to` reads its arguments
_MOST_FILES: Final = 200  # of a submission that are looked at


def replace_devices(folder: Path) -> None:
    """Make `.cuda()`, `"cuda:1"`, `"mps"` and the like mean the run's device from now on, if a file names one.

    It is only done if a file needs it, since it costs some microseconds per operation.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".py", ".ipynb"))[:_MOST_FILES]
    named = {name for path in files for source in _sources(path) for name in _named(source)}
    if named - {device.type, f"{device.type}:0"}:
        _OnOneDevice(device).__enter__()


def stay_on_cpu() -> None:
    """Make every device mean the CPU from now on, for courses with small networks."""
    if torch.cuda.is_available():
        _OnOneDevice(torch.device("cpu")).__enter__()


def _sources(path: Path) -> list[bytes]:
    """Return the programs in a file: its content, or the code cells of a notebook."""
    try:
        whole = path.read_bytes()
        if path.suffix.lower() != ".ipynb" or not _may_name(whole):  # parsing a notebook takes long
            return [whole]
        return [source.encode() for _, source in notebooks.cells(path)]
    except (OSError, ValueError):
        return []


def _may_name(source: bytes) -> bool:
    named = any(word in source for word in (b"cuda", b"mps", b"xpu", b"hip", b"ipu", b"xla", b"pin_memory"))
    return named or _NUMBERED.search(source) is not None


class _OnOneDevice(TorchFunctionMode):
    """Replaces every other device among the arguments of torch functions by the run's."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.Tensor.cuda:
            return args[0].to(self._device)
        if func is torch.Tensor.pin_memory and self._device.type == "cpu":
            return args[0]
        if func is torch.Tensor.to and len(args) > 1:
            args = (args[0], self._numbered(args[1]), *args[2:])
        elif func is _TO_OF_MODULES and args:
            args = (self._numbered(args[0]), *args[1:])
        given = {key: self._numbered(value) if key == "device" else value for key, value in (kwargs or {}).items()}
        return func(*map(self._moved, args), **{key: self._moved(value) for key, value in given.items()})

    def _numbered(self, value: Any) -> Any:
        """Return the run's device in the place of a GPU's number, as in `.to(0)`."""
        return self._device if isinstance(value, int) and not isinstance(value, bool) else value

    def _moved(self, value: Any) -> Any:
        if isinstance(value, str):
            if _FOREIGN.match(value):
                return str(self._device)
            return _TYPES.sub("torch.", value) if self._device.type == "cpu" else value
        if isinstance(value, torch.device) and value.type not in ("cpu", "meta"):
            return self._device
        return value


@cache
def _named(source: bytes) -> frozenset[str]:
    """Return the devices that a file names or moves to, except in a conditional expression (`… if … else …`)."""
    if not _may_name(source):
        return frozenset()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    guarded = {id(node) for choice in ast.walk(tree) if isinstance(choice, ast.IfExp) for node in ast.walk(choice)}
    found = (_device_in(node) for node in ast.walk(tree) if id(node) not in guarded)
    return frozenset(name for name in found if name is not None)


def _device_in(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="cuda" | "pin_memory"), args=args):
            return "cuda" if not args else "cuda:n"
        case (
            ast.Call(func=ast.Attribute(attr="to"), args=[ast.Constant(value=int(number)), *_])
            | ast.keyword(arg="device", value=ast.Constant(value=int(number)))
        ) if not isinstance(number, bool):
            return f"cuda:n{number}"
        case ast.Constant(value=str(text)) if _FOREIGN.match(text) or _TYPES.search(text):
            return text
    return None
