"""What a picture of a two-dimensional latent space shows, read back from images that tell their latents.

The decoder behind the picture is ours: of latents (z₀, z₁) it makes logits gain·z₀ in the upper half of the image and
gain·z₁ in the lower half. So every tile says which latents it is of, and whether the sigmoid was applied.

Accepted: grid_size or grid_size + 1 images an axis (the hand-out's hint has one more than its text); any even spacing
of percentiles from about 0.5/(grid_size + 1) to about 1 minus that; either order of the axes, either direction; any
padding; brightness rescaled to the full range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

Array = NDArray[np.float64]

SIDE = 28
MAX_PADDING = 12
_PADDINGS = [(padding, margin) for padding in range(MAX_PADDING + 1) for margin in sorted({0, padding})]
CLOSE = 0.02  # brightness may be that far off: bytes, and rescaling


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a manifold, for its author."""

    message: str
    expected: str | None = None
    got: str | None = None


def manifold_problem(latents: Array, picture: Array, grid_size: int, gain: float) -> Problem | None:
    """What is wrong with decoded `latents` [N, 2] and the `picture` [C, height, width] made of them; or None."""
    side = round(np.sqrt(len(latents)))
    return latents_problem(latents, grid_size) or _picture_problem(picture, latents, side, gain)


def latents_problem(latents: Array, grid_size: int, margins: tuple[float, float] | None = None) -> Problem | None:
    """What is wrong with the decoded `latents` [N, 2] alone; or None.

    `margins`: the least and the most of the prior's mass that may be left out at either end, where it is not half a
    step.
    """
    side = round(np.sqrt(len(latents)))
    return (
        _count_problem(latents, side, grid_size)
        or _grid_problem(latents, side)
        or _percentile_problem(np.unique(np.round(latents[:, 0], 4)), grid_size, margins)
        or _percentile_problem(np.unique(np.round(latents[:, 1], 4)), grid_size, margins)
    )


def _count_problem(latents: Array, side: int, grid_size: int) -> Problem | None:
    if side**2 == len(latents) and side in (grid_size, grid_size + 1):
        return None
    return Problem(
        f"grid_size={grid_size} should decode a square grid of latents",
        expected=f"{grid_size**2} or {(grid_size + 1) ** 2} latents",
        got=f"{len(latents)} latents",
    )


def _grid_problem(latents: Array, side: int) -> Problem | None:
    """Every value of z₀ must come with every value of z₁."""
    axes = [np.unique(np.round(latents[:, column], 4)) for column in (0, 1)]
    pairs = np.unique(np.round(latents, 4), axis=0)
    if all(len(axis) == side for axis in axes) and len(pairs) == side**2:
        return None
    return Problem(
        "the latents are not all pairs of the values on both axes",
        expected=f"{side} values of z₀, {side} of z₁, and {side**2} pairs",
        got=f"{len(axes[0])}, {len(axes[1])} and {len(pairs)}",
    )


def _percentile_problem(axis: Array, grid_size: int, margins: tuple[float, float] | None = None) -> Problem | None:
    percentiles = ndtr(axis)
    steps, unit = np.diff(percentiles), 1 / (grid_size + 1)
    expected = f"percentiles {unit / 2:.3f}, {unit * 1.5:.3f}, … {1 - unit / 2:.3f}"
    got = "percentiles " + ", ".join(f"{value:.3f}" for value in percentiles[:3]) + f", … {percentiles[-1]:.3f}"
    if np.ptp(steps) > 2e-3:
        even = np.ptp(np.diff(axis)) < 1e-3 * np.ptp(axis)
        slip = ": z is evenly spaced itself, and should be the normal quantiles of even percentiles" if even else ""
        return Problem("the latents are not evenly spaced in percentiles" + slip, expected, got)
    # From half a step off either end; one step, and one and a half at the upper end, are common readings of the hint.
    least, most = margins or (0.4 * unit, 1.1 * unit)
    if least <= percentiles[0] <= most and least <= 1 - percentiles[-1] <= (most if margins else 1.6 * unit):
        return None
    return Problem("the percentiles do not cover the range that was asked for", expected, got)


def _picture_problem(picture: Array, latents: Array, side: int, gain: float) -> Problem | None:
    tiles = tiles_of(picture, side)
    if tiles is None:
        return Problem(
            f"the picture is no grid of {side}×{side} images of 28×28 pixels: give make_grid the right nrow",
            expected=f"about {side * (SIDE + 2)}×{side * (SIDE + 2)} pixels",
            got=f"shape {list(picture.shape)}",
        )
    if np.isin(tiles, (0, 1)).all():
        return Problem("the picture shows 0 and 1 only: it should show the decoder's means, not samples of them")
    upper, lower = tiles[..., 0], tiles[..., 1]
    if np.ptp(upper, axis=1).max() > CLOSE:  # z₀ changes along the rows, which is as good
        upper, lower = upper.T, lower.T
    if np.ptp(upper, axis=1).max() > CLOSE or np.ptp(lower, axis=0).max() > CLOSE:
        return Problem("the tiles are not in order: one latent should change along rows, the other along columns")
    shown = (upper[:, 0], lower[0])
    logits = [gain * np.unique(np.round(latents[:, column], 4)) for column in (0, 1)]
    return next(filter(None, map(_brightness_problem, shown, logits)), None)


def _brightness_problem(brightness: Array, logits: Array) -> Problem | None:
    """`brightness` along an axis of the picture, where the decoder gave these `logits`, here in ascending order."""
    steps = np.diff(brightness)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        return Problem("the tiles are not in order: neighbours in the picture should be neighbours in z")
    means = expit(logits)
    rescaled = (means - means.min()) / np.ptp(means)  # make_grid's normalize=True
    if any(np.abs(np.sort(brightness) - right).max() < CLOSE for right in (means, rescaled)):
        return None
    return Problem(
        "the picture does not show the decoder's means: apply a sigmoid to its logits",
        expected=f"values from {means.min():.3f} to {means.max():.3f}",
        got=f"values from {brightness.min():.3f} to {brightness.max():.3f}",
    )


def tiles_of(picture: Array, side: int) -> Array | None:
    """The brightness of the halves of each tile [side, side, 2], whatever the padding; None when they do not fit."""
    if picture.ndim != 3 or picture.shape[0] not in (1, 3, 4):
        return None
    height, width = picture.shape[1:]
    for padding, margin in _PADDINGS:
        if _length(side, padding, margin) == height == width:
            starts = margin + np.arange(side) * (SIDE + padding) + SIDE // 2
            upper, lower = starts - 7, starts + 7
            grey = picture[:3].mean(axis=0)
            return np.stack([grey[np.ix_(rows, starts)] for rows in (upper, lower)], axis=-1)
    return None


def tiles_in_a_row(picture: Array, count: int) -> int:
    """How many of `count` tiles stand in a row of a picture, with as many rows as they need; 0 when none fit."""
    height, width = picture.shape[1:]
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        if any((_length(rows, *each), _length(columns, *each)) == (height, width) for each in _PADDINGS):
            return columns
    return 0


def _length(tiles: int, padding: int, margin: int) -> int:
    return tiles * SIDE + (tiles - 1) * padding + 2 * margin
