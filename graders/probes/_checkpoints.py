"""Weights that a student handed in: files that may hold anything, read without running any of it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

MAX_BYTES = 256 << 20


def load_checkpoint(network: nn.Module, path: Path, prefix: str) -> None:
    """Fills a network with the weights of a `state_dict` file, in which its names may begin with `prefix`.

    Only files that torch loads as plain tensors are read. A tensor may be a view that claims to be far larger than
    its file, so that nothing is copied before its shape is known to be the network's.

    Raises ValueError when a weight is absent or of another shape, and whatever torch.load does for a broken file.
    """
    _expect_small(path)
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    state = _state(loaded)
    for name, own in network.state_dict().items():
        found = state.get(prefix + name, state.get(name))
        if found is None:
            raise ValueError(f"there is no {prefix}{name} in it")
        if found.shape != own.shape:
            raise ValueError(f"{prefix}{name} has shape {list(found.shape)}, where the model has {list(own.shape)}")
        own.copy_(found)


def _expect_small(path: Path) -> None:
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_BYTES:
        raise ValueError(f"it takes {size >> 20} MB unpacked, and {MAX_BYTES >> 20} are read")


def _state(loaded: Any) -> dict[str, Tensor]:
    """The tensors of a state_dict, alone or among what Lightning and others save beside it."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise ValueError("it holds no state_dict")
    return {name: value for name, value in loaded.items() if isinstance(name, str) and isinstance(value, Tensor)}
