"""Pictures of a report, drawn from arrays as PNG files beside the facts."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gengrade.facts import Figure
from gengrade.store import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_FOLDER = "figures"
_SCALE = 2  # screen pixels for each pixel of an image in a grid
_MOST_PIXELS = 1 << 22  # of all images of a picture
_FARTHEST = 1e30  # of a curve from zero: matplotlib's arithmetic overflows beyond


class Show:
    """Draws for one check. Pictures are never evidence.

    Values that are not finite are drawn as zero, and what is larger than any picture of a report is not drawn.
    """

    def __init__(self, folder: Path, check: str) -> None:
        self._folder = folder
        self._check = check
        self.figures: list[Figure] = []

    def images(self, caption: str, images: NDArray[np.generic], *, columns: int = 8, alt: str = "") -> None:
        """A grid of images [N, H, W] with values in 0 (black) to 1 (white)."""
        from PIL import Image

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
        """Lines of (xs, ys), one for each name in the legend."""
        drawing = _drawing(6.4, 3.2)
        axes = drawing.subplots()
        for name, (xs, ys) in curves.items():
            axes.plot(_drawable(xs), _drawable(ys), label=name, linewidth=1.6)
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
        """Densities [H, W] side by side, the first row at the bottom; extent: left, right, bottom, top."""
        drawing = _drawing(3.0 * len(densities), 3.1)
        panels = drawing.subplots(1, len(densities), squeeze=False)[0]
        for axes, (name, density) in zip(panels, densities.items(), strict=True):
            axes.imshow(_drawable(density), origin="lower", extent=extent, cmap="viridis")
            axes.set_title(name, fontsize=10)
        self._add(_png(drawing), caption, alt or f"densities: {', '.join(densities)}")

    def _add(self, png: bytes, caption: str, alt: str) -> None:
        file = f"{_FOLDER}/{self._check}-{len(self.figures)}.png"
        write_whole(self._folder / file, png)
        self.figures.append(Figure(check=self._check, caption=caption, alt=alt, file=file))


def _drawable(values: ArrayLike) -> NDArray[np.float64]:
    return np.clip(np.nan_to_num(np.asarray(values, dtype=np.float64)), -_FARTHEST, _FARTHEST)


def _grid(images: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Images [N, H, W] as one image, a dark line of two pixels between them."""
    count, height, width = images.shape
    rows = -(-count // columns)
    grid = np.full((rows * (height + 2) + 2, columns * (width + 2) + 2), 0.35)
    for index, image in enumerate(images):
        top, left = 2 + index // columns * (height + 2), 2 + index % columns * (width + 2)
        grid[top : top + height, left : left + width] = image
    return grid


def import_drawing() -> None:
    """Imports what pictures are drawn with: half a second, once for a process and all that are forked from it."""
    importlib.import_module("PIL.Image")
    importlib.import_module("matplotlib.backends.backend_agg")


def _drawing(width: float, height: float) -> Drawing:
    """A figure of its own canvas: pyplot would keep a global list of them, and look for a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as NewDrawing

    drawing = NewDrawing(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing


def _png(drawing: Drawing) -> bytes:
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
