"""Lines in a latent space: which latents were decoded, and whether they are a straight walk from one draw to another.

A strip is the sequence of latents [K, d] behind one row of an interpolation. With both ends drawn from N(0, I), in d
dimensions, the K points z₀ + (k/(K−1))·(z₁ − z₀), k = 0 … K−1, are the right ones.

Decisions where the assignment is silent: either direction is right, and whether the generator drops out units while
it decodes is not asked, since every image is compared with the very image that the generator returned. A great circle
in place of the straight line is a mistake, since the assignment's interpolation is of the vectors themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graders.common.distances import nearest
from graders.common.statistics import ALPHA, TwoDraws

Array = NDArray[np.float64]

TOLERANCE = 1e-3  # on a latent's position, in units of the distance between the ends
SAME_IMAGE = 1e-4  # the largest difference between pixels in [−1, 1] of equal images


def trace(images: Array, decoded: Array, latents: Array) -> Array | None:
    """The latent behind each image: [N, p] → [N, d].

    `decoded` [M, p] are the images of `latents` [M, d]. None when one of `images` is none of them.
    """
    if len(images) == 0 or len(decoded) == 0:
        return None
    indices, _ = nearest(images, decoded)
    if np.abs(images - decoded[indices]).max() > SAME_IMAGE:
        return None
    found: Array = latents[indices]
    return found


def is_mixed(images: Array, decoded: Array) -> bool:
    """Whether images [B, K, p] lie on straight lines between their first and last, which were decoded: mixed pixels."""
    if images.shape[1] < 3 or trace(images[:, 0], decoded, decoded) is None:
        return False
    return float(np.abs(_bends(images)).max()) < SAME_IMAGE


def arrangements(found: Array, n: int) -> list[Array]:
    """The ways to read N latents [N, d] as n strips: one strip after the other, or one step after the other."""
    if len(found) % n or len(found) // n < 2:
        return []
    steps = len(found) // n
    return [found.reshape(n, steps, -1), found.reshape(steps, n, -1).swapaxes(0, 1)]


def arrangements_of(found: Array, shape: tuple[int, ...], n: int) -> list[Array]:
    """The strips that the `shape` of a result allows: B or the steps first; either, when it is flat."""
    possible = arrangements(found, n)
    if len(shape) < 5 or len(possible) < 2 or shape[0] == shape[1]:
        return possible
    return possible[:1] if shape[0] == n else possible[1:]


def line_problem(strips: Array, what: str = "strip") -> str | None:
    """What keeps strips [B, K, d] from being evenly spaced straight lines, for the student; None when nothing does.

    `what` the student calls them.
    """
    count = strips.shape[1]
    if count < 3:
        return f"there are no images between the ends: a {what} has {count}"
    ends = np.linalg.norm(strips[:, -1] - strips[:, 0], axis=1)
    scale = np.maximum(ends, 1e-6)
    if np.any(ends < TOLERANCE * np.linalg.norm(strips[:, 0], axis=1)):
        return f"a {what} ends where it begins: its two ends should be two different latents"
    along, aside = coordinates(strips)
    if np.any(aside / scale[:, None] > TOLERANCE):
        if _is_arc(strips):
            return "the latents lie on a great circle: the assignment asks for the straight line between z₀ and z₁"
        return "the latents do not lie on the straight line between the two ends"
    spacing = np.diff(along, axis=1)
    if np.any(np.abs(spacing - 1 / (count - 1)) > TOLERANCE):
        return "the steps along the line are not evenly spaced" + _weights(along, what)
    return None


def ends_problem(first: Array, last: Array, alpha: float = ALPHA) -> str | None:
    """What keeps the ends [B, d] from being independent draws from N(0, I), for the student; None when nothing does.

    The mean, the root mean square (exact, χ²) and the correlation of the two are compared with their bounds; `alpha`
    in all.
    """
    test = TwoDraws(first.size, alpha)
    for name, end in (("first", first), ("last", last)):
        problem = _end_problem(name, end, test)
        if problem is not None:
            return problem
    r = test.independence.correlation(first, last)
    if r is not None:
        return f"the two ends depend on each other (their correlation is {r:.2f}): draw z₀ and z₁ independently"
    return None


def _end_problem(name: str, end: Array, test: TwoDraws) -> str | None:
    low, high = test.spread
    spread = float(np.sqrt(np.mean(end**2)))
    if spread < 1e-3:
        return f"the {name} image of each strip is decoded from z = 0, which is no draw from N(0, I)"
    if len(end) > 1 and np.abs(end - end[0]).max() < 1e-3:
        return f"the {name} images of all strips are of one latent: draw a latent for each strip"
    if spread > high:
        return (
            f"the {name} image of each strip lies beyond the draw that it should be G of: its latents have a "
            f"standard deviation of {spread:.2f}, where draws from N(0, I) have 1"
        )
    if spread < low:
        return (
            f"the {name} image of each strip is not G of a draw from N(0, I), but of a point on the way: its latents "
            f"have a standard deviation of {spread:.2f}, where draws have 1. Let the weights run from 0 to 1, both "
            "included"
        )
    if abs(float(end.mean())) > test.mean:
        return f"the latents of the {name} images have mean {float(end.mean()):.2f}: z is drawn from N(0, I), by randn"
    return None


def coordinates(strips: Array) -> tuple[Array, Array]:
    """Where each latent lies along the line from first to last (0 to 1), and how far from it: two arrays [B, K]."""
    start, direction = strips[:, :1], strips[:, -1:] - strips[:, :1]
    squared = np.maximum(np.sum(direction**2, axis=2), 1e-12)
    along: Array = np.sum((strips - start) * direction, axis=2) / squared
    aside: Array = np.linalg.norm(strips - start - along[:, :, None] * direction, axis=2)
    return along, aside


def _bends(points: Array) -> Array:
    """The distance of points [B, K, p] from the straight line between the first and the last of each row."""
    _, aside = coordinates(points)
    bends: Array = aside / np.sqrt(points.shape[2])
    return bends


def _is_arc(strips: Array) -> bool:
    """Whether strips are spherical interpolations: sin((1−t)Ω)/sin Ω · z₀ + sin(tΩ)/sin Ω · z₁, with Ω the ends' angle.

    Shoemake 1985, equation for slerp.
    """
    first, last = strips[:, :1], strips[:, -1:]
    norms = np.linalg.norm(first, axis=2) * np.linalg.norm(last, axis=2)
    angle = np.arccos(np.clip(np.sum(first * last, axis=2) / np.maximum(norms, 1e-9), -1, 1))[:, :, None]
    t = np.linspace(0, 1, strips.shape[1])[None, :, None]
    arc = (np.sin((1 - t) * angle) * first + np.sin(t * angle) * last) / np.maximum(np.sin(angle), 1e-9)
    return bool(np.abs(strips - arc).max() < 10 * TOLERANCE)


def _weights(along: Array, what: str) -> str:
    first = "first " if len(along) > 1 else ""
    return f" (the {first}{what}'s weights are {', '.join(f'{weight:.2f}' for weight in along[0])})"
