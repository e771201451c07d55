"""Shows blank images in place of a data set, while an argument of a student's own call is computed.

The main block of a program may say `x_dims = next(iter(loader))[0].shape` and then `VAE(x_dims)`. Such an argument
needs the shape of a batch, and nothing that its images show. At any other time a program finds no data, so that nothing
is trained while it is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from gengrade.sandbox.guest.errors import Missing

_IMAGES: Final = 1024  # in a set, which is more than a usual batch has
_SIDE: Final = 28
_BLANK: Final = ContextVar("_BLANK", default=False)


@contextmanager
def blank_data() -> Iterator[None]:
    """Within this context, MNIST and the sets that torchvision derives from it can be opened, and are blank."""
    mnist = getattr(sys.modules.get("torchvision.datasets.mnist"), "MNIST", None)
    own = {name: vars(mnist)[name] for name in _REPLACED} if mnist is not None else {}
    token = _BLANK.set(True)
    try:
        for name in own:
            setattr(mnist, name, _REPLACED[name])
        yield
    finally:
        _BLANK.reset(token)
        for name, function in own.items():
            setattr(mnist, name, function)


def loaders(otherwise: str, *, labelled: bool) -> Callable[..., tuple[DataLoader[Any], ...]]:
    """Return a function in the place of a hand-out's, which returns loaders of images for three splits.

    Within `blank_data` their images [B, 1, 28, 28] are blank, alone or with labels [B]; at any other time the function
    raises Missing, which says the sentence `otherwise`.
    """

    def blank(*_: object, batch_size: int = 128, **__: object) -> tuple[DataLoader[Any], ...]:
        if not _BLANK.get():
            raise Missing(otherwise)
        images: Any = torch.zeros(_IMAGES, 1, _SIDE, _SIDE)
        data = TensorDataset(images, torch.zeros(_IMAGES, dtype=torch.int64)) if labelled else images
        return tuple(DataLoader(data, batch_size=batch_size) for _ in range(3))

    return blank


def _images(_: object) -> tuple[Tensor, Tensor]:
    return torch.zeros(_IMAGES, _SIDE, _SIDE, dtype=torch.uint8), torch.zeros(_IMAGES, dtype=torch.int64)


_REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "_check_legacy_exist": lambda _: False,
    "download": lambda _: None,
    "_check_exists": lambda _: True,
    "_load_data": _images,
}
