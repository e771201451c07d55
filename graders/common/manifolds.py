"""Judges pictures of a two-dimensional latent space, which a student makes with a decoder of ours.

Our decoder gives latents (z₀, z₁) an image whose upper half has logit gain·z₀ and whose lower half has logit gain·z₁.
Every tile of the picture therefore shows which latents it was decoded from, and whether the sigmoid was applied.

A decoder with a logit for each of several levels gives the upper half a level that grows with z₀, and the lower half
one that grows with z₁, each with certainty: the mean of the levels, the likeliest one and a draw are the same.

Accepted: grid_size or grid_size + 1 images per axis (the hand-out's hint has one more than its text); evenly spaced
percentiles from about 0.5/(grid_size + 1) to about 1 minus that; either order and either direction of the axes; any
padding; brightness rescaled to the full range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from gengrade.arrays import Array, Integers

SIDE = 28
MAX_PADDING = 12
PAIRED = "combine each value of z₀ with each of z₁, as torch.cartesian_prod does"
_PADDINGS = [(padding, margin) for padding in range(MAX_PADDING + 1) for margin in sorted({0, padding})]
OFFSET = 0.137  # of our decoder's levels: no percentile of a usual grid lies on the step between two of them
CLOSE = 0.02  # tolerance on brightness in [0, 1], for pictures of bytes and for rescaling


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a picture of the latent space, for the student."""

    message: str
    expected: str | None = None
    got: str | None = None


def manifold_problem(latents: Array, picture: Array, grid_size: int, gain: float) -> Problem | None:
    """Say what is wrong with a picture of the latent space; None if nothing is.

    Args:
        latents: [N, 2], what the student gave our decoder, in order.
        picture: [C, height, width], what the student made of its images.
        grid_size: the argument of the student's function.
        gain: the decoder's logits are gain·z₀ and gain·z₁.
    """
    return latents_problem(latents, grid_size) or _means_problem(picture, latents, gain)


def manifold_of_levels_problem(latents: Array, picture: Array, grid_size: int, levels: int) -> Problem | None:
    """Say what is wrong with a picture of the latent space of a decoder of levels; None if nothing is.

    Args:
        latents, picture, grid_size: as for `manifold_problem`. The picture may have any scale of brightness.
        levels: how many the decoder has.
    """
    return latents_problem(latents, grid_size) or _levels_problem(picture, latents, levels)


