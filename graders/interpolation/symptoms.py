"""Symptoms of mistakes in interpolations: where their points lie between the two ends, for any size of latents."""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence, Mismatch, UpTo
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.latents import TOLERANCE, coordinates, is_mixed
from graders.interpolation.walks import LARGEST_CODE, candidates_of, representation, row_of, walk_of
from graders.probing.sizes import MOST_IMAGES, PIXELS

ASIDE = 0.02  # points farther from the line than this share of the distance between the ends are off it


@symptoms_of("interpolation:gan")
def gan(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the positions of a GAN's walk between the two given latents."""
    walk = _walk(got, got.tensor("latents", shape=(UpTo(MOST_IMAGES), UpTo(LARGEST_CODE))))
    if walk is None:
        return _blend(got)
    start, end = (inputs[name][0, : walk.shape[1]].astype(np.float64) for name in ("start", "end"))
    return _places(walk, start, end)


@symptoms_of("interpolation:vae")
def vae(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the positions of a VAE's walk between the codes of the two images, and if the encoder was given them."""
    asked = got.tensor("asked", shape=(UpTo(MOST_IMAGES), PIXELS))
    if not len(asked):
        return {"encoder asked": (0.0, 0.0), **_free(got)}
    rows = [row_of(asked, inputs[name]) for name in ("first", "second")]
    if None in rows:
        others = sum(all(row_of(each[None], inputs[name]) is None for name in ("first", "second")) for each in asked)
        shown = float(sum(row is not None for row in rows))
        return {"images shown": (shown, 0.0), "others": (float(others), 0.0), **_free(got)}
    walk = _walk(got, got.tensor("latents", shape=(UpTo(MOST_IMAGES), UpTo(LARGEST_CODE))))
    if walk is None:
        return _blend(got)
    parts = [code.tensor(shape=(len(asked), UpTo(LARGEST_CODE))) for code in got.list("codes")]
    return _among_codes(walk, parts, [row for row in rows if row is not None])


def _among_codes(walk: Array, parts: list[Array], rows: list[int]) -> Numbers:
    """Return how a walk [K, d] relates to the encoder's outputs [R, …], in which `rows` belong to the two images."""
    codes, points = [part[rows] for part in parts], (float(len(walk)), 0.0)
    if len(parts[0]) > 2 and all(np.abs(parts[0] - point).max(axis=1).min() < TOLERANCE for point in walk):
        return {"every point is a code": (1.0, 0.0), "points": points}
    last = codes[-1] if len(codes) == 2 and codes[-1].shape[1] == walk.shape[1] else None
    if last is not None and max(abs(walk[0] - last[0]).max(), abs(walk[-1] - last[1]).max()) < TOLERANCE:
        return {"between spreads": (1.0, 0.0), "points": points}
    if last is not None and max(abs(walk[0] - codes[0][0]).max(), abs(walk[-1] - last[1]).max()) < TOLERANCE:
        return {"from a mean to a spread": (1.0, 0.0), "points": points}
    if not list(candidates_of(codes, walk.shape[1])):
        return {"another size": (1.0, 0.0)}
    return _places(walk, *(representation(walk, codes) or (walk[0], walk[-1])))


def _walk(got: Evidence, latents: Array) -> Array | None:
    """Return the latents of the returned images; None if some of these images were not decoded."""
    try:
        return walk_of(got, latents, "")
    except Mismatch:
        return None


def _blend(got: Evidence) -> Numbers:
    images, decoded = (
        got.tensor("images", shape=(UpTo(MOST_IMAGES), PIXELS)),
        got.tensor("decoded", shape=(UpTo(MOST_IMAGES), PIXELS)),
    )
    mixed = len(images) > 2 and len(decoded) > 0 and is_mixed(images[None], decoded)
    return {"pixels mixed": (float(mixed), 0.0), "images": (float(len(images)), 0.0)}


def _free(got: Evidence) -> Numbers:
    """For a walk with unknown ends, the number of points and their positions between its own first and last."""
    latents = got.tensor("latents", shape=(UpTo(MOST_IMAGES), UpTo(LARGEST_CODE)))
    numbers: Numbers = {"points": (float(len(latents)), 0.0)}
    if len(latents) > 2 and np.linalg.norm(latents[-1] - latents[0]) > 1e-6:
        along, aside = coordinates(latents[None])
        straight = float(aside.max()) < ASIDE * float(np.linalg.norm(latents[-1] - latents[0]))
        numbers["straight"] = (float(straight), 0.0)
        if straight:
            numbers["along"] = (along[0], 0.01)
    return numbers


def _places(walk: Array, start: Array, end: Array) -> Numbers:
    """Return the position of each point along the line from start (0) to end (1), and whether it is off the line."""
    numbers: Numbers = {"points": (float(len(walk)), 0.0)}
    way = end - start
    length = max(float(np.linalg.norm(way)), 1e-9)
    along = (walk - start) @ way / length**2
    aside = np.linalg.norm(walk - start - along[:, None] * way, axis=1) / length
    if len(along) > 1 and along[0] > along[-1]:
        along, aside = along[::-1], aside[::-1]
    off = aside > ASIDE
    numbers["off the line"] = (off.astype(np.float64), 0.0)
    if not off.any():
        numbers["along"] = (along, 0.01)
        return numbers
    away = [np.linalg.norm(each) / length for each in (walk[0] - start, walk[-1] - end)]
    from_origin = [float(np.linalg.norm(each)) < 1e-3 * length for each in (walk[0], walk[-1])]
    if max(away) < TOLERANCE and aside.max() < 1:
        numbers |= {"aside": (aside, 0.1), "along": (along, 0.1)}
    differs = float(np.ptp(walk, axis=0).max()) > 1e-6
    return {
        **numbers,
        "at the ends": (np.array([each < TOLERANCE for each in away], dtype=np.float64), 0.0),
        "at the origin": (np.array(from_origin, dtype=np.float64), 0.0),
        "different points": (float(differs), 0.0),
        "even": (float(_is_even(walk)), 0.0),
    }


def _is_even(walk: Array) -> bool:
    """Return whether a walk is a straight line with even steps, between any ends."""
    steps = np.diff(walk, axis=0)
    return bool(np.abs(steps - steps.mean(axis=0)).max() < 1e-3 * max(float(np.abs(steps).max()), 1e-9))
