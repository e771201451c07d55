"""Shows images to students' networks, which take them either flat or square."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def in_either_form(network: nn.Module, images: Tensor, other: Tensor) -> Any:
    """Return what a network gives for `images`, or for these in the form `other` if it does not take these.

    If it takes neither, the error for `images` is raised.
    """
    try:
        return network(images)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        try:
            return network(other)
        except (RuntimeError, ValueError, IndexError, TypeError):
            raise error from None