def latents_problem(latents: Array, grid_size: int, margins: tuple[float, float] | None = None) -> Problem | None:
    """Say what is wrong with the latents that were decoded; None if nothing is.

    Args:
        latents: [N, 2], what the student gave our decoder, in order.
        grid_size: the argument of the student's function.
        margins: the smallest and the largest probability that the percentiles may leave out at either end; by default
            about half a step.
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
    if side**2 == len(latents):
        different = len(np.unique(np.round(latents, 4), axis=0))
        besides = f". Besides, only {different} of them are different; {PAIRED}" if different < len(latents) else ""
        return Problem(
            f"the grid has {side} by {side} latents, although grid_size is {grid_size}: use the argument grid_size"
            + besides,
            expected=f"{grid_size**2} or {(grid_size + 1) ** 2} latents",
            got=f"{len(latents)} latents",
        )
    return Problem(
        f"grid_size={grid_size} should decode a square grid of latents",
        expected=f"{grid_size**2} or {(grid_size + 1) ** 2} latents",
        got=f"{len(latents)} latents",
    )


def _grid_problem(latents: Array, side: int) -> Problem | None:
    """Return what is wrong if not every value of z₀ comes with every value of z₁, and None otherwise."""
    axes = [np.unique(np.round(latents[:, column], 4)) for column in (0, 1)]
    pairs = np.unique(np.round(latents, 4), axis=0)
    if all(len(axis) == side for axis in axes) and len(pairs) == side**2:
        return None
    return Problem(
        f"the decoded latents are not all pairs of the values on both axes: {PAIRED}",
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
        slip = ": z is evenly spaced itself; take the normal quantiles of evenly spaced percentiles" if even else ""
        return Problem("the latents do not belong to evenly spaced percentiles of N(0, 1)" + slip, expected, got)
    # Half a step is left out at either end; some read the hint as one step, or as one and a half at the upper end.
    least, most = margins or (0.4 * unit, 1.1 * unit)
    if least <= percentiles[0] <= most and least <= 1 - percentiles[-1] <= (most if margins else 1.6 * unit):
        return None
    return Problem("the percentiles of the latents do not cover the range that was asked for", expected, got)


def _means_problem(picture: Array, latents: Array, gain: float) -> Problem | None:
    tiles = _tiles(picture, latents)
    if isinstance(tiles, Problem):
        return tiles
    if np.isin(tiles, (0, 1)).all():
        return Problem("all pixels of the picture are 0 or 1: show the means, the sigmoids of the decoder's logits")

    def problem(brightness: Array, z: Array) -> Problem | None:
        means = expit(gain * z)
        rescaled = (means - means.min()) / np.ptp(means)  # make_grid's normalize=True
        if any(np.abs(np.sort(brightness) - right).max() < CLOSE for right in (means, rescaled)):
            return None
        return Problem(
            "the picture does not show the decoder's means: apply the sigmoid, once, to its logits",
            expected=f"values from {means.min():.3f} to {means.max():.3f}",
            got=f"values from {brightness.min():.3f} to {brightness.max():.3f}",
        )

    return _axes_problem(tiles, latents, problem)


def _levels_problem(picture: Array, latents: Array, levels: int) -> Problem | None:
    if picture.ndim == 3 and len(picture) == levels:
        return Problem(
            f"the picture has {levels} channels, one for each level: a pixel shows one level, the mean under the "
            "softmax of its logits, or a draw",
            expected="1 or 3 channels",
            got=f"shape {list(picture.shape)}",
        )
    tiles = _tiles(picture, latents)
    if isinstance(tiles, Problem):
        return tiles
    if np.ptp(tiles) < np.finfo(np.float32).eps:
        return Problem("all tiles of the picture are equally bright, whatever the decoder's logits are")

    def problem(brightness: Array, z: Array) -> Problem | None:
        right = level_of(z, levels).astype(np.float64)
        if np.abs(_rescaled(np.sort(brightness)) - _rescaled(right)).max() < CLOSE:
            return None
        return Problem(
            "the picture does not show the decoder's levels: take the softmax of its logits over the levels of each "
            "pixel, and show the mean level, or a draw"
        )

    return _axes_problem(_rescaled(tiles), latents, problem)


def level_of(z: Array, levels: int) -> Integers:
    """Return the level 0 … levels − 1 that our decoder gives a latent: ⌊levels · Φ(z) + OFFSET⌋."""
    found: Integers = np.clip(np.floor(levels * ndtr(z) + OFFSET), 0, levels - 1).astype(np.int64)
    return found


def _rescaled(brightness: Array) -> Array:
    found: Array = (brightness - brightness.min()) / np.ptp(brightness)
    return found


def _tiles(picture: Array, latents: Array) -> Array | Problem:
    """Return the brightness of both halves of every tile of a picture, [side, side, 2], or why it has no such tiles."""
    side = round(np.sqrt(len(latents)))
    tiles = tiles_of(picture, side)
    if tiles is not None:
        return tiles
    return Problem(
        f"the picture is not a grid of {side}×{side} images of 28×28 pixels: give make_grid nrow={side}",
        expected=f"about {side * (SIDE + 2)}×{side * (SIDE + 2)} pixels",
        got=f"shape {list(picture.shape)}",
    )


def _axes_problem(tiles: Array, latents: Array, problem: Callable[[Array, Array], Problem | None]) -> Problem | None:
    """Say what is wrong with the order of tiles [side, side, 2], or with the brightness along one of their axes.

    problem: says what is wrong with the brightness [side], given the latents of its axis in ascending order, [side].
    """
    upper, lower = tiles[..., 0], tiles[..., 1]
    if np.ptp(upper, axis=1).max() > CLOSE:  # z₀ changes along the rows, which is right as well
        upper, lower = upper.T, lower.T
    if np.ptp(upper, axis=1).max() > CLOSE or np.ptp(lower, axis=0).max() > CLOSE:
        return Problem("the tiles are not in order: one latent should change along the rows, the other along columns")
    for column, brightness in enumerate((upper[:, 0], lower[0])):
        steps = np.diff(brightness)
        if not (np.all(steps > 0) or np.all(steps < 0)):
            return Problem("the tiles are not in order: z should grow from tile to tile along each axis of the picture")
        found = problem(brightness, np.unique(np.round(latents[:, column], 4)))
        if found is not None:
            return found
    return None


def tiles_of(picture: Array, side: int) -> Array | None:
    """Read the brightness of both halves of every tile of a picture, whatever its padding.

    Args:
        picture: [C, height, width], with any scale of brightness.
        side: tiles per row and per column.

    Returns:
        [side, side, 2], for the upper and the lower half of a tile; None if the picture is no such grid.
    """
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
    """Return how many of `count` tiles stand in each row of a picture [C, height, width]; 0 if no number fits."""
    height, width = picture.shape[1:]
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        if any((_length(rows, *each), _length(columns, *each)) == (height, width) for each in _PADDINGS):
            return columns
    return 0


def _length(tiles: int, padding: int, margin: int) -> int:
    return tiles * SIDE + (tiles - 1) * padding + 2 * margin
