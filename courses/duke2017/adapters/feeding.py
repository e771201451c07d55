"""Calls networks with inputs in the form that they take: rows or images, labels as one-hot rows, numbers or planes.

A network's first layer and its signature show what it takes; if they leave it open, several forms are tried.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gengrade.sandbox.guest.errors import Missing
from graders.adapting import sizes

CLASSES = 10
SIDE = 28
_MOST_INPUTS = 1 << 16  # more numbers than any generator takes for an image
_OTHER_SIDES = (32, 64, 16, 14)  # sides in pixels to which images are often resized
_LABEL = re.compile(r".*(label|class|cond|digit|one_?hot|target).*|y|c|l", re.I)
# exceptions that a network raises for an input of the wrong form
UNFIT = (RuntimeError, ValueError, IndexError, TypeError, AssertionError, AttributeError)
_OTHER_KIND = re.compile(r"LongTensor|index tensor|tensors used as indices|type Long|one_hot is only|FloatTensor", re.I)
_ORDINARY = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def input_size(network: nn.Module, constants: Sequence[int]) -> int | None:
    """Return the number of inputs of a generator: its first layer's, or else the first size with which it runs."""
    sizes = filter(_is_size, (_inputs_of(_first_layer(network)), *constants, *_layer_sizes(network)))
    return next((size for size in dict.fromkeys(sizes) if _runs(network, torch.zeros(2, size))), None)


def noise_size(network: nn.Module, constants: Sequence[int]) -> int | None:
    """Return the number of noise values that a conditional generator takes besides the label.

    None if it cannot be told.

    `constants` are sizes that the notebook names. If one of them does not fit and no other size does either, the
    network's own exception is raised.
    """
    first = _inputs_of(_first_layer(network)) or 0
    if takes_labels(network):
        sizes = [*constants, *_layer_sizes(network)]
    elif first - 1 in constants and first - CLASSES not in constants:
        return first - 1  # the label is a single number
    else:
        sizes = [first - CLASSES, *constants, *_layer_sizes(network)]
    labels = torch.arange(CLASSES)  # all labels occur, since students may derive their number from a batch
    failures: dict[int, Exception] = {}
    for size in dict.fromkeys(filter(_is_size, sizes)):
        try:
            generated(network, torch.zeros(CLASSES, size), labels)
        except UNFIT as error:
            failures[size] = error
            continue
        return size
    named = [failures[size] for size in constants if size in failures]
    if named:
        raise _furthest(network, named)
    return None


def takes_a_number(network: nn.Module, noise: int) -> bool:
    """Return whether a generator with one argument takes the label as a single number beside `noise` numbers."""
    return not takes_labels(network) and _inputs_of(_first_layer(network)) == noise + 1


def unwrapped(network: nn.Module) -> nn.Module:
    """Return the network inside a DataParallel; any other network itself."""
    inner = getattr(network, "module", None)
    return inner if isinstance(network, nn.DataParallel) and isinstance(inner, nn.Module) else network


def takes_labels(network: nn.Module) -> bool:
    """Return whether a network takes the label as a separate argument."""
    return len(_parameters(network)) > 1


def generated(network: nn.Module, noise: Tensor, labels: Tensor, *, label_first: bool = False) -> Any:
    """Return the images of a conditional generator for noise [B, d] and labels [B].

    A generator with one argument gets the noise and the one-hot label in one row, in the other order if `label_first`.
    One that takes a single number besides the noise gets the label as that number: `cgan.input` judges this mistake,
    and all other checks judge what the generator makes of its label.
    """
    hot = one_hot(labels)
    label = labels.unsqueeze(1).float() if takes_a_number(network, noise.shape[1]) else hot
    row = _shaped(network, torch.cat([label, noise] if label_first else [noise, label], dim=1))
    if not takes_labels(network):
        return run(network, row)
    rows, maps = noise, noise[:, :, None, None]
    forms: list[list[Tensor]] = []
    for each in (rows, maps):
        forms += [[each, label] for label in (hot, labels, labels.unsqueeze(1), hot[:, :, None, None])]
    if isinstance(_first_layer(network), nn.modules.conv._ConvNd):
        forms.append([maps, hot[:, :, None, None].expand(-1, -1, SIDE, SIDE)])
    if not _all_needed(network):
        forms.append([row])
    return _attempted(network, forms)


def scored(network: nn.Module, images: Tensor, labels: Tensor) -> Any:
    """Return a conditional discriminator's scores for images [B, 784] and labels [B].

    Raises Missing for a discriminator that takes images of another size.
    """
    try:
        return _attempted(network, _pairs(network, images.reshape(-1, 1, SIDE, SIDE), labels))
    except UNFIT:
        for side in _OTHER_SIDES:
            resized = torch.zeros(len(images), 1, side, side)
            if any(_takes(network, form) for form in _pairs(network, resized, labels)):
                raise other_side("the discriminator", side) from None
        raise


def other_side(who: str, side: int) -> Missing:
    """Return the error for a network `who` that takes images of another `side` in pixels."""
    return Missing(
        f"{who} works on images of {side}×{side} pixels: MNIST's have {SIDE}×{SIDE}, and so have those that networks "
        "are shown here. Leave out the resizing"
    )


