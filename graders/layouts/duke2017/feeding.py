"""Giving a network of any usual shape what it asks for: rows or pictures, labels as one-hot rows, numbers or planes.

What a network takes is told by its first layer and by its signature; where these leave it open, it is tried.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES = 10
SIDE = 28
_LABEL = re.compile(r".*(label|class|cond|digit|one_?hot|target).*|y|c|l", re.I)
_UNFIT = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)
_ORDINARY = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def input_size(network: nn.Module, constants: Sequence[int]) -> int | None:
    """How many numbers a generator takes: what its first layer takes, else the first constant that it runs with."""
    first = _first_layer(network)
    sizes = [size for size in (_inputs_of(first), *constants) if size]
    return next((size for size in sizes if _runs(network, torch.zeros(2, size))), None)


def noise_size(network: nn.Module, constants: Sequence[int]) -> int | None:
    """How many numbers of noise a conditional generator takes beside the label."""
    first = _inputs_of(_first_layer(network)) or 0
    if takes_labels(network):
        sizes: Iterable[int] = (*constants, first - CLASSES, first)
    else:
        sizes = (first - CLASSES, *constants)
    labels = torch.arange(2)
    for size in sizes:
        if size > 0:
            try:
                generated(network, torch.zeros(2, size), labels)
            except _UNFIT:
                continue
            return size
    return None


def takes_labels(network: nn.Module) -> bool:
    """Whether it takes the label as an argument of its own."""
    return len(_parameters(network)) > 1


def generated(network: nn.Module, noise: Tensor, labels: Tensor, *, label_first: bool = False) -> Any:
    """What a conditional generator makes of noise [B, d] and labels [B].

    Of one argument, it is the noise and the one-hot label in one row; `label_first` is the other order.
    """
    hot = one_hot(labels)
    if not takes_labels(network):
        return network(_shaped(network, torch.cat([hot, noise] if label_first else [noise, hot], dim=1)))
    return _attempted(network, [[noise, hot], [noise, labels], [noise, labels.unsqueeze(1)]])


def scored(network: nn.Module, images: Tensor, labels: Tensor) -> Any:
    """A conditional discriminator's scores of images [B, 784] and labels [B]."""
    hot, pictures = one_hot(labels), images.reshape(-1, 1, SIDE, SIDE)
    if takes_labels(network):
        return _attempted(
            network, [[each, label] for label in (hot, labels, labels.unsqueeze(1)) for each in (images, pictures)]
        )
    planes = hot[:, :, None, None].expand(-1, -1, SIDE, SIDE)
    return _attempted(network, [[torch.cat([images, hot], dim=1)], [torch.cat([pictures, planes], dim=1)]])


def one_hot(labels: Tensor) -> Tensor:
    return F.one_hot(labels, CLASSES).float()


def is_label(name: str) -> bool:
    """Whether a parameter of that name is given labels."""
    return bool(_LABEL.fullmatch(name))


def _attempted(network: nn.Module, forms: Sequence[Sequence[Tensor]]) -> Any:
    """What the network makes of the first form that it takes; else it raises what it did for the first."""
    failure: Exception | None = None
    for form in forms:
        try:
            return network(*_in_order(network, form))
        except _UNFIT as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _in_order(network: nn.Module, form: Sequence[Tensor]) -> Sequence[Tensor]:
    """Image or noise, and label, in the order of the network's own parameters."""
    names = [parameter.name for parameter in _parameters(network)]
    turned = len(form) == 2 and is_label(names[0]) and not is_label(names[1])
    return form[::-1] if turned else form


def _parameters(network: nn.Module) -> list[inspect.Parameter]:
    """What has to be given to `forward`."""
    found = inspect.signature(type(network).forward).parameters.values()
    return [each for each in list(found)[1:] if each.kind in _ORDINARY and each.default is each.empty]


def _first_layer(network: nn.Module) -> nn.Module | None:
    return next(_layers(network), None)


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    return (module for module in network.modules() if isinstance(module, kinds))


def _inputs_of(layer: nn.Module | None) -> int | None:
    size = getattr(layer, "in_features", None) or getattr(layer, "in_channels", None)
    return size if type(size) is int else None


def _shaped(network: nn.Module, rows: Tensor) -> Tensor:
    """Rows [B, n], or as maps of one pixel [B, n, 1, 1] where the network begins with a convolution."""
    return rows if isinstance(_first_layer(network), nn.Linear | None) else rows[:, :, None, None]


def _runs(network: Callable[[Tensor], Any], rows: Tensor) -> bool:
    try:
        with torch.no_grad():
            network(_shaped(network, rows) if isinstance(network, nn.Module) else rows)
    except _UNFIT:
        return False
    return True
