"""Symptoms of mistakes in a U-Net with prescribed layers.

What cfg_forward returns follows from the probe's inputs alone, and is compared directly. So does how forward connects
the layers, of which there are too many numbers to compare all of them.
"""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of

EXACT = 1e-3


@symptoms_of("ddpm.unet:output")
def output(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return whether the layers take the weights, and whether gradients pass in each mode.

    A wrong output is explained by how the layers are connected.
    """
    fits = got.flag("fits")
    if not fits:
        return {"fits": (0.0, 0.0)}
    modes = [got[mode] for mode in ("eval", "training")]
    return {
        "fits": (1.0, 0.0),
        "shapes": (np.array([each.shape("output") for each in modes], dtype=np.float64), 0.0),
        "attached": (np.array([float(each.flag("attached")) for each in modes]), 0.0),
    }


@symptoms_of("ddpm.unet:wiring")
def wiring(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return in which order forward calls the modules, and a few numbers of what each is given, in each mode."""
    if not got.flag("known"):
        levels = [float(each.integer()) for each in got.list("levels", exactly=2)]
        unused = {f"unused: {got.text('unused')}": (0.0, 0.0)}
        return {"levels": (np.array(levels), 0.0), **unused}
    found: Numbers = {}
    for mode in ("eval", "training"):
        wired = got[mode]
        names = [each.text() for each in wired.list("order")]
        found[f"{mode}: {' '.join(names)}"] = (float(wired.flag("attached")), 0.0)
        given = [_summary(each.tensor(finite=False)) for each in wired.list("inputs")]
        found[f"{mode}: what is given"] = (np.array(given), EXACT)
        found[f"{mode}: the output"] = (_summary(wired.tensor("output", finite=False)), EXACT)
        sizes = wired.tensor("sizes", finite=False)
        found[f"{mode}: gradients"] = (sizes, EXACT * float(np.abs(sizes).max()))
        contexts = wired["contexts"]
        for name in contexts.names():
            absent = contexts.is_none(name)
            values = np.zeros(0) if absent else contexts.tensor(name, finite=False)
            found[f"{mode}: the context of {name}"] = (values, EXACT)
    return found


def _summary(values: Array) -> Array:
    """Return the shape of an array, and two numbers that change where any of its numbers does, or their order."""
    waves = np.cos(np.arange(values.size)).reshape(values.shape)
    sizes = np.array([*values.shape, 0, 0, 0, 0], dtype=np.float64)[:4]
    return np.array([*sizes, np.mean(values * waves), np.sqrt(np.mean(values**2))])