def _pairs(network: nn.Module, pictures: Tensor, labels: Tensor) -> list[list[Tensor]]:
    """Return the arguments in all forms in which a discriminator may take images [B, 1, S, S] with labels [B].

    A label may also be a number beside the pixels, or a plane of that number: the assignment prescribes the form of the
    label for the generator only.
    """
    hot, rows = one_hot(labels), pictures.flatten(1)
    planes = hot[:, :, None, None].expand(-1, -1, *pictures.shape[2:])
    number = labels.unsqueeze(1).float()
    plane = number[:, :, None, None].expand(-1, -1, *pictures.shape[2:])
    joined = [[torch.cat(pair, dim=1)] for pair in ((rows, hot), (pictures, planes), (rows, number), (pictures, plane))]
    if not takes_labels(network):
        return joined
    pairs = [
        [each, label]
        for label in (hot, labels, labels.unsqueeze(1), hot[:, :, None, None], planes)
        for each in (rows, pictures)
    ]
    return pairs if _all_needed(network) else [*pairs, *joined]


def run(network: nn.Module, *inputs: Tensor) -> Any:
    """Return the output of a network, with the size of this batch in the global that its forward may read it from."""
    with sizes.put([network], {"batch": len(inputs[0])}):
        return network(*inputs)


def one_hot(labels: Tensor) -> Tensor:
    """Return one-hot rows [B, 10] of labels [B], as floats."""
    return F.one_hot(labels, CLASSES).float()


def is_label(name: str) -> bool:
    """Return whether the name of a parameter says that it takes labels."""
    return bool(_LABEL.fullmatch(name))


def _attempted(network: nn.Module, forms: Sequence[Sequence[Tensor]]) -> Any:
    """Return the network's output for the first form that it takes.

    If it takes none, the error of the best form is raised.
    """
    failures: list[Exception] = []
    for form in forms:
        try:
            return run(network, *_in_order(network, form))
        except UNFIT as error:
            failures.append(error)
    raise _furthest(network, failures)


def _takes(network: nn.Module, form: Sequence[Tensor]) -> bool:
    try:
        run(network, *_in_order(network, form))
    except UNFIT:
        return False
    return True


def _furthest(network: nn.Module, failures: Sequence[Exception]) -> Exception:
    """Of a network's errors for several forms, the one that was raised furthest down in its forward.

    Errors about the type of a tensor come last, since they show that the form was wrong.
    """
    code = getattr(type(unwrapped(network)).forward, "__code__", None)

    def place(error: Exception) -> tuple[bool, int]:
        lines, trace = [0], error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code is code:
                lines.append(trace.tb_lineno)
            trace = trace.tb_next
        return not _OTHER_KIND.search(str(error)), max(lines)

    return max(failures, key=place)


def _in_order(network: nn.Module, form: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the two arguments, of which one is the label, in the order of the network's parameters."""
    names = [parameter.name for parameter in _parameters(network)]
    turned = len(form) == 2 and is_label(names[0]) and not is_label(names[1])
    return form[::-1] if turned else form


def _parameters(network: nn.Module) -> list[inspect.Parameter]:
    """Return the parameters of `forward` without a default, and those for a label even with one."""
    found = list(inspect.signature(type(unwrapped(network)).forward).parameters.values())[1:]
    ordinary = [each for each in found if each.kind in _ORDINARY]
    return [
        each
        for index, each in enumerate(ordinary)
        if each.default is each.empty or is_label(each.name) or (index == 1 and each.default is None)
    ]


def _all_needed(network: nn.Module) -> bool:
    return all(each.default is each.empty for each in _parameters(network))


def _first_layer(network: nn.Module) -> nn.Module | None:
    return next(_layers(network), None)


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    return (module for module in network.modules() if isinstance(module, kinds))


def _inputs_of(layer: nn.Module | None) -> int | None:
    size = getattr(layer, "in_features", None) or getattr(layer, "in_channels", None)
    return size if type(size) is int else None


def _is_size(size: int | None) -> TypeGuard[int]:
    """Return whether a number can be that of a network's inputs: what is left of a layer may be none, or less."""
    return size is not None and 0 < size <= _MOST_INPUTS


def _layer_sizes(network: nn.Module) -> list[int]:
    """Return possible sizes of noise: a layer's inputs less those of a label: one-hot, embedded, none, a number."""
    widths = [each.embedding_dim for each in network.modules() if isinstance(each, nn.Embedding)]
    linear = [each for each in network.modules() if isinstance(each, nn.Linear)]
    widths += [each.out_features for each in linear if each.in_features == CLASSES]
    inputs = [size for size in map(_inputs_of, _layers(network)) if size]
    return [size - beside for size in inputs for beside in (CLASSES, *widths, 0, 1)]


def _shaped(network: nn.Module, rows: Tensor) -> Tensor:
    """Return rows [B, n], reshaped to [B, n, 1, 1] if the network begins with a convolution."""
    return rows if isinstance(_first_layer(network), nn.Linear | None) else rows[:, :, None, None]


def _runs(network: Callable[[Tensor], Any], rows: Tensor) -> bool:
    try:
        with torch.no_grad():
            run(network, _shaped(network, rows)) if isinstance(network, nn.Module) else network(rows)
    except UNFIT:
        return False
    return True
