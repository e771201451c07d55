"""The functions for pictures that scipy.misc had until 2019, in terms of Pillow."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image


def bytescale(data: Any, cmin: Any = None, cmax: Any = None, high: int = 255, low: int = 0) -> Any:
    """Return numbers scaled from [cmin, cmax], by default their own range, to bytes in [low, high]."""
    data = np.asarray(data)
    if data.dtype == np.uint8:
        return data
    cmin, cmax = data.min() if cmin is None else cmin, data.max() if cmax is None else cmax
    scaled = (data - cmin) * ((high - low) / ((cmax - cmin) or 1)) + low
    return (scaled.clip(low, high) + 0.5).astype(np.uint8)


def toimage(arr: Any, high: int = 255, low: int = 0, cmin: Any = None, cmax: Any = None, **_: Any) -> Image.Image:
    """Return an array [H, W], [H, W, C] or [C, H, W] as a picture."""
    pixels = bytescale(np.squeeze(np.asarray(arr)), cmin, cmax, high, low)
    if pixels.ndim == 3 and pixels.shape[0] in (3, 4) and pixels.shape[-1] not in (3, 4):
        pixels = pixels.transpose(1, 2, 0)
    return Image.fromarray(pixels)


def imsave(name: Any, arr: Any, format: str | None = None) -> None:
    """Save an array as a picture."""
    toimage(arr).save(name, format)


def imread(name: Any, flatten: bool = False, mode: str | None = None) -> Any:
    """Return the pixels of a picture; `flatten` makes them grey."""
    with Image.open(name) as picture:
        return np.asarray(picture.convert("F" if flatten else mode) if flatten or mode else picture)


def imresize(arr: Any, size: Any, interp: str = "bilinear", mode: str | None = None) -> Any:
    """Return a picture in another size: a percentage (int), a fraction (float) or (height, width)."""
    picture = toimage(arr)
    if isinstance(size, int | np.integer):
        size = size / 100
    if isinstance(size, float | np.floating):
        target = tuple(int(side * size) for side in picture.size)
    else:
        target = (int(size[1]), int(size[0]))
    return np.asarray(picture.resize(target, getattr(Image.Resampling, interp.upper(), Image.Resampling.BILINEAR)))
