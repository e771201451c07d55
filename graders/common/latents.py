"""Checks of interpolations: which latents were decoded, and whether they lie evenly on a straight line between draws.

A strip is the sequence of latents [K, d] behind one row of an interpolation. It is right if both ends z₀ and z₁ are
drawn from N(0, I) and its points are z₀ + (k/(K−1))·(z₁ − z₀) for k = 0 … K−1.

Decisions where the assignment is silent: either direction is right. Dropout in the generator is not judged here, since
every image is compared with the image that the generator returned. A great circle instead of the straight line is a
mistake, since the assignment interpolates the vectors themselves.
"""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array
from graders.common.distances import nearest
from graders.common.statistics import ALPHA, TwoDraws, correlation_bound, dkw_bound

TOLERANCE = 1e-3  # tolerance on a latent's position, relative to the distance between the ends
SAME_IMAGE = 1e-4  # images with pixels in [−1, 1] count as equal if no pixel differs by more


def trace(images: Array, decoded: Array, latents: Array) -> Array | None:
    """Find the latent that each image was decoded from.

    Args:
        images: [N, p], flat images.
        decoded: [M, p], the generator's images of `latents` [M, d].

    Returns:
        Latents [N, d]; None if some image is not among `decoded`.
    """
    if len(images) == 0 or len(decoded) == 0:
        return None
    indices, _ = nearest(images, decoded)
    if np.abs(images - decoded[indices]).max() > SAME_IMAGE:
        return None
    found: Array = latents[indices]
    return found


def is_mixed(images: Array, decoded: Array) -> bool:
    """Return whether the pixels of the end images were interpolated, instead of their latents.

    Args:
        images: [B, K, p], strips of K flat images; only the first ones have to be among `decoded` [M, p].
    """
    if images.shape[1] < 3 or trace(images[:, 0], decoded, decoded) is None:
        return False
    return float(np.abs(_bends(images)).max()) < SAME_IMAGE


def arrangements(found: Array, n: int) -> list[Array]:
    """Return the ways to divide N latents [N, d] into n strips [n, N/n, d]; none if that is impossible.

    The latents may come strip by strip (the first way) or step by step (the second).
    """
    if len(found) % n or len(found) // n < 2:
        return []
    steps = len(found) // n
    return [found.reshape(n, steps, -1), found.reshape(steps, n, -1).swapaxes(0, 1)]


def arrangements_of(found: Array, shape: tuple[int, ...], n: int) -> list[Array]:
    """Return the arrangements of N latents into n strips that agree with the `shape` of the student's result.

    The first dimension of a 5-dimensional result says whether it holds strips or steps; otherwise both are possible.
    """
    possible = arrangements(found, n)
    if len(shape) < 5 or len(possible) < 2 or shape[0] == shape[1]:
        return possible
    return possible[:1] if shape[0] == n else possible[1:]


def line_problem(strips: Array, what: str = "strip") -> str | None:
    """Say for the student why strips [B, K, d] are not evenly spaced straight lines; None if they are.

    `what` is the student's name for a strip.
    """
    count = strips.shape[1]
    if count < 3:
        return f"there are no images between the two ends: each {what} has {count} in all"
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
    """Say for the student why the ends of strips are not independent draws from N(0, I); None if they may be.

    The mean, the root mean square (χ², exact) and the correlation of both ends are tested.

    Args:
        first, last: the latents of the first and the last images, [B, d].
        alpha: false-fail probability of all tests together.
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
        return f"the {name} image of each strip is decoded from z = 0: decode a draw from N(0, I)"
    if len(end) > 1 and np.abs(end - end[0]).max() < 1e-3:
        return f"the {name} images of all strips are decoded from one and the same latent: draw one for each strip"
    if spread > high:
        return (
            f"the {name} images of the strips are not decoded from draws from N(0, I): their latents have a standard "
            f"deviation of {spread:.2f}, while draws have 1. Draw both ends with torch.randn"
        )
    if spread < low:
        return (
            f"the {name} images of the strips are not decoded from draws from N(0, I): their latents have a standard "
            f"deviation of {spread:.2f}, while draws have 1. Draw both ends with torch.randn, and let the weights run "
            "from 0 to 1, both included"
        )
    if abs(float(end.mean())) > test.mean:
        return (
            f"the latents of the {name} images have mean {float(end.mean()):.2f}: draw z from N(0, I), whose mean is "
            "0, with torch.randn"
        )
    return None


def are_drawn_alike(first: Array, second: Array, alpha: float = ALPHA) -> bool:
    """Return whether two sets of latents, [N, d] and [M, d], may be draws from one distribution, whatever it is.

    The distributions of the latents' means and mean squares are compared (Dvoretzky–Kiefer–Wolfowitz for
    each set, valid for any distribution and any dependence among the elements of a latent).
    """
    bound = dkw_bound(len(first), alpha, comparisons=4) + dkw_bound(len(second), alpha, comparisons=4)
    means, sizes = ([np.mean(rows**power, axis=1) for rows in (first, second)] for power in (1, 2))
    for one, other in (means, sizes):
        points = np.concatenate([one, other])
        shares = [np.searchsorted(np.sort(each), points, side="right") / len(each) for each in (one, other)]
        if float(np.abs(shares[0] - shares[1]).max()) > bound:
            return False
    return True


def depend_on_each_other(first: Array, last: Array, alpha: float = ALPHA) -> bool:
    """Return whether an element of the last [B, d] of strips is correlated with the same one of the first ones.

    It compares each element apart, since those of one latent may be alike where the noise is wrong.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = first - first.mean(axis=0), last - last.mean(axis=0)
        correlations = np.sum(a * b, axis=0) / np.sqrt(np.sum(a**2, axis=0) * np.sum(b**2, axis=0))
    found = correlations[np.isfinite(correlations)]
    return float(np.abs(found).max(initial=0.0)) > correlation_bound(len(first), alpha, comparisons=first.shape[1])


def coordinates(strips: Array) -> tuple[Array, Array]:
    """Return where the latents of strips [B, K, d] lie relative to the line through their first and last ones.

    Returns:
        Two arrays [B, K]: the position along the line (0 at the first latent, 1 at the last), and the distance from it.
    """
    start, direction = strips[:, :1], strips[:, -1:] - strips[:, :1]
    squared = np.maximum(np.sum(direction**2, axis=2), 1e-12)
    along: Array = np.sum((strips - start) * direction, axis=2) / squared
    aside: Array = np.linalg.norm(strips - start - along[:, :, None] * direction, axis=2)
    return along, aside


def _bends(points: Array) -> Array:
    """Return the root mean square distance [B, K], over the p pixels, of images from the line between their ends."""
    _, aside = coordinates(points)
    bends: Array = aside / np.sqrt(points.shape[2])
    return bends


def _is_arc(strips: Array) -> bool:
    """Return whether strips [B, K, d] are spherical linear interpolations (slerp, Shoemake 1985).

    sin((1−t)Ω)/sin Ω · z₀ + sin(tΩ)/sin Ω · z₁, where Ω is the angle between the ends.
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


MOST_NUMBERS = 1_024  # most numbers of a latent
