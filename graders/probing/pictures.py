"""Converts pictures from any form in which students return them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def picture(returned: Any) -> Tensor:
    """Return a picture as a tensor [C, height, width] with values in [0, 1].

    `returned` may be a tensor, an array or a PIL image, with channels first or last, of floats or bytes. Raises
    TypeError for None.
    """
    if returned is None:
        raise TypeError("visualize_manifold should return the grid of images, but returned None")
    if not torch.is_tensor(returned):
        returned = torch.as_tensor(np.ascontiguousarray(returned))
    image: Tensor = returned / 255 if returned.dtype is torch.uint8 else returned.float()
    while image.dim() > 3 and image.shape[0] == 1:
        image = image[0]
    if image.dim() == 2:
        image = image.unsqueeze(0)
    if image.dim() == 3 and image.shape[0] not in (1, 3, 4) and image.shape[-1] in (1, 3, 4):
        image = image.permute(2, 0, 1)
    return image
