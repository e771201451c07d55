"""Draw the pictures of a report from arrays, as PNG files beside the facts."""

from __future__ import annotations

import hashlib
import importlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengrade.arrays import Array
from gengrade.atomic import write_whole
from gengrade.facts import MOST_FIGURES, Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_FOLDER = "figures"
_PICTURE_BYTES = 1 << 20
_MOST_BYTES = 8 << 20  # of all pictures of a submission
_MOST_IMAGES = 256  # in a grid
_MOST_POINTS = 2_000  # of a curve
_SCALE = 2  # screen pixels for each pixel of an image in a grid
_MOST_PIXELS = 1 << 22  # of all images of a picture
_FARTHEST = 1e30  # the largest value that is drawn, since matplotlib's arithmetic overflows beyond it


class Gallery:
    """Limits the number of one submission's pictures and their total size in bytes."""

    def __init__(self, pictures: int = MOST_FIGURES) -> None:
        self._left = pictures
        self._bytes_left = _MOST_BYTES

    def takes(self, size: int) -> bool:
        """Return whether a picture of `size` bytes is within the limits, and count it if so."""
        if self._left == 0 or size > min(_PICTURE_BYTES, self._bytes_left):
            return False
        self._left -= 1
        self._bytes_left -= size
        return True

    @classmethod
    def may_be_full(cls, galleries: Iterable[Gallery]) -> bool:
        """Return whether one gallery might have refused a picture of these."""
        taken = [(MOST_FIGURES - each._left, _MOST_BYTES - each._bytes_left) for each in galleries]
        return sum(count for count, _ in taken) >= MOST_FIGURES or (
            sum(size for _, size in taken) > _MOST_BYTES - _PICTURE_BYTES
        )


class Show:
    """Draws the pictures of one check.

    Values that are not finite are drawn as zero, since pictures are not evidence. A picture that exceeds the gallery's
    limits is left out.
    """

    def __init__(self, folder: Path, check: str, gallery: Gallery) -> None:
        self._folder = folder
        self._check = check
        self._gallery = gallery
        self.figures: list[Figure] = []

    def images(self, caption: str, images: NDArray[np.generic], *, columns: int = 8, alt: str = "") -> None:
        """Draw a grid of images [N, H, W] with values from 0 (black) to 1 (white)."""
        from PIL import Image

        images = images[:_MOST_IMAGES]
        if np.size(images) > _MOST_PIXELS:
            return
        array = np.clip(np.nan_to_num(np.asarray(images, dtype=np.float64)), 0, 1)
        grid = _grid(array, max(1, min(columns, len(array))))
        picture = Image.fromarray((255 * grid).round().astype(np.uint8))
        picture = picture.resize((picture.width * _SCALE, picture.height * _SCALE), Image.Resampling.NEAREST)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", optimize=True)
        self._add(buffer.getvalue(), caption, alt or f"a grid of {len(array)} images")

    def curves(
        self,
        caption: str,
        curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
        *,
        xlabel: str,
        ylabel: str,
        alt: str = "",
    ) -> None:
        """Draw lines, each given as (xs, ys) by its name in the legend."""
        drawing = _drawing(6.4, 3.2)
        axes = drawing.subplots()
        for name, (xs, ys) in curves.items():
            step = max(1, len(ys) // _MOST_POINTS)
            axes.plot(_drawable(xs[::step]), _drawable(ys[::step]), label=name, linewidth=1.6)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        self._add(_png(drawing), caption, alt or f"{ylabel} against {xlabel}: {', '.join(curves)}")

    def densities(
        self,
        caption: str,
        densities: Mapping[str, NDArray[np.generic]],
        *,
        extent: tuple[float, float, float, float],
        alt: str = "",
    ) -> None:
        """Draw densities [H, W] side by side, by name, with the first row at the bottom.

        extent: the coordinates of the left, right, bottom and top edges.
        """
        drawing = _drawing(3.0 * len(densities), 3.1)
        panels = drawing.subplots(1, len(densities), squeeze=False)[0]
        for axes, (name, density) in zip(panels, densities.items(), strict=True):
            axes.imshow(_drawable(density), origin="lower", extent=extent, cmap="viridis")
            axes.set_title(name, fontsize=10)
        self._add(_png(drawing), caption, alt or f"densities: {', '.join(densities)}")

    def _add(self, png: bytes, caption: str, alt: str) -> None:
        if not self._gallery.takes(len(png)):
            return
        file = f"{_FOLDER}/{self._check}-{len(self.figures)}.png"
        write_whole(self._folder / file, png)
        digest = hashlib.sha256(png).hexdigest()
        self.figures.append(Figure(check=self._check, caption=caption, alt=alt, file=file, sha256=digest))


def _drawable(values: ArrayLike) -> Array:
    return np.clip(np.nan_to_num(np.asarray(values, dtype=np.float64)), -_FARTHEST, _FARTHEST)


def _grid(images: Array, columns: int) -> Array:
    """Return images [N, H, W] as one image, with dark lines of two pixels between them."""
    count, height, width = images.shape
    rows = -(-count // columns)
    grid = np.full((rows * (height + 2) + 2, columns * (width + 2) + 2), 0.35)
    for index, image in enumerate(images):
        top, left = 2 + index // columns * (height + 2), 2 + index % columns * (width + 2)
        grid[top : top + height, left : left + width] = image
    return grid


def import_drawing() -> None:
    """Import the drawing libraries, which takes half a second, before processes that draw are forked."""
    importlib.import_module("PIL.Image")
    importlib.import_module("matplotlib.backends.backend_agg")


def _drawing(width: float, height: float) -> Drawing:
    """Return a figure with its own canvas; pyplot would keep a global list of figures and search for a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as NewDrawing

    drawing = NewDrawing(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing


def _png(drawing: Drawing) -> bytes:
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
