"""Symptoms of mistakes in the samples of a VAE for images with 16 levels, and in the picture of its latent space."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import softmax

from gengrade.arrays import Array, Integers
from gengrade.grading import Evidence, UpTo
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.manifolds import CLOSE, level_of
from graders.common.shares import share_of
from graders.vae.sizes import MOST_LATENTS
from graders.vae.symptoms import layout_of, spread_of

FEW: Final = (1, 4, 8)  # likeliest levels of a pixel
MIXED: Final = 0.05  # how far shares of thousands of pixels may differ, with other networks and draws


@symptoms_of("vae.level:samples")
def samples(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the latents, the kind of numbers, and how often these are among the likeliest levels of their pixels."""
    shown = got.tensor("samples", finite=False)
    symptoms: Numbers = {
        "shape": (np.array(shown.shape, dtype=np.float64), 0.0),
        "latents seen": (float(not got.is_none("z")), 0.0),
    }
    if got.is_none("z"):
        return symptoms
    z, logits, again = (got.tensor("z", finite=False), got.tensor("logits", finite=False), got["again"])
    symptoms |= {"decoded": (float(len(z)), 0.0), **spread_of(z)}
    probabilities = softmax(logits, axis=1)
    if shown.shape == logits.shape:
        returned = [float(np.allclose(shown, each, 1e-3, 1e-4)) for each in (logits, probabilities)]
        return symptoms | {"logits, or probabilities": (np.array(returned), 0.0)}
    if logits.ndim != 4 or shown.shape != (len(logits), 1, *logits.shape[2:]):
        return symptoms
    top = logits.shape[1] - 1
    whole, divided = (share_of(np.abs(each - each.round()) < CLOSE) for each in (shown, shown * top))
    symptoms["levels, and levels that are divided"] = (np.array([whole, divided]), 0.02)
    symptoms["all at most 1"] = (float(np.all(shown <= 1)), 0.0)
    levels = shown * top if divided > whole - CLOSE and np.all(shown <= 1) else shown
    mean = np.einsum("blhw,l->bhw", probabilities, np.arange(top + 1.0))[:, None]
    symptoms["means"] = (share_of(np.isclose(levels, mean, atol=CLOSE)), MIXED)
    chosen = np.clip(levels.round(), 0, top).astype(np.int64)
    symptoms["among the likeliest"] = (_among_likeliest(probabilities, chosen), MIXED)
    rows = probabilities.reshape(-1, top + 1)  # as they lie in memory: those of 16 pixels for one level
    symptoms["among the likeliest, not moved"] = (_among_likeliest(rows, chosen.reshape(-1, 1)), MIXED)
    shares = [share_of(np.diff(levels, axis=axis) == 0) for axis in (0, -1)]
    symptoms["equal to the next image, and to the next pixel"] = (np.array(shares), 2 * MIXED)
    other = again.tensor("samples", finite=False)
    equal = share_of(other == shown) if other.shape == shown.shape else -1.0
    return symptoms | {"equal in both calls": (equal, 2 * MIXED)}


@symptoms_of("vae.level:manifold")
def manifold(inputs: Inputs, got: Evidence) -> Symptoms:
    """Describe the latents, the layout of the tiles, and whether their brightness shows the levels.

    grid_size or grid_size + 1 latents per axis, their order, the padding and the scale are the student's choice.
    """
    latents, picture = (
        got.tensor("latents", shape=(UpTo(MOST_LATENTS), 2), finite=False),
        got.tensor("picture", finite=False),
    )
    symptoms, tiles = layout_of(latents, picture, int(inputs["grid_size"]))
    channels = float(len(picture)) if picture.ndim == 3 else 0.0
    symptoms["channels"] = (1.0 if channels == 3 else channels, 0.0)  # make_grid makes three of one
    if tiles is None:
        return symptoms
    right = level_of(latents, int(inputs["levels"])).astype(np.float64)
    return symptoms | {"what is shown": (_shown(tiles, right), 0.0)}


def _shown(tiles: Array, levels: Array) -> float:
    """Return 1 if the brightness of tiles is that of their levels, in any scale; 0 if it is constant, else −1."""
    if not np.isfinite(tiles).all() or np.ptp(tiles) < np.finfo(np.float32).eps:
        return 0.0
    ordered = [np.sort((each - each.min()) / np.ptp(each), axis=0) for each in (tiles, levels) if np.ptp(each) > 0]
    return 1.0 if len(ordered) == 2 and float(np.abs(ordered[0] - ordered[1]).max()) < CLOSE else -1.0


def _among_likeliest(probabilities: Array, chosen: Integers) -> Array:
    """Return the shares of chosen levels [N, 1, …] among the likeliest of their pixels; probabilities [N, L, …]."""
    ranks = np.take_along_axis((-probabilities).argsort(axis=1).argsort(axis=1), chosen, axis=1)
    return np.array([share_of(ranks < few) for few in FEW])
