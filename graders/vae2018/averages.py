"""The averages that an epoch's loop may rightly compute from the bounds that the student's forward returns.

A forward may return an average over the batch, or a sum. The loop's result is judged relative to that:

- averages of averages may weigh batches or images equally;
- sums may become an average per image, by all of their images, by those of each batch, or by the loader's batch size,
  which is off by no more than the last batch; or an average of what was returned: then only the sum is a mistake, which
  the check of the bound is about.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence, Rng, Subject, probes
from graders.common.batches import BATCH, SIZES, unequal_batches

CLOSE: Final = 1e-3  # relative tolerance on an average
MOST_PASSES: Final = 1_000  # most passes of a loop over a few batches that are read


def setting(rng: Rng) -> dict[str, Any]:
    """Return binary images whose batches differ in density, and bounds chosen so that averages of them differ."""
    images = unequal_batches(rng)
    bounds = 100 * np.array([2.0, 1.0, 0.5, 6.0]) * rng.uniform(0.8, 1.25, 1)
    return {"images": images, "batch_size": BATCH, "bounds": bounds.astype(np.float32)}


def averages_per_image(student: Subject, rng: Rng) -> bool:
    """Return whether the student's loop turns the bounds of its model into an average per image."""
    given = setting(rng)
    got = student.run(probes.vae2018.loop.average, **given)
    sizes = sizes_of(got)
    if got.is_none("average") or not len(sizes) or sizes.min() < 1:
        return False
    bounds = np.resize(given["bounds"].astype(np.float64), len(sizes))
    return is_near(abs(got.number("average", finite=False)), per_image(bounds, sizes))


def right_averages(bounds: Array, sizes: Array, *, summed: bool) -> list[float]:
    """Return all right averages of returned bounds [N] of batches of these sizes [N]."""
    right = [float(bounds.mean()), float(np.average(bounds, weights=sizes))]
    return [*right, *per_image(bounds, sizes)] if summed else right


def per_image(bounds: Array, sizes: Array) -> list[float]:
    """Return the averages per image that sums over batches [N] may become."""
    return [
        float(bounds.sum() / sizes.sum()),
        float((bounds / sizes).mean()),
        float(bounds.sum() / (len(sizes) * sizes[0])),
    ]


def is_near(value: float, candidates: list[float]) -> bool:
    """Return whether a value is one of the candidates."""
    return any(bool(np.isclose(value, each, rtol=CLOSE)) for each in candidates)


def sizes_of(got: Evidence) -> Array:
    """Return the sizes of the batches in the loop's passes. Raises Mismatch if there are too many."""
    return np.array([float(size.integer()) for size in got.list("sizes", most=MOST_PASSES)])


def is_summed(got: Evidence) -> bool:
    """Return whether the model's own bounds grow with the batch, from the evidence of the probe `epoch`.

    Before training all pixels have means near ½, so that the bound per image is about the same for all images. The last
    batch has half as many of them.
    """
    own = np.abs([value.number(finite=False) for value in got.list("returned", most=MOST_PASSES)])
    if len(own) != len(SIZES) or not np.isfinite(own).all():
        return False
    least = float(np.sqrt(SIZES[-1] / SIZES[0]))
    return bool(own[-1] < least * own[:-1].mean())
