"""Reads weights that a student handed in, from files that may contain anything, without running code in them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

MAX_BYTES = 256 << 20
MAX_STATES, MAX_DEPTH = 16, 3  # most state_dicts that are read from a file, and most levels of dictionaries


def load_checkpoint(network: nn.Module, path: Path, prefix: str) -> None:
    """Fill a network with the first weights in a file that fit it. Raises what `states_of` or `fill` raises."""
    failure: Exception | None = None
    for _, state in states_of(path):
        try:
            fill(network, state, prefix)
            return
        except ValueError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def states_of(path: Path) -> list[tuple[str, dict[str, Tensor]]]:
    """Return the state_dicts of a file, also nested ones, each with its place ("" for the file itself).

    The prefix "module." that `DataParallel` adds to names is removed. Only files that torch loads as plain tensors are
    read. Raises ValueError if there is no state_dict or the file is too large, and what torch.load raises for a broken
    file.
    """
    _expect_small(path)
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    found = list(islice(_states(loaded, ""), MAX_STATES))
    if not found:
        raise ValueError("it contains no state_dict")
    return found


def fill(network: nn.Module, state: dict[str, Tensor], prefix: str) -> None:
    """Fill a network with weights, whose names may begin with `prefix`.

    A handed-in tensor may claim to be far larger than its file, so nothing is copied before all shapes were compared.
    Raises ValueError if a weight is absent or has another shape than the network's.
    """
    pairs = []
    for name, own in network.state_dict().items():
        found = state.get(prefix + name, state.get(name))
        if found is None:
            raise ValueError(f"it contains no {name}, but {', '.join(list(state)[:4])[:120]} …")
        if found.shape != own.shape:
            raise ValueError(f"{name} has shape {list(found.shape)}, but the model needs {list(own.shape)}")
        pairs.append((own, found))
    for own, found in pairs:
        own.copy_(found)


def _expect_small(path: Path) -> None:
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_BYTES:
        raise ValueError(f"it has {size >> 20} MB when unpacked, and at most {MAX_BYTES >> 20} MB are read")


def _states(loaded: Any, where: str, depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    if not isinstance(loaded, dict) or depth > MAX_DEPTH:
        return
    tensors = {name: value for name, value in loaded.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield where, {name.removeprefix("module."): value for name, value in tensors.items()}
    for name, value in loaded.items():
        if isinstance(name, str):
            yield from _states(value, f"{where}.{name}" if where else name, depth + 1)
